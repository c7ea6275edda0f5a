import { TrueupError, faultOf, isTrueupError } from '../errors.ts';
import type { BackfillScope } from './plan/backfill-scope.ts';
import { deleteGone, isCompared } from './compare/compare-group.ts';
import { dropGroup } from './begin-group.ts';
import { liveGroup } from './group-life.ts';
import { hydrateKeys } from './letters/hydrate-letters.ts';
import type { Group, JobRun, StreamState } from './job-run.ts';
import { prepareGroup } from './resume.ts';
import type { ResumeOptions } from './resume.ts';
import { withFeed } from './run-feed.ts';
import { switchChanges } from './switch-changes.ts';
import { withRetries } from './with-retries.ts';

/** Faults after which no stream of the job may go on. */
const STOPS_ALL: ReadonlySet<string> = new Set(['E_LETTERS', 'E_FENCED']);

/**
 * Runs every group of a job, each after the groups that it depends on; a group whose parent failed is skipped. Then what only a comparison finds is
 * deleted, in the other order: nothing may refer to a record that goes. With `follow`, all are brought up to date so first and then follow side by
 * side. Faults end in the state of their streams, not in a throw.
 *
 * @param stopAll called with a fault after which no stream may go on
 */
export async function runGroups(
  run: JobRun,
  groups: readonly Group[],
  options: ResumeOptions,
  stopAll: (error: unknown) => void,
): Promise<void> {
  const catchUp: JobRun = { ...run, follow: false };
  await switchChanges(catchUp, groups);
  const parents = (group: Group): Group[] => parentsOf(group, groups);
  await inOrder(groups, parents, async (group) => {
    const failed = parents(group)
      .flatMap((parent) => parent.streams)
      .find(isFailed);
    if (failed !== undefined) return skip(group, failed);
    await guarded(run, group, stopAll, async () => {
      await retried(run, group, () => prepareGroup(run, group, options));
      await retried(run, group, () => liveOrReload(catchUp, group, options.backfill ?? {}));
    });
  });
  await inOrder(
    groups,
    (group) => groups.filter((other) => parents(other).includes(group)),
    async (group) => {
      if (group.streams.some(isFailed) || run.signals.stop.aborted || !group.streams.some(({ planned }) => isCompared(planned))) return;
      await guarded(run, group, stopAll, () => retried(run, group, () => deleteGone(catchUp, group)));
    },
  );
  await retryOrderLetters(catchUp, groups, stopAll);
  if (!run.follow || run.signals.stop.aborted) return;
  const following = groups.filter((group) => !group.streams.some(isFailed));
  await Promise.all(following.map((group) => guarded(run, group, stopAll, () => retried(run, group, () => liveOrReload(run, group, {})))));
}

/**
 * What a group does between its feeds: looks up where it stands, takes a start position, saves what was begun. Each begins from what is stored, so it can
 * be begun again. A fault that a feed could not get over is not retried here once more.
 */
async function retried(run: JobRun, group: Group, work: () => Promise<void>): Promise<void> {
  const count = (): void => group.streams.forEach((stream) => (stream.retries += 1));
  let tries = 0;
  await withRetries(
    run.context,
    run.signals,
    async () => {
      if ((tries += 1) > 1) count();
      await work();
    },
    group.streams[0]?.planned.name,
  );
}

/** A position that the source has lost is loaded again when the job says so. */
async function liveOrReload(run: JobRun, group: Group, scope: BackfillScope): Promise<void> {
  try {
    await liveGroup(run, group, scope);
  } catch (error) {
    if (!isTrueupError(error) || error.code !== 'E_POSITION_LOST' || run.context.job.onLostPosition !== 'rebackfill') throw error;
    run.context.log.warn({ job: run.context.job.name, streams: group.feed.streams }, 'the position is lost in the source: loading again');
    await dropGroup(run, group);
    await liveGroup({ ...run, follow: false }, group);
    await deleteGone(run, group);
    if (run.follow && !run.signals.stop.aborted) await liveGroup(run, group);
  }
}

async function guarded(run: JobRun, group: Group, stopAll: (error: unknown) => void, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    setStatus(group.streams, run.signals.stop.aborted ? 'stopped' : 'succeeded');
  } catch (error) {
    const stopped =
      run.signals.stop.aborted && (faultOf(error) === 'stopped' || error === run.signals.stop.reason || error === run.signals.abort.reason);
    setStatus(group.streams, stopped ? 'stopped' : faultOf(error) === 'skipped' ? 'skipped' : 'failed');
    if (!stopped) for (const stream of group.streams) stream.error = error;
    if (isTrueupError(error) && STOPS_ALL.has(error.code)) stopAll(error);
  }
  for (const stream of group.streams)
    run.context.onEvent({ kind: 'stream-ended', job: run.context.job.name, stream: stream.planned.name, status: stream.status });
}

/** Calls `work` for each group once those before it have ended. A cycle is entered at its first group: order letters mend the rest. */
async function inOrder(
  groups: readonly Group[],
  before: (group: Group) => readonly Group[],
  work: (group: Group) => Promise<void>,
): Promise<void> {
  const ended = new Map<Group, Promise<void>>();
  const start = (group: Group, above: readonly Group[]): Promise<void> => {
    const known = ended.get(group);
    if (known !== undefined) return known;
    const waits = before(group)
      .filter((one) => !above.includes(one))
      .map((one) => start(one, [...above, group]));
    const end = Promise.all(waits).then(() => work(group));
    ended.set(group, end);
    return end;
  };
  await Promise.all(groups.map((group) => start(group, [])));
}

function skip(group: Group, parent: StreamState): void {
  for (const stream of group.streams) {
    stream.status = 'skipped';
    stream.error = new TrueupError('E_RECORD_ORDER', `not started: stream '${parent.planned.name}', which it depends on, did not succeed`);
  }
}

function parentsOf(group: Group, groups: readonly Group[]): Group[] {
  const after = new Set(group.streams.flatMap(({ planned }) => planned.after));
  return groups.filter((other) => other !== group && other.streams.some(({ planned }) => after.has(planned.name)));
}

/**
 * Records that came before their parents: the parents are read up to now, then the records are tried again. What still has no parent keeps its
 * letter for the next run.
 */
async function retryOrderLetters(run: JobRun, groups: readonly Group[], stopAll: (error: unknown) => void): Promise<void> {
  for (const group of groups) {
    for (const stream of group.streams) {
      const keys = run.book.keys(stream.planned.name, 'order');
      if (keys.length === 0 || run.signals.stop.aborted || isFailed(stream)) continue;
      for (const parent of parentsOf(group, groups))
        if (!parent.streams.some(isFailed)) await guarded(run, parent, stopAll, () => retried(run, parent, () => liveGroup(run, parent)));
      await guarded(run, group, stopAll, () => replayKeys(run, group, stream, keys));
    }
  }
}

/** Reads the records of these keys again and writes them as they are now. */
export async function replayKeys(run: JobRun, group: Group, stream: StreamState, keys: readonly string[]): Promise<void> {
  stream.phases.add('changes');
  await withFeed(run, { feed: group.feed, streams: group.streams, following: false, signals: run.signals }, async (feedRun) => {
    const of = feedRun.streams.get(stream.planned.name);
    if (of !== undefined) await hydrateKeys(feedRun, of, keys);
  });
}

function isFailed(stream: StreamState): boolean {
  return stream.status === 'failed' || stream.status === 'skipped';
}

function setStatus(streams: readonly StreamState[], status: StreamState['status']): void {
  for (const stream of streams) stream.status = status;
}
