import { deleteChildExtras, writeChildDifferences } from './compare-children.ts';
import { COMPARE_EVERY_MS, isCompareDue, lastCompared, nextCompare, saveCompared } from './compare-record.ts';
import { deleteExtras } from './delete-extras.ts';
import { findDifferences } from './find-differences.ts';
import type { Group, JobRun, StreamState } from '../job-run.ts';
import type { PlannedStream } from '../plan/plan.ts';
import { notePhase } from '../read/read-changes.ts';
import { withFeed } from '../run-feed.ts';

/** Whether the changes of a group are found by comparing everything. Then neither a start cursor nor its changes are asked of the source. */
export function isSnapshot(group: Group): boolean {
  return group.streams.every(({ planned }) => planned.ref.changes.by === 'snapshot');
}

/** Writes everything that the target lacks or holds otherwise. What it has too much is found as well, and stays until `deleteGone`. */
export async function readSnapshot(run: JobRun, group: Group): Promise<void> {
  if (run.signals.stop.aborted) return;
  notePhase(group.streams, 'changes');
  const readFromMs = run.context.now();
  const text = `compared at ${new Date(readFromMs).toISOString()}`;
  await inSlot(run, async () => {
    const checkpoint = await withFeed(run, { ...workOf(run, group), streams: group.streams }, async (feedRun) => {
      for (const state of group.streams) {
        const stream = feedRun.streams.get(state.planned.name);
        const plan = state.planned.compare;
        state.before ??= feedRun.checkpoint.position.text;
        if (stream === undefined || plan === null) continue;
        state.surplus = await findDifferences(feedRun, stream, plan);
        state.compared = state.surplus.records;
        await writeChildDifferences(feedRun, stream);
      }
      return feedRun.checkpoint;
    });
    const { owner, store, signals } = run;
    const saved = { ...checkpoint, feed: group.feed, state: 'open' as const, position: { text }, run: owner.run, epoch: owner.epoch };
    await store.save(owner, { checkpoints: [saved] }, signals.abort);
  });
  if (run.signals.stop.aborted) return;
  for (const state of group.streams) Object.assign(state, { caughtUp: true, readFromMs, after: text });
}

/**
 * Deletes what the source no longer has, in the streams that are compared and due. Their changes have been read to the end, so whatever the source
 * delivers later is written after these deletes.
 */
export async function deleteGone(run: JobRun, group: Group): Promise<void> {
  const due = await dueStreams(run, group);
  if (due.length === 0 || run.signals.stop.aborted) return;
  await inSlot(run, () =>
    withFeed(run, { ...workOf(run, group), streams: group.streams }, async (feedRun) => {
      for (const state of due) {
        const stream = feedRun.streams.get(state.planned.name);
        const plan = state.planned.compare ?? state.planned.afterGap;
        if (stream === undefined || plan === null) continue;
        const at = run.context.now();
        const surplus = state.surplus ?? (await findDifferences(feedRun, stream, plan));
        state.compared = surplus.records;
        await deleteExtras(feedRun, stream, plan, surplus);
        await deleteChildExtras(feedRun, stream, plan);
        state.surplus = null;
        await saveCompared(run, state, { at, surplus });
      }
    }),
  );
}

/** Whether both sides of a stream are compared, in every run or when that is due. */
export function isCompared({ compare, afterGap }: PlannedStream): boolean {
  return compare !== null || afterGap !== null;
}

/** The streams that `deleteGone` has something to do in. */
export async function dueStreams(run: JobRun, group: Group): Promise<StreamState[]> {
  const due: StreamState[] = [];
  for (const state of group.streams) {
    const plan = state.planned.compare;
    if (plan === null) {
      if (state.planned.afterGap !== null && (await isCompareDue(run, state))) due.push(state);
      continue;
    }
    const now =
      state.planned.ref.changes.by === 'snapshot'
        ? state.surplus !== null
        : nextCompare(run.context, plan, await lastCompared(run, state), 0) <= run.context.now();
    if (now) due.push(state);
  }
  return due;
}

/** When a run that follows the group must compare next (ms since 1970). `null`: never. */
export async function nextCompareOf(run: JobRun, group: Group): Promise<number | null> {
  let next: number | null = null;
  for (const state of group.streams) {
    const plan = state.planned.compare;
    if (plan === null) continue;
    const at = nextCompare(run.context, plan, await lastCompared(run, state), COMPARE_EVERY_MS);
    next = Math.min(next ?? at, at);
  }
  return next;
}

function workOf(run: JobRun, group: Group) {
  return { feed: group.feed, following: false, signals: run.signals };
}

/** A feed that follows holds its place for good, so it takes none of those that others wait for. */
async function inSlot(run: JobRun, work: () => Promise<void>): Promise<void> {
  if (run.follow) await work();
  else await run.slots.add(work);
}
