import { TrueupError } from '../errors.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import type { Feed } from '../model/feed.ts';
import type { BackfillScope } from './plan/backfill-scope.ts';
import { beginLoad } from './begin-group.ts';
import { catchUp, followGroup } from './keep-up.ts';
import { isSnapshot } from './compare/compare-group.ts';
import { groupCheckpoints, streamsOf } from './job-run.ts';
import type { Group, JobRun } from './job-run.ts';
import { pumpFeed } from './loop.ts';
import { fetchFeed, notePhase } from './read/read-changes.ts';
import { withFeed } from './run-feed.ts';
import { lifeState } from './stream-life.ts';
import { untilSettled } from './until-settled.ts';

/** Brings a group from wherever it stands to the end of its changes, or follows them until stopped. */
export async function liveGroup(run: JobRun, group: Group, scope: BackfillScope = {}): Promise<void> {
  let checkpoints = await groupCheckpoints(run, group);
  if (lifeState(checkpoints) === 'new') checkpoints = await beginLoad(run, group, scope);
  if (lifeState(checkpoints) === 'loading') await load(run, group, checkpoints);
  else if (lifeState(checkpoints) === 'refilling') await refill(run, group);
  if (run.signals.stop.aborted) return;
  if (run.follow) await followGroup(run, group);
  else await catchUp(run, group);
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
  const held = [changes, ...checkpoints.filter((one) => one.feed.kind === 'embed')];
  await run.store.save(
    run.owner,
    { checkpoints: held.map((one) => ({ ...one, state: 'open', run: run.owner.run, epoch: run.owner.epoch })), dropFeeds },
    run.signals.abort,
  );
}

async function readPart(run: JobRun, group: Group, feed: Feed, stop: AbortSignal): Promise<void> {
  const streams = streamsOf(group, feed);
  notePhase(streams, 'backfill');
  const signals = { stop, abort: run.signals.abort };
  const checkpoint = await withFeed(run, { feed, streams, following: false, firstLoad: true, signals }, async (feedRun) => {
    if (feedRun.checkpoint.state !== 'done') await pumpFeed(feedRun, fetchFeed(feedRun, 'drain'));
    return feedRun.checkpoint;
  });
  if (!stop.aborted) await markDone(run, checkpoint);
}

/** refilling → following: one chunk at a time, read and written between two complete drains of the changes, so that no older row lands after a newer. */
async function refill(run: JobRun, group: Group): Promise<void> {
  for (;;) {
    await catchUp(run, group);
    const checkpoints = await groupCheckpoints(run, group);
    // Comparing has just looked at every record.
    const part = isSnapshot(group) ? undefined : checkpoints.find((one) => one.feed.kind === 'backfill' && one.state !== 'done');
    if (part === undefined) {
      await run.store.save(
        run.owner,
        { dropFeeds: checkpoints.filter((one) => one.feed.kind === 'backfill').map((one) => one.feed.id) },
        run.signals.abort,
      );
      return;
    }
    if (run.signals.stop.aborted) return;
    // A chunk that is read now must hold everything that was delivered so far, or it would undo it. While that lasts the changes are not read on, since
    // each of them would have to be waited for again.
    const cursor = checkpoints.find((one) => one.feed.id === group.feed.id)?.cursor ?? null;
    await untilSettled(run.context.source, { feed: group.feed, cursor }, run.signals);
    if (run.signals.stop.aborted) return;
    await readChunk(run, group, part.feed);
  }
}

async function readChunk(run: JobRun, group: Group, feed: Feed): Promise<void> {
  const streams = streamsOf(group, feed);
  notePhase(streams, 'backfill');
  const { read, checkpoint } = await withFeed(run, { feed, streams, following: false, signals: run.signals }, async (feedRun) => {
    const count = await pumpFeed(feedRun, fetchFeed(feedRun, 'chunk'));
    return { read: count, checkpoint: feedRun.checkpoint };
  });
  if (read === 0 && !run.signals.stop.aborted) await markDone(run, checkpoint);
}

async function markDone(run: JobRun, checkpoint: Checkpoint): Promise<void> {
  await run.store.save(
    run.owner,
    { checkpoints: [{ ...checkpoint, state: 'done', run: run.owner.run, epoch: run.owner.epoch }] },
    run.signals.abort,
  );
}
