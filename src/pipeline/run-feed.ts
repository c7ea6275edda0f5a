import { TrueupError, faultOf } from '../errors.ts';
import { compileMapping } from '../mapping/compile.ts';
import { compileUnwind } from '../mapping/compile-unwind.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import type { Feed } from '../model/feed.ts';
import { delay, retryDecision } from '../resilience/retry.ts';
import { applyPlan, refuseProblems } from './plan/apply-plan.ts';
import { followingBatchSize } from './read/batch-size.ts';
import { ShapeChanged } from './feed-run.ts';
import type { FeedRun, StreamRun } from './feed-run.ts';
import type { RunSignals } from './job-context.ts';
import type { JobRun, StreamState } from './job-run.ts';
import { lateLane } from './write/late-lane.ts';
import { noLetters } from './letters/letter-book.ts';
import { planJob } from './plan/plan.ts';
import { noteTriedOut, retryCause } from './with-retries.ts';
import { isRecordFault } from './write/write-apart.ts';

/** Times that a stream is planned again without any progress in between. */
const MAX_REPLANS = 2;

export interface FeedWork {
  readonly feed: Feed;
  readonly streams: readonly StreamState[];
  readonly following: boolean;
  /** A part of the load that a stream begins with. */
  readonly firstLoad?: boolean;
  readonly signals: RunSignals;
}

interface Attempts {
  /** Failures since the last progress. */
  failed: number;
  replans: number;
  mustReplan: boolean;
  eager: boolean;
}

/**
 * Runs `body` on a feed with a lane of its own, and again from the last checkpoint as long as its faults pass by themselves. The one place where
 * feeds are retried. Once a fault remains, it is thrown.
 */
export async function withFeed<T>(job: JobRun, work: FeedWork, body: (run: FeedRun) => Promise<T>): Promise<T> {
  const attempts: Attempts = { failed: 0, replans: 0, mustReplan: false, eager: false };
  for (;;) {
    let run: FeedRun | null = null;
    // One that follows mostly waits, and for ever: it takes no place from the others.
    const leave = work.following ? null : await job.context.enterFeed(work.signals.stop);
    try {
      if (attempts.mustReplan) await replan(job, work);
      attempts.mustReplan = false;
      run = await openFeed(job, work, attempts.eager);
      return await body(run);
    } catch (error) {
      for (const stream of work.streams) stream.tally.discard();
      if (run !== null) job.book.discard(run.pending);
      if (run?.progressed === true) Object.assign(attempts, { failed: 0, replans: 0 });
      // While it waits to try again it holds neither a connection nor a place.
      await closeLane(job, run);
      run = null;
      leave?.();
      await recover(job, work, error, attempts);
    } finally {
      await closeLane(job, run);
      leave?.();
    }
  }
}

/** What was committed is durable, whatever becomes of the connection that wrote it. */
async function closeLane({ context }: JobRun, run: FeedRun | null): Promise<void> {
  await run?.lane.close().catch((error: unknown) => {
    context.log.warn({ job: context.job.name, feed: run.feed.id, err: String(error) }, 'the lane could not be closed');
  });
}

async function openFeed(job: JobRun, work: FeedWork, eager: boolean): Promise<FeedRun> {
  const { context, owner, book, atomic } = job;
  const checkpoint = await storedCheckpoint(job, work.feed);
  const streams = work.streams.flatMap(({ planned }) => [planned.target, ...planned.children.map(({ target }) => target)]);
  const lane = lateLane({
    open: () => context.target.openLane({ owner, streams, checkpoints: atomic }, work.signals.abort),
    // Without a common transaction whoever commits saves them, after the rows.
    save: (what, signal) => (atomic ? job.store.save(owner, what, signal) : Promise.resolve(0)),
  });
  return {
    context,
    owner,
    feed: work.feed,
    checkpoint,
    streams: new Map(work.streams.map((stream) => [stream.planned.name, streamRun(job, stream)])),
    lane,
    atomic,
    book,
    pending: noLetters(),
    signals: work.signals,
    exits: work.feed.kind !== 'backfill' || work.streams.some((stream) => !stream.fresh),
    fresh: work.firstLoad ?? false,
    eager,
    uncommitted: [],
    batchSize: followingBatchSize(context.job.batch),
    feedsAtOnce: () => job.slots.pending,
    following: work.following,
    delays: job.delays,
    delaysToldAt: 0,
    progressed: false,
    idleCommitAt: 0,
    lettersTriedAt: context.now(),
  };
}

function streamRun(job: JobRun, { planned, tally }: StreamState): StreamRun {
  const { shape } = planned.sourcePlan;
  const secrets = (text: string): string => job.context.secrets(text);
  const unwinder = planned.children.length === 0 ? null : compileUnwind(planned.mapping, shape, secrets);
  return { planned, tally, shape, mapper: compileMapping(planned.mapping, shape, secrets), unwinder };
}

async function storedCheckpoint(job: JobRun, feed: Feed): Promise<Checkpoint> {
  const all = await job.store.list(job.context.job.name, job.signals.abort);
  const found = all.find((checkpoint) => checkpoint.feed.id === feed.id);
  if (found === undefined)
    throw new TrueupError(
      'E_FENCED',
      `job '${job.context.job.name}': the checkpoint of feed '${feed.id}' was dropped while the run went on`,
    );
  return found;
}

function mustReplan(error: unknown): boolean {
  return error instanceof ShapeChanged || faultOf(error) === 'plan';
}

/** Returns when the feed is to be tried again; throws what cannot be mended by that. */
async function recover(job: JobRun, work: FeedWork, error: unknown, attempts: Attempts): Promise<void> {
  const { stop, abort } = work.signals;
  // What planning again would mend is left to the next run.
  if (stop.aborted || abort.aborted) throw mustReplan(error) ? (stop.aborted ? stop : abort).reason : error;
  if (mustReplan(error)) {
    attempts.replans += 1;
    if (attempts.replans > MAX_REPLANS)
      throw error instanceof ShapeChanged
        ? new TrueupError('E_PLAN_CHANGED', `${error.message} again and again while the run tried to follow`)
        : error;
    attempts.mustReplan = true;
    return;
  }
  if (isRecordFault(error) && !attempts.eager) {
    attempts.eager = true;
    return;
  }
  attempts.failed += 1;
  const { context } = job;
  const decision = retryDecision(error, attempts.failed, context.job.retries, context.random());
  if (decision.kind === 'stop') {
    noteTriedOut(error);
    throw error;
  }
  for (const stream of work.streams) {
    stream.retries += 1;
    context.onEvent({
      kind: 'retry',
      job: context.job.name,
      stream: stream.planned.name,
      attempt: attempts.failed,
      delayMs: decision.delayMs,
      ...retryCause(error),
    });
  }
  await delay(decision.delayMs, work.signals.stop);
}

/** Plans the feed's streams anew: fields were added, dropped or retyped. The drift policy decides, in the target's plan. */
async function replan(job: JobRun, work: FeedWork): Promise<void> {
  const names = work.streams.map((stream) => stream.planned.name);
  const plan = await planJob(job.context, work.signals.abort, names);
  refuseProblems(plan);
  for (const stream of work.streams) {
    const planned = plan.streams.find((one) => one.name === stream.planned.name);
    if (planned === undefined) throw new TrueupError('E_STREAM_UNKNOWN', `stream '${stream.planned.name}' is no longer in the source`);
    const [lost] = [planned, ...planned.children].filter(({ targetPlan }) => targetPlan.creates);
    if (lost !== undefined)
      throw new TrueupError(
        'E_TARGET_LOST',
        `stream '${planned.name}': target '${lost.target.target}' is gone while its checkpoint says that records were written to it`,
      );
    stream.planned = planned;
  }
  await applyPlan(job.context, plan, work.signals.abort);
}
