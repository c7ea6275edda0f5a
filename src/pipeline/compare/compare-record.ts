import type { Checkpoint } from '../../model/checkpoint.ts';
import type { Feed } from '../../model/feed.ts';
import type { ComparePlan } from './compare-plan.ts';
import type { Surplus } from './find-differences.ts';
import type { JobContext } from '../job-context.ts';
import type { JobRun, StreamState } from '../job-run.ts';

/*
 * When both sides of a stream were last compared, kept as the checkpoint of a feed that nothing is read from. It is written after the deletes: a crash in
 * between compares once more.
 */

/** How often a run that follows compares a stream without a schedule (ms). */
export const COMPARE_EVERY_MS = 3_600_000;

function compareFeed(stream: string): Feed {
  return { id: `compare:${stream}`, kind: 'compare', streams: [stream] };
}

/** Notes that both sides of a stream must be compared, whatever its schedule says. @param like any checkpoint of its changes */
export function compareDue(like: Checkpoint, stream: string): Checkpoint {
  return {
    ...like,
    feed: compareFeed(stream),
    state: 'held',
    cursor: null,
    position: { text: 'to be compared: what was deleted meanwhile is in no log' },
  };
}

export async function isCompareDue(run: JobRun, state: StreamState): Promise<boolean> {
  const { id } = compareFeed(state.planned.name);
  const all = await run.store.list(run.context.job.name, run.signals.abort);
  return all.some((one) => one.feed.id === id && one.state === 'held');
}

export async function saveCompared(
  run: JobRun,
  state: StreamState,
  { at, surplus }: { readonly at: number; readonly surplus: Surplus },
): Promise<void> {
  const { context, owner, store, signals } = run;
  const { source, target } = surplus.records;
  const checkpoint: Checkpoint = {
    job: context.job.name,
    feed: compareFeed(state.planned.name),
    state: 'done',
    cursor: { at: new Date(at).toISOString() },
    cursorVersion: context.cursorVersion,
    sourceIdentity: await context.source.identity(signals.abort),
    planHash: state.planned.hash,
    position: { text: `${source} in the source, ${target} in the target, ${surplus.count} of them not in the source` },
    run: owner.run,
    epoch: owner.epoch,
  };
  await store.save(owner, { checkpoints: [checkpoint] }, signals.abort);
}

/** When the stream was last compared (ms since 1970); `null`: never, or nobody knows. */
export async function lastCompared(run: JobRun, state: StreamState): Promise<number | null> {
  const { id } = compareFeed(state.planned.name);
  const all = await run.store.list(run.context.job.name, run.signals.abort);
  const cursor = all.find((one) => one.feed.id === id)?.cursor as { readonly at?: unknown } | null | undefined;
  const at = typeof cursor?.at === 'string' ? Date.parse(cursor.at) : Number.NaN;
  return Number.isNaN(at) ? null : at;
}

/**
 * When the stream is to be compared next (ms since 1970), which may be long ago.
 *
 * @param last as `lastCompared` says
 * @param everyMs of a stream without a schedule; 0: at once
 */
export function nextCompare(context: JobContext, plan: ComparePlan, last: number | null, everyMs: number): number {
  if (last === null) return 0;
  // A clock that was set back must not put it off for as long.
  const since = Math.min(last, context.now());
  if (plan.schedule === null) return since + everyMs;
  return context.nextFireTime(plan.schedule, context.job.timezone, new Date(since)).getTime();
}
