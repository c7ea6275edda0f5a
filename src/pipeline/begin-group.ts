import { TrueupError } from '../errors.ts';
import { cellToText } from '../model/cell-text.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import type { KeyBounds } from '../model/contracts.ts';
import type { Feed } from '../model/feed.ts';
import { keyFromText } from '../model/key-text.ts';
import { isLimited, scopeMark } from './plan/backfill-scope.ts';
import type { BackfillScope } from './plan/backfill-scope.ts';
import { isSnapshot } from './compare/compare-group.ts';
import { compareDue } from './compare/compare-record.ts';
import { groupChange, groupHash, isLog, withStreams } from './compare/group-hash.ts';
import { groupCheckpoints, streamsOf } from './job-run.ts';
import type { Group, JobRun } from './job-run.ts';
import type { PlannedStream } from './plan/plan.ts';

/* How a group begins, or begins again: what is stored before the first read. */

/** A first load is split only when every part has this many records. */
const MIN_PART_ROWS = 50_000;

/**
 * new → loading. The start cursor is taken first and stored as held, so that whatever changes during the load is delivered after it; the
 * parts are stored with it, before the first read. A source that cannot split has no backfill: its changes feed starts at the beginning.
 */
export async function beginLoad(run: JobRun, group: Group, scope: BackfillScope): Promise<Checkpoint[]> {
  // The changes that follow would pass for the whole stream, and what lies beyond the limits would never arrive.
  if (isLimited(scope))
    throw new TrueupError(
      'E_USAGE',
      `'${group.feed.streams.join("', '")}' has not been loaded yet: a part of it can be loaded again only after that`,
      {
        hint: 'Run `trueup run` first, or `trueup backfill` without limits. To sync a part for good, use `where` on the stream.',
      },
    );
  const { source } = run.context;
  if (source.splitBackfill === undefined)
    return saveFeeds(run, [
      ...(await embedCheckpoints(run, group, 'open')),
      await newCheckpoint(run, group, { feed: group.feed, state: 'open', cursor: null }),
    ]);
  const refs = group.streams.map(({ planned }) => planned.ref);
  const cursor = isSnapshot(group) ? null : await source.startCursor(group.feed, refs, run.signals.abort);
  const held = await newCheckpoint(run, group, { feed: group.feed, state: 'held', cursor });
  const children = await embedCheckpoints(run, group, 'held');
  return saveFeeds(run, [
    held,
    ...children,
    ...(await backfillCheckpoints(run, group, { scope, streams: group.streams.map(({ planned }) => planned.name) })),
  ]);
}

/**
 * Stores the position from which changes are found anew, for streams that were loaded long ago: only the others of the group are loaded. A group that has a position
 * takes the streams in.
 *
 * @param loaded names of streams whose records are in the target
 */
export async function beginHeld(run: JobRun, group: Group, loaded: readonly string[]): Promise<void> {
  const { source } = run.context;
  const refs = group.streams.map(({ planned }) => planned.ref);
  const changes = (await groupCheckpoints(run, group)).find((one) => one.feed.id === group.feed.id);
  if (changes === undefined) {
    const cursor = isSnapshot(group) ? null : await source.startCursor(group.feed, refs, run.signals.abort);
    const streams = group.streams.map(({ planned }) => planned.name).filter((name) => !loaded.includes(name));
    const parts = await backfillCheckpoints(run, group, { scope: {}, streams });
    await saveFeeds(run, [await newCheckpoint(run, group, { feed: group.feed, state: 'held', cursor }), ...parts]);
    return;
  }
  if (!isLog(group)) return;
  // Whoever loads a stream beside a log waits until the log has all of it; so does who goes on from another position.
  for (const ref of refs) if (loaded.includes(ref.name)) await source.splitBackfill?.(ref, 1, run.signals.abort);
  const streams = [...new Set([...changes.feed.streams, ...loaded])];
  const feed = { ...group.feed, streams, changes: { ...changes.feed.changes, ...group.feed.changes } };
  const planHash = withStreams(changes.planHash, group, loaded);
  await saveFeeds(run, [{ ...changes, feed, planHash, run: run.owner.run, epoch: run.owner.epoch }]);
}

/** Where the changes of children begin. Taken before a record is read with its children: whatever changes in them later is delivered again. */
async function embedCheckpoints(run: JobRun, group: Group, state: Checkpoint['state'], feeds = group.embeds): Promise<Checkpoint[]> {
  const checkpoints: Checkpoint[] = [];
  for (const feed of feeds) {
    const refs = streamsOf(group, feed).map(({ planned }) => planned.ref);
    const cursor = await run.context.source.startCursor(feed, refs, run.signals.abort);
    checkpoints.push(await newCheckpoint(run, group, { feed, state, cursor }));
  }
  return checkpoints;
}

export interface Refill {
  readonly scope: BackfillScope;
  /** Names of the streams that are read again. */
  readonly streams: readonly string[];
  /** Parts of an earlier backfill that was limited otherwise, to be read as well. */
  readonly keep?: readonly Checkpoint[];
}

/**
 * following → refilling: parts of a backfill beside the open changes feed, which stays where it is. Takes over the streams of the group as they are planned
 * now: those that were added to a log are among the ones to be read, those that are gone are forgotten.
 */
export async function beginRefill(run: JobRun, group: Group, { scope, streams, keep = [] }: Refill): Promise<void> {
  const checkpoints = await groupCheckpoints(run, group);
  const changes = checkpoints.find((one) => one.feed.id === group.feed.id);
  if (changes === undefined || run.context.source.splitBackfill === undefined) return dropGroup(run, group);
  const parts = await backfillCheckpoints(run, group, { scope, streams });
  const kept = new Set(keep.map((one) => one.feed.id));
  const isNewPlan = groupChange(changes.planHash, group).changed.length > 0;
  const known = new Set(isNewPlan && !isLog(group) ? [] : checkpoints.map((one) => one.feed.id));
  const children = await embedCheckpoints(
    run,
    group,
    'open',
    group.embeds.filter((feed) => !known.has(feed.id)),
  );
  const isOld = ({ feed }: Checkpoint): boolean =>
    (feed.kind === 'backfill' && !kept.has(feed.id) && feed.streams.every((name) => streams.includes(name))) ||
    (feed.kind === 'embed' && !group.embeds.some(({ id }) => id === feed.id));
  const dropFeeds = checkpoints.filter(isOld).map((one) => one.feed.id);
  // Two writes: were the old parts dropped in the same one, a part of the same name could vanish with them.
  await run.store.save(run.owner, { dropFeeds }, run.signals.abort);
  await saveFeeds(run, [
    { ...changes, feed: group.feed, planHash: groupHash(group), run: run.owner.run, epoch: run.owner.epoch },
    ...children,
    ...parts,
  ]);
}

/** The streams of a group that the run was asked for. A log is read for all of its streams, whichever are meant. */
export function meantStreams(run: JobRun, group: Group): string[] {
  const names = group.streams.map(({ planned }) => planned.name);
  return run.only.length === 0 ? names : names.filter((name) => run.only.includes(name));
}

/** Forgets what was read: the next life starts as new. */
export async function dropGroup(run: JobRun, group: Group): Promise<void> {
  const stored = await groupCheckpoints(run, group);
  const changes = stored.find((one) => one.feed.id === group.feed.id);
  const by = { run: run.owner.run, epoch: run.owner.epoch };
  // What is deleted until a log begins anew is told by nobody.
  const checkpoints =
    changes === undefined || !isLog(group) ? [] : group.streams.map(({ planned }) => compareDue({ ...changes, ...by }, planned.name));
  const kept = new Set(checkpoints.map((one) => one.feed.id));
  const dropFeeds = stored.map((one) => one.feed.id).filter((id) => !kept.has(id));
  await run.store.save(run.owner, { checkpoints, dropFeeds }, run.signals.abort);
}

/** Starts the changes at now, whatever was missed in between. */
export async function startFromNow(run: JobRun, group: Group): Promise<void> {
  // The log goes on for the others; what changed is mapped anew from here on, and nothing was missed.
  if (isLog(group)) return beginRefill(run, group, { scope: {}, streams: [] });
  const refs = group.streams.map(({ planned }) => planned.ref);
  const cursor = isSnapshot(group) ? null : await run.context.source.startCursor(group.feed, refs, run.signals.abort);
  const children = await embedCheckpoints(run, group, 'open');
  await dropGroup(run, group);
  await saveFeeds(run, [...children, await newCheckpoint(run, group, { feed: group.feed, state: 'open', cursor })]);
}

async function backfillCheckpoints(run: JobRun, group: Group, { scope, streams }: Refill): Promise<Checkpoint[]> {
  const checkpoints: Checkpoint[] = [];
  for (const { planned } of group.streams) {
    if (!streams.includes(planned.name)) continue;
    const estimate = planned.sourcePlan.rowEstimate ?? Number.POSITIVE_INFINITY;
    const partitions = scope.partitions ?? Math.max(1, Math.min(planned.entry.partitions, Math.floor(estimate / MIN_PART_ROWS)));
    const ref = scope.where === undefined ? planned.ref : { ...planned.ref, where: scope.where };
    const feeds = (await run.context.source.splitBackfill?.(ref, partitions, run.signals.abort, boundsOf(planned, scope))) ?? [];
    for (const feed of feeds) {
      const scoped: Feed = { ...feed, id: feed.id + scopeMark(scope), ...(scope.where === undefined ? {} : { where: scope.where }) };
      checkpoints.push(await newCheckpoint(run, group, { feed: scoped, state: 'open', cursor: null }));
    }
  }
  return checkpoints;
}

/** @throws {TrueupError} `E_USAGE` when a bound is no key of the stream */
function boundsOf({ name, sourcePlan: { shape } }: PlannedStream, { from, to }: BackfillScope): KeyBounds {
  const texts = (key: string): string[] => {
    try {
      return keyFromText(shape, key).map((cell, index) => cellToText(shape.fields[shape.key[index] ?? -1]?.type ?? 'unknown', cell) ?? '');
    } catch (cause) {
      throw new TrueupError(
        'E_USAGE',
        `a bound of the backfill is no key of stream '${name}': ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
    }
  };
  return { ...(from === undefined ? {} : { from: texts(from) }), ...(to === undefined ? {} : { to: texts(to) }) };
}

async function newCheckpoint(run: JobRun, group: Group, is: Pick<Checkpoint, 'feed' | 'state' | 'cursor'>): Promise<Checkpoint> {
  const { context, owner } = run;
  const text = is.cursor === null ? 'the beginning' : (context.source.explainCursor?.(is.cursor) ?? 'the start of the load');
  return {
    job: context.job.name,
    ...is,
    cursorVersion: context.cursorVersion,
    sourceIdentity: await context.source.identity(run.signals.abort),
    planHash: groupHash(group),
    position: { text },
    run: owner.run,
    epoch: owner.epoch,
  };
}

async function saveFeeds(run: JobRun, checkpoints: Checkpoint[]): Promise<Checkpoint[]> {
  await run.store.save(run.owner, { checkpoints }, run.signals.abort);
  return checkpoints;
}
