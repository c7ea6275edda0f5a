import PQueue from 'p-queue';
import { TrueupError, isTrueupError } from '../errors.ts';
import type { Owner } from '../model/checkpoint.ts';
import { delay, retryDecision } from '../resilience/retry.ts';
import { keepLease } from '../state/lease.ts';
import { LEASE_MS, acquireLease } from './acquire-lease.ts';
import { applyPlan, refuseProblems } from './apply-plan.ts';
import { checkpointMode, checkpointStore } from './job-context.ts';
import type { JobContext, RunSignals } from './job-context.ts';
import { jobReport } from './job-report.ts';
import type { Group, JobRun, StreamState } from './job-run.ts';
import { createLetterBook } from './letter-book.ts';
import { planJob } from './plan.ts';
import type { JobPlan } from './plan.ts';
import type { JobReport } from './report.ts';
import type { ResumeOptions } from './resume.ts';
import { runGroups } from './run-groups.ts';
import { createTally } from './tally.ts';

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
    plan = await startWithRetries(context, signals, () =>
      planJob(context, signals.abort, request.streams.length === 0 ? undefined : request.streams),
    );
    refuseUnknown(context, plan, request.streams);
    refuseProblems(plan);
    owner = await startWithRetries(context, signals, () => acquireLease(context, request.run, signals.abort));
    run = await own(context, { plan, owner, signals, request, lost });
    await runOwned(context, { run, plan, request, lost });
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

interface Owned {
  readonly run: JobRun;
  readonly plan: JobPlan;
  readonly request: JobRequest;
  readonly lost: AbortController;
}

async function runOwned(context: JobContext, { run, plan, request, lost }: Owned): Promise<void> {
  const { store, owner } = run;
  const ended = new AbortController();
  const lease = keepLease(store, owner, { ttlMs: LEASE_MS, onLost: (error) => lost.abort(error), signal: ended.signal });
  try {
    await startWithRetries(context, run.signals, () => applyPlan(context, plan, run.signals.abort));
    const groups = groupsOf(context, run);
    if (request.work !== undefined) await request.work(run, groups);
    else await runGroups(run, groups, request.resume, (error) => lost.abort(error));
  } finally {
    ended.abort();
    await lease;
    // A lease that cannot be given back runs out by itself.
    await store
      .release(owner, AbortSignal.timeout(5_000))
      .catch((error: unknown) => context.log.warn({ job: context.job.name, err: String(error) }, 'the lease could not be released'));
  }
}

async function own(
  context: JobContext,
  it: { plan: JobPlan; owner: Owner; signals: RunSignals; request: JobRequest; lost: AbortController },
): Promise<JobRun> {
  const { job } = context;
  const store = checkpointStore(context);
  const letters = await store.letters({ job: job.name }, it.signals.abort);
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
  };
}

function newState(planned: JobPlan['streams'][number]): StreamState {
  return {
    planned,
    tally: createTally(),
    phases: new Set(),
    fresh: planned.targetPlan.creates,
    status: 'waiting',
    retries: 0,
    caughtUp: false,
    readFromMs: null,
    before: null,
    after: null,
    heldBack: null,
    error: null,
  };
}

function groupsOf(context: JobContext, run: JobRun): Group[] {
  const states = [...run.streams.values()];
  return context.source
    .feeds(states.map(({ planned }) => planned.ref))
    .map((feed) => ({ feed, streams: states.filter(({ planned }) => feed.streams.includes(planned.name)) }));
}

function refuseUnknown(context: JobContext, plan: JobPlan, streams: readonly string[]): void {
  const unknown = streams.filter((name) => !plan.streams.some((stream) => stream.name === name));
  if (unknown.length === 0 || plan.problems.some((problem) => problem.severity === 'error')) return;
  throw new TrueupError('E_STREAM_UNKNOWN', `job '${context.job.name}' has no stream ${unknown.map((name) => `'${name}'`).join(', ')}`);
}

/** The start is bounded by the job's retries as well: nobody waits for ever for a server that is not there. */
async function startWithRetries<T>(context: JobContext, signals: RunSignals, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (signals.stop.aborted) throw error;
      const decision = retryDecision(error, attempt, context.job.retries, context.random());
      if (decision.kind === 'stop') throw error;
      const told = isTrueupError(error) ? { code: error.code, message: error.message } : { code: 'E_BUG', message: String(error) };
      context.onEvent({ kind: 'retry', job: context.job.name, stream: '', attempt, delayMs: decision.delayMs, ...told });
      await delay(decision.delayMs, signals.stop);
    }
  }
}

function withSignal(signals: RunSignals, also: AbortSignal): RunSignals {
  return { stop: AbortSignal.any([signals.stop, signals.abort, also]), abort: AbortSignal.any([signals.abort, also]) };
}
