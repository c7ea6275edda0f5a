import type { Checkpoint } from '../model/checkpoint.ts';
import type { ChangeSpec } from '../model/contracts.ts';
import { beginHeld } from './begin-group.ts';
import { compareDue } from './compare/compare-record.ts';
import { isLogHash, shortHash, withoutStream } from './compare/group-hash.ts';
import type { Group, JobRun, StreamState } from './job-run.ts';
import { pumpFeed } from './loop.ts';
import { planHash } from './plan/plan-hash.ts';
import { fetchFeed, notePhase } from './read/read-changes.ts';
import { withFeed } from './run-feed.ts';
import { withRetries } from './with-retries.ts';

/*
 * A stream whose changes are found in another way from now on keeps what was loaded. The new position is taken first and stored as held; then the old feed is read to
 * its end once more, so both overlap; then the old position goes. Cut off at any instant, the next run does the rest: an old feed of a stream that has a new one is
 * what tells it. (Within one feed, as from `cursor` to `xmin`, the hash of the plan decides: see resume.ts.)
 */

/** An old feed, and the streams of it that have gone over to a new one. */
interface Leaving {
  readonly old: Checkpoint;
  readonly states: readonly StreamState[];
}

/** Takes all streams over whose old position is known and open. Before any group is looked at: streams leave one feed for another. */
export async function switchChanges(run: JobRun, groups: readonly Group[]): Promise<void> {
  const { context, store, signals } = run;
  const all = await withRetries(context, signals, () => store.list(context.job.name, signals.abort));
  const open = all.filter(
    ({ feed, state, cursorVersion }) => feed.kind === 'changes' && state === 'open' && cursorVersion === context.cursorVersion,
  );
  const moving = groups
    .map((group) => ({
      group,
      leaving: open.map((old) => ({ old, states: leavingFor(group, old) })).filter(({ states }) => states.length > 0),
    }))
    .filter(({ leaving }) => leaving.length > 0);
  if (moving.length === 0) return;
  const identity = await withRetries(context, signals, () => context.source.identity(signals.abort));
  for (const { group, leaving } of moving) {
    const here = leaving.filter(({ old }) => old.sourceIdentity === identity);
    if (here.length === 0 || signals.stop.aborted) continue;
    const names = here.flatMap(({ states }) => states.map(({ planned }) => planned.name));
    await withRetries(context, signals, () => beginHeld(run, group, names));
    for (const one of here) await leave(run, groups, one);
  }
}

/** The streams of the group that an old feed carries, with the same plan but for the way in which changes are found. */
function leavingFor(group: Group, old: Checkpoint): StreamState[] {
  // What a record carries of other streams has positions of its own.
  if (old.feed.id === group.feed.id || group.embeds.length > 0) return [];
  return group.streams.filter(({ planned }) => {
    const by = old.feed.changes?.[planned.name];
    // By snapshot there is no position that could be read to its end.
    return by !== undefined && by.by !== 'snapshot' && old.feed.streams.includes(planned.name) && sameButChanges(old, planned, by);
  });
}

function sameButChanges(old: Checkpoint, planned: StreamState['planned'], by: ChangeSpec): boolean {
  const hash = planHash({ ...planned.hashed, changes: by });
  if (!isLogHash(old.planHash)) return old.planHash === hash;
  return withoutStream(old.planHash, planned.name).hash === shortHash(hash);
}

/** Reads the old feed to its end, for all streams that it carries, and takes those that leave off it. */
async function leave(run: JobRun, groups: readonly Group[], { old, states }: Leaving): Promise<void> {
  const stay = groups.find(({ feed }) => feed.id === old.feed.id)?.streams ?? [];
  const carried = [
    ...stay.filter(({ planned }) => old.feed.streams.includes(planned.name)),
    ...states.map((state) => asBefore(state, old)),
  ];
  notePhase(carried, 'changes');
  await withFeed(run, { feed: old.feed, streams: carried, following: false, signals: run.signals }, (feedRun) =>
    pumpFeed(feedRun, fetchFeed(feedRun, 'drain')),
  );
  if (run.signals.stop.aborted) return;
  await withRetries(run.context, run.signals, () => forget(run, old, states));
}

/** Takes streams whose last changes were read off their old feed; without any left, the feed goes. */
async function forget(run: JobRun, old: Checkpoint, states: readonly StreamState[]): Promise<void> {
  const now = (await run.store.list(run.context.job.name, run.signals.abort)).find((one) => one.feed.id === old.feed.id) ?? old;
  const by = { run: run.owner.run, epoch: run.owner.epoch };
  const names = states.map(({ planned }) => planned.name);
  const left = now.feed.streams.filter((name) => !names.includes(name));
  // A polled feed never told of a delete.
  const due = isLogHash(old.planHash) ? [] : states.map(({ planned }) => compareDue({ ...now, ...by }, planned.name));
  const rest: Checkpoint[] =
    left.length === 0
      ? []
      : [
          {
            ...now,
            ...by,
            feed: { ...now.feed, streams: left },
            planHash: names.reduce((hash, name) => withoutStream(hash, name).rest, now.planHash),
          },
        ];
  await run.store.save(run.owner, { checkpoints: [...due, ...rest], dropFeeds: left.length === 0 ? [old.feed.id] : [] }, run.signals.abort);
  if (left.length === 0) await run.context.source.release?.(old.feed, run.signals.abort);
}

/** A stream as it was read until now. What it reads and how it is written is the same. */
function asBefore(state: StreamState, old: Checkpoint): StreamState {
  const changes = old.feed.changes?.[state.planned.name] ?? state.planned.ref.changes;
  const before = Object.create(state) as StreamState;
  before.planned = { ...state.planned, ref: { ...state.planned.ref, changes } };
  return before;
}
