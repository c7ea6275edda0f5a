import PQueue from 'p-queue';
import { TrueupError } from '../errors.ts';
import type { Owner } from '../model/checkpoint.ts';
import { keepLease } from '../state/lease.ts';
import { LEASE_MS, acquireLease } from './acquire-lease.ts';
import { applyPlan, refuseProblems } from './plan/apply-plan.ts';
import { createDelays } from './report/delays.ts';
import { embedFeeds } from './embed/embed-ref.ts';
import { checkpointMode, checkpointStore } from './job-context.ts';
import type { JobContext, RunSignals } from './job-context.ts';
import { jobReport } from './report/job-report.ts';
import type { Group, JobRun, StreamState } from './job-run.ts';
import { createLetterBook } from './letters/letter-book.ts';
import { planJob } from './plan/plan.ts';
import type { JobPlan } from './plan/plan.ts';
import type { JobReport } from './report/report.ts';
import type { ResumeOptions } from './resume.ts';
import { runGroups } from './run-groups.ts';
import { createTally } from './report/tally.ts';
import { withRetries } from './with-retries.ts';

export interface JobRequest {
  readonly run: string;
  readonly signals: RunSignals;
  /** Names of streams; empty: all of the job. */
  readonly streams: readonly string[];
  readonly follow: boolean;
  readonly resume: ResumeOptions;
  /** What to do once the job is owned, planned and resumed; absent: bring every group up to date. */
  readonly work?: (run: JobRun, groups: readonly Group[]) => Promise<void>;
}

/** Runs a job once and says what became of it. Faults are in the report; only a bug of the report itself is thrown. */
export async function runJob(context: JobContext, request: JobRequest): Promise<JobReport> {
  const { job } = context;
  context.onEvent({ kind: 'job-started', job: job.name, run: request.run });
  let owner: Owner | null = null;
  let run: JobRun | null = null;
  let plan: JobPlan | null = null;
  let failure: unknown = null;
  const lost = new AbortController();
  const signals = withSignal(request.signals, lost.signal);
  try {
    plan = await withRetries(context, signals, async () => {
      context.target.connectAhead?.(signals.abort);
      return planJob(context, signals.abort, await streamsToPlan(context, request, signals.abort));
    });
    refuseUnknown(context, plan, request.streams);
    refuseProblems(plan);
    owner = await withRetries(context, signals, () => acquireLease(context, request.run, signals.abort));
    const lease = holdLease(context, owner, lost);
    try {
      run = await own(context, { plan, owner, signals, request });
      await runOwned(context, { run, plan, request, lost });
    } finally {
      await lease.release();
    }
  } catch (error) {
    failure = lost.signal.aborted ? lost.signal.reason : error;
  }
  const report = jobReport(context, {
    run,
    plan,
    owner,
    failure: failure ?? (lost.signal.aborted ? lost.signal.reason : null),
    signals: request.signals,
  });
  context.onEvent({ kind: 'job-ended', job: job.name, status: report.status, exitCode: report.exitCode, report });
  return report;
}

/**
 * A log is read for all of its streams at once: what it delivers of one while the others are left out would be lost to them. `undefined`: all streams of the job.
 */
async function streamsToPlan(context: JobContext, { streams }: JobRequest, signal: AbortSignal): Promise<readonly string[] | undefined> {
  if (streams.length === 0) return undefined;
  const all = await checkpointStore(context).list(context.job.name, signal);
  const shared = all.filter(({ feed }) => feed.kind === 'changes' && feed.streams.some((name) => streams.includes(name)));
  return [...new Set([...streams, ...shared.flatMap(({ feed }) => feed.streams)])];
}

interface Owned {
  readonly run: JobRun;
  readonly plan: JobPlan;
  readonly request: JobRequest;
  readonly lost: AbortController;
}

async function runOwned(context: JobContext, { run, plan, request, lost }: Owned): Promise<void> {
  await withRetries(context, run.signals, () => applyPlan(context, plan, run.signals.abort));
  const groups = groupsOf(context, run);
  if (request.work !== undefined) await request.work(run, groups);
  else await runGroups(run, groups, request.resume, (error) => lost.abort(error));
}

/** Keeps the lease until it is given back. @param lost aborted when another run takes it */
function holdLease(context: JobContext, owner: Owner, lost: AbortController): { release(): Promise<void> } {
  const store = checkpointStore(context);
  const ended = new AbortController();
  const kept = keepLease(store, owner, { ttlMs: LEASE_MS, onLost: (error) => lost.abort(error), signal: ended.signal });
  return {
    async release() {
      ended.abort();
      await kept;
      // A lease that cannot be given back runs out by itself.
      await store
        .release(owner, AbortSignal.timeout(5_000))
        .catch((error: unknown) => context.log.warn({ job: context.job.name, err: String(error) }, 'the lease could not be released'));
    },
  };
}

async function own(context: JobContext, it: { plan: JobPlan; owner: Owner; signals: RunSignals; request: JobRequest }): Promise<JobRun> {
  const { job } = context;
  const store = checkpointStore(context);
  const letters = await withRetries(context, it.signals, () => store.letters({ job: job.name }, it.signals.abort));
  return {
    context,
    owner: it.owner,
    store,
    atomic: checkpointMode(context) === 'atomic',
    book: createLetterBook(job, it.request.run, letters, () => context.now()),
    signals: it.signals,
    streams: new Map(it.plan.streams.map((planned) => [planned.name, newState(planned)])),
    slots: new PQueue({ concurrency: job.concurrency }),
    follow: it.request.follow,
    delays: createDelays(),
    only: it.request.streams,
  };
}

function newState(planned: JobPlan['streams'][number]): StreamState {
  return {
    planned,
    tally: createTally(planned.children),
    phases: new Set(),
    fresh: [planned, ...planned.children].every(({ targetPlan }) => targetPlan.creates),
    status: 'waiting',
    retries: 0,
    caughtUp: false,
    readFromMs: null,
    before: null,
    after: null,
    surplus: null,
    compared: null,
    heldBack: null,
    error: null,
  };
}

function groupsOf(context: JobContext, run: JobRun): Group[] {
  const states = [...run.streams.values()];
  return context.source.feeds(states.map(({ planned }) => planned.ref)).map((feed) => {
    const streams = states.filter(({ planned }) => feed.streams.includes(planned.name));
    const changes = Object.fromEntries(streams.map(({ planned }) => [planned.name, planned.ref.changes]));
    return { feed: { ...feed, changes }, embeds: streams.flatMap(({ planned }) => embedFeeds(planned.ref)), streams };
  });
}

function refuseUnknown(context: JobContext, plan: JobPlan, streams: readonly string[]): void {
  const unknown = streams.filter((name) => !plan.streams.some((stream) => stream.name === name));
  if (unknown.length === 0 || plan.problems.some((problem) => problem.severity === 'error')) return;
  throw new TrueupError('E_STREAM_UNKNOWN', `job '${context.job.name}' has no stream ${unknown.map((name) => `'${name}'`).join(', ')}`);
}

function withSignal(signals: RunSignals, also: AbortSignal): RunSignals {
  return { stop: AbortSignal.any([signals.stop, signals.abort, also]), abort: AbortSignal.any([signals.abort, also]) };
}
