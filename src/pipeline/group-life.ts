import { TrueupError } from '../errors.ts';
import { cellToText } from '../model/cell-text.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import type { FetchRequest, KeyBounds } from '../model/contracts.ts';
import type { Feed } from '../model/feed.ts';
import { keyFromText } from '../model/key-text.ts';
import { isLimited, scopeMark } from './backfill-scope.ts';
import type { BackfillScope } from './backfill-scope.ts';
import type { FeedRun } from './feed-run.ts';
import { groupCheckpoints } from './job-run.ts';
import type { Group, JobRun, StreamState } from './job-run.ts';
import { pumpFeed } from './loop.ts';
import type { PlannedStream } from './plan.ts';
import { planHash } from './plan-hash.ts';
import { withFeed } from './run-feed.ts';
import { lifeState } from './stream-life.ts';

/** Records of a chunk of a live backfill, in batches: it is written as one piece between two drains of the changes. */
const CHUNK_BATCHES = 5;

/** A first load is split only when every part has this many records. */
const MIN_PART_ROWS = 50_000;

/** Brings a group from wherever it stands to the end of its changes, or follows them until stopped. */
export async function liveGroup(run: JobRun, group: Group, scope: BackfillScope = {}): Promise<void> {
  let checkpoints = await groupCheckpoints(run, group);
  if (lifeState(checkpoints) === 'new') checkpoints = await beginLoad(run, group, scope);
  if (lifeState(checkpoints) === 'loading') await load(run, group, checkpoints);
  else if (lifeState(checkpoints) === 'refilling') await refill(run, group);
  if (!run.signals.stop.aborted) await readChanges(run, group, run.follow);
}

/** The plan hash of all streams that share a changes feed. */
export function groupHash(group: Group): string {
  const [only, ...others] = group.streams;
  if (only !== undefined && others.length === 0) return only.planned.hash;
  const hashes = Object.fromEntries(group.streams.map(({ planned }) => [planned.name, planned.hash]));
  return planHash({ mapping: hashes, key: [], changes: { by: 'log' }, where: null, deletesWhen: null, query: null });
}

/**
 * new → loading. The start cursor is taken first and stored as held, so that whatever changes during the load is delivered after it; the
 * parts are stored with it, before the first read. A source that cannot split has no backfill: its changes feed starts at the beginning.
 */
async function beginLoad(run: JobRun, group: Group, scope: BackfillScope): Promise<Checkpoint[]> {
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
    return saveFeeds(run, [await newCheckpoint(run, group, { feed: group.feed, state: 'open', cursor: null })]);
  const refs = group.streams.map(({ planned }) => planned.ref);
  const cursor = await source.startCursor(group.feed, refs, run.signals.abort);
  const held = await newCheckpoint(run, group, { feed: group.feed, state: 'held', cursor });
  return saveFeeds(run, [held, ...(await backfillCheckpoints(run, group, scope))]);
}

/**
 * following → refilling: parts of a backfill beside the open changes feed, which stays where it is.
 *
 * @param keep parts of an earlier backfill that was limited otherwise, to be read as well
 */
export async function beginRefill(run: JobRun, group: Group, scope: BackfillScope, keep: readonly Checkpoint[] = []): Promise<void> {
  const checkpoints = await groupCheckpoints(run, group);
  const changes = checkpoints.find((one) => one.feed.id === group.feed.id);
  if (changes === undefined || run.context.source.splitBackfill === undefined) return dropGroup(run, group);
  const parts = await backfillCheckpoints(run, group, scope);
  const kept = new Set(keep.map((one) => one.feed.id));
  const dropFeeds = checkpoints.filter((one) => one.feed.kind === 'backfill' && !kept.has(one.feed.id)).map((one) => one.feed.id);
  // Two writes: were the old parts dropped in the same one, a part of the same name could vanish with them.
  await run.store.save(run.owner, { dropFeeds }, run.signals.abort);
  await saveFeeds(run, [{ ...changes, planHash: groupHash(group), run: run.owner.run, epoch: run.owner.epoch }, ...parts]);
}

/** Forgets what was read: the next life starts as new. */
export async function dropGroup(run: JobRun, group: Group): Promise<void> {
  const checkpoints = await groupCheckpoints(run, group);
  await run.store.save(run.owner, { dropFeeds: checkpoints.map((one) => one.feed.id) }, run.signals.abort);
}

/** Starts the changes at now, whatever was missed in between. */
export async function startFromNow(run: JobRun, group: Group): Promise<void> {
  const { source } = run.context;
  const cursor = await source.startCursor(
    group.feed,
    group.streams.map(({ planned }) => planned.ref),
    run.signals.abort,
  );
  await dropGroup(run, group);
  await saveFeeds(run, [await newCheckpoint(run, group, { feed: group.feed, state: 'open', cursor })]);
}

async function backfillCheckpoints(run: JobRun, group: Group, scope: BackfillScope): Promise<Checkpoint[]> {
  const checkpoints: Checkpoint[] = [];
  for (const { planned } of group.streams) {
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

/** loading → following. Parts are read in parallel; a part that fails stops the reading of the others, which resume in the next run. */
async function load(run: JobRun, group: Group, checkpoints: readonly Checkpoint[]): Promise<void> {
  const failed = new AbortController();
  const stop = AbortSignal.any([run.signals.stop, failed.signal]);
  const parts = checkpoints.filter((one) => one.feed.kind === 'backfill' && one.state !== 'done');
  const ends = await Promise.allSettled(
    parts.map((part) =>
      run.slots.add(async () => {
        if (stop.aborted) return;
        try {
          await readPart(run, group, part.feed, stop);
        } catch (error) {
          failed.abort(error);
          throw error;
        }
      }),
    ),
  );
  const failure = ends.find((end) => end.status === 'rejected');
  if (failed.signal.aborted) throw failed.signal.reason;
  if (failure !== undefined) throw failure.reason;
  if (run.signals.stop.aborted) return;
  const changes = checkpoints.find((one) => one.feed.id === group.feed.id);
  if (changes === undefined) throw new TrueupError('E_BUG', `feed '${group.feed.id}' has no held checkpoint after its load`);
  const dropFeeds = checkpoints.filter((one) => one.feed.kind === 'backfill').map((one) => one.feed.id);
  await run.store.save(
    run.owner,
    { checkpoints: [{ ...changes, state: 'open', run: run.owner.run, epoch: run.owner.epoch }], dropFeeds },
    run.signals.abort,
  );
}

async function readPart(run: JobRun, group: Group, feed: Feed, stop: AbortSignal): Promise<void> {
  const streams = streamsOf(group, feed);
  notePhase(streams, 'backfill');
  const signals = { stop, abort: run.signals.abort };
  const checkpoint = await withFeed(run, { feed, streams, following: false, signals }, async (feedRun) => {
    if (feedRun.checkpoint.state !== 'done') await pumpFeed(feedRun, fetch(feedRun, 'drain'));
    return feedRun.checkpoint;
  });
  if (!stop.aborted) await markDone(run, checkpoint);
}

/** refilling → following: one chunk at a time, read and written between two complete drains of the changes, so that no older row lands after a newer. */
async function refill(run: JobRun, group: Group): Promise<void> {
  for (;;) {
    await readChanges(run, group, false);
    const checkpoints = await groupCheckpoints(run, group);
    const part = checkpoints.find((one) => one.feed.kind === 'backfill' && one.state !== 'done');
    if (part === undefined) {
      await run.store.save(
        run.owner,
        { dropFeeds: checkpoints.filter((one) => one.feed.kind === 'backfill').map((one) => one.feed.id) },
        run.signals.abort,
      );
      return;
    }
    if (run.signals.stop.aborted) return;
    await readChunk(run, group, part.feed);
  }
}

async function readChunk(run: JobRun, group: Group, feed: Feed): Promise<void> {
  const streams = streamsOf(group, feed);
  notePhase(streams, 'backfill');
  const { read, checkpoint } = await withFeed(run, { feed, streams, following: false, signals: run.signals }, async (feedRun) => {
    const count = await pumpFeed(feedRun, fetch(feedRun, 'chunk'));
    return { read: count, checkpoint: feedRun.checkpoint };
  });
  if (read === 0 && !run.signals.stop.aborted) await markDone(run, checkpoint);
}

async function readChanges(run: JobRun, group: Group, follow: boolean): Promise<void> {
  if (run.signals.stop.aborted) return;
  notePhase(group.streams, 'changes');
  const { context } = run;
  const readFromMs = context.now();
  const work = { feed: group.feed, streams: group.streams, following: follow, signals: run.signals };
  const drain = async (): Promise<void> => {
    const after = await withFeed(run, work, async (feedRun) => {
      for (const stream of group.streams) stream.before ??= feedRun.checkpoint.position.text;
      await pumpFeed(feedRun, fetch(feedRun, follow ? 'follow' : 'drain'));
      return feedRun.checkpoint.position.text;
    });
    for (const stream of group.streams) stream.after = after;
  };
  // A feed that follows holds its place for good, so it takes none of those that others wait for.
  if (follow) await drain();
  else await run.slots.add(drain);
  if (run.signals.stop.aborted) return;
  const heldBack = (await context.source.heldBack?.(group.feed, run.signals.abort)) ?? null;
  for (const stream of group.streams) Object.assign(stream, { caughtUp: true, readFromMs, heldBack });
  if (heldBack !== null)
    for (const { planned } of group.streams)
      context.onEvent({ kind: 'held-back', job: context.job.name, stream: planned.name, ...heldBack });
}

function fetch(feedRun: FeedRun, until: FetchRequest['until']): ReturnType<FeedRun['context']['source']['fetchChanges']> {
  const { context, feed, checkpoint, signals, streams } = feedRun;
  const { batch, maxDelayMs } = context.job;
  const refs = [...streams.values()].map(({ planned }) => (feed.where === undefined ? planned.ref : { ...planned.ref, where: feed.where }));
  return context.source.fetchChanges({
    feed,
    streams: refs,
    after: checkpoint.cursor,
    forms: new Map(refs.map((ref) => [ref.name, 'cells' as const])),
    batchRows: until === 'chunk' ? batch.rows * CHUNK_BATCHES : batch.rows,
    batchBytes: batch.bytes,
    ...(until === 'follow' ? { maxDelayMs } : {}),
    until,
    signal: signals.stop,
  });
}

async function markDone(run: JobRun, checkpoint: Checkpoint): Promise<void> {
  await run.store.save(
    run.owner,
    { checkpoints: [{ ...checkpoint, state: 'done', run: run.owner.run, epoch: run.owner.epoch }] },
    run.signals.abort,
  );
}

function streamsOf(group: Group, feed: Feed): StreamState[] {
  return group.streams.filter(({ planned }) => feed.streams.includes(planned.name));
}

function notePhase(streams: readonly StreamState[], phase: 'backfill' | 'changes'): void {
  for (const stream of streams) stream.phases.add(phase);
}
