import type { Batch } from '../model/contracts.ts';
import { commitFeed } from './write/commit.ts';
import type { FeedRun } from './feed-run.ts';
import { retryWaiting } from './letters/hydrate-letters.ts';
import { readAhead } from './read/read-ahead.ts';
import { writeBatch } from './write/write-batch.ts';

/** Batches that wait while one is written: the next is read meanwhile, and a third would only cost memory. */
const READ_AHEAD = 1;

/** How often progress without records is saved, at most (ms): an idle stream must not keep its target busy. */
const IDLE_COMMIT_MS = 5_000;

/**
 * The way of the data: read → map → write → commit, one pass, one direction. Reading overlaps with mapping and writing; a batch is
 * acknowledged to the source only once its rows, its dead letters and its checkpoint are durable.
 *
 * Ends when the source has no more (`drain`, `chunk`), or at the next commit after `signals.stop`. Faults are thrown with the lane as it is: the
 * caller closes it, and whatever was not committed is read again.
 *
 * @returns how many records were read
 */
export async function pumpFeed(run: FeedRun, batches: AsyncIterable<Batch>): Promise<number> {
  let read = 0;
  let written: Batch[] = [];
  for await (const batch of readAhead(batches, { budget: run.context.budget, depth: READ_AHEAD, signal: run.signals.stop })) {
    const fromMs = run.context.now();
    if (batch.stream !== null) await writeBatch(run, batch);
    else if (isIdle(run)) {
      await retryWaiting(run);
      continue;
    }
    read += batch.records.count;
    if (batch.records.release !== undefined) written.push(batch);
    if (batch.cursor !== null || run.eager) {
      await commitFeed(run, batch.cursor, batch.position);
      for (const { records } of written) records.release?.();
      written = [];
    }
    adaptSize(run, batch, run.context.now() - fromMs);
    if (batch.cursor !== null) report(run, batch);
    if (batch.cursor !== null && run.following) measureDelay(run, batch);
    await retryWaiting(run);
  }
  if (run.uncommitted?.length !== 0) await endUncommitted(run);
  return read;
}

/** What a slow target takes too long for comes in smaller batches. */
function adaptSize({ batchSize, context, feed }: FeedRun, { records, stream }: Batch, ms: number): void {
  if (stream === null || !batchSize.wrote({ rows: records.count, bytes: records.bytes }, ms)) return;
  const { rows, bytes } = batchSize;
  context.log.debug({ job: context.job.name, feed: feed.id, rows, bytes, ms }, 'batches have another size from now on');
}

/** A feed that ended between two places to resume from: stopped, its tail is read again; drained, its rows are kept and read again as well. */
async function endUncommitted(run: FeedRun): Promise<void> {
  if (!run.signals.stop.aborted) return commitFeed(run, null, run.checkpoint.position);
  run.book.discard(run.pending);
  for (const stream of run.streams.values()) stream.tally.discard();
  await run.lane.discard();
}

/** Whether progress without records comes too soon after the last such checkpoint. The end of a drain always counts. */
function isIdle(run: FeedRun): boolean {
  if (!run.following || run.uncommitted?.length !== 0) return false;
  const now = run.context.now();
  if (now - run.idleCommitAt < IDLE_COMMIT_MS) return true;
  run.idleCommitAt = now;
  return false;
}

/** How often delays are told, at most (ms). */
const DELAYS_MS = 5_000;

function measureDelay(run: FeedRun, { committedMs }: Batch): void {
  if (committedMs === undefined) return;
  const now = run.context.now();
  run.delays.add(now - committedMs);
  if (now - run.delaysToldAt < DELAYS_MS) return;
  run.delaysToldAt = now;
  const delays = run.delays.report();
  if (delays !== null) run.context.onEvent({ kind: 'delays', job: run.context.job.name, delays });
}

function report(run: FeedRun, { stream }: Batch): void {
  if (stream === null) return;
  const of = run.streams.get(stream);
  if (of === undefined) return;
  const { read, bytes } = of.tally.counts();
  const estimate = of.planned.sourcePlan.rowEstimate;
  const phase = run.feed.kind === 'backfill' ? 'backfill' : 'changes';
  run.context.onEvent({
    kind: 'progress',
    job: run.context.job.name,
    stream,
    phase,
    rows: read,
    bytes,
    ...(estimate === undefined ? {} : { rowEstimate: estimate }),
  });
}
