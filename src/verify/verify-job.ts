import { TrueupError } from '../errors.ts';
import { combineExitCodes, exitCodeOf } from '../pipeline/report/exit-code.ts';
import { UNSAID_LIMIT, isTooMany, shareText } from '../pipeline/compare/delete-share.ts';
import type { ChildTable } from '../pipeline/plan/child-tables.ts';
import { checkpointStore } from '../pipeline/job-context.ts';
import type { JobContext, RunSignals } from '../pipeline/job-context.ts';
import { reportedError } from '../pipeline/report/job-report.ts';
import { planErrors, planJob } from '../pipeline/plan/plan.ts';
import type { JobPlan, PlannedStream } from '../pipeline/plan/plan.ts';
import { planExitCode } from '../pipeline/plan/plan-job-report.ts';
import { stopExitCode } from '../pipeline/stop.ts';
import { withRetries } from '../pipeline/with-retries.ts';
import { compareProgress } from './compare-progress.ts';
import { planAgain, withStreams } from './plan-again.ts';
import { repairStreams } from './repair.ts';
import { secondLook } from './second-look.ts';
import type { StreamVerifyReport, VerifyReport } from './verify-report.ts';
import { verifyStream } from './verify-stream.ts';
import type { StreamFindings } from './verify-stream.ts';

export interface VerifyRequest {
  readonly context: JobContext;
  readonly run: string;
  readonly signals: RunSignals;
  /** Names of streams; empty: all of the job. */
  readonly streams: readonly string[];
  readonly repair: boolean;
  readonly maxRepair: number | null;
  readonly values: boolean;
  /** Compare only what the source changed in this time before now (ms). */
  readonly sinceMs: number | null;
  /** In (0, 1]. */
  readonly sampleShare: number;
  /** For tests: how many differences are looked at one by one, and the pause between two looks (ms). */
  readonly maxDifferences?: number;
  readonly pauseMs?: number;
}

/** What has come together so far; the report is made of it whatever happens. */
interface Verifying {
  readonly request: VerifyRequest;
  readonly startedAt: number;
  plan: JobPlan | null;
  readonly streams: StreamVerifyReport[];
  readonly compared: StreamFindings[];
  readonly codes: number[];
  repaired: boolean;
  error: unknown;
}

/**
 * Compares the streams of a job and repairs what differs if that is asked for. Comparing takes no lease: it works while a run goes on. Faults are in the
 * report; only a bug of the report itself is thrown.
 */
export async function verifyJob(request: VerifyRequest): Promise<VerifyReport> {
  const { context } = request;
  const verifying: Verifying = {
    request,
    startedAt: context.now(),
    plan: null,
    streams: [],
    compared: [],
    codes: [],
    repaired: false,
    error: null,
  };
  try {
    await compareAll(verifying);
    if (request.repair && verifying.codes.length === 0) await repairAll(verifying);
  } catch (error) {
    verifying.error = error;
  }
  return reportOf(verifying);
}

async function compareAll(verifying: Verifying): Promise<void> {
  const { request } = verifying;
  const { context, signals, streams } = request;
  const signal = AbortSignal.any([signals.stop, signals.abort]);
  // A log has to be read with all of its streams; everything else is planned only as far as it is asked for.
  const only = streams.length > 0 && context.source.undelivered !== undefined ? streams : undefined;
  const plan = await withRetries(context, signals, () => planJob(context, signal, only));
  verifying.plan = plan;
  if (planErrors(plan).length > 0) return;
  const chosen = chooseStreams(context, plan, streams);
  const checkpoints = await checkpointStore(context).list(context.job.name, signal);
  for (const planned of chosen) {
    if (signal.aborted) return;
    const loaded = checkpoints.some(({ feed }) => feed.streams.includes(planned.name));
    await compareOne(verifying, { planned }, signal, loaded);
    for (const child of planned.children) if (!signal.aborted) await compareOne(verifying, { planned, child }, signal, loaded);
  }
}

interface Compared {
  readonly planned: PlannedStream;
  readonly child?: ChildTable;
}

async function compareOne(verifying: Verifying, { planned, child }: Compared, signal: AbortSignal, loaded: boolean): Promise<void> {
  const { request, startedAt } = verifying;
  const { context, signals } = request;
  try {
    const compareAs = (now: PlannedStream): Promise<StreamFindings> =>
      verifyStream({
        context,
        planned: now,
        ...childNow(now, child),
        together: togetherWith(verifying.plan as JobPlan, context, now),
        signal,
        sampleShare: request.sampleShare,
        sinceMs: request.sinceMs === null ? null : startedAt - request.sinceMs,
        values: request.values,
        ...compareProgress(context, now),
        ...(request.maxDifferences === undefined ? {} : { maxDifferences: request.maxDifferences }),
        ...(request.pauseMs === undefined ? {} : { pauseMs: request.pauseMs }),
      });
    const onPlan = (plan: JobPlan): void => void (verifying.plan = withStreams(verifying.plan as JobPlan, plan));
    const found = await planAgain({ context, planned, signal, onPlan }, (now) =>
      withRetries(context, signals, () => compareAs(now), planned.name),
    );
    verifying.compared.push(found);
    verifying.streams.push(loaded ? found.report : { ...found.report, note: neverLoaded(context) });
    context.onEvent({ kind: 'stream-ended', job: context.job.name, stream: planned.name, status: 'succeeded' });
  } catch (error) {
    if (signal.aborted) throw error;
    verifying.codes.push(exitCodeOf(error));
    verifying.streams.push(failedStream({ planned, ...(child === undefined ? {} : { child }) }, error));
    context.onEvent({ kind: 'stream-ended', job: context.job.name, stream: planned.name, status: 'failed' });
  }
}

/** The same child table in a plan that was made again. */
function childNow({ children }: PlannedStream, child: ChildTable | undefined): Pick<Compared, 'child'> {
  const found = children.find(({ target }) => target.stream === child?.target.stream);
  return found === undefined ? {} : { child: found };
}

function neverLoaded({ job }: JobContext): string {
  return `never loaded: \`trueup run ${job.name}\` loads it`;
}

/** @throws {TrueupError} `E_STREAM_UNKNOWN` */
function chooseStreams({ job }: JobContext, plan: JobPlan, names: readonly string[]): readonly PlannedStream[] {
  const unknown = names.filter((name) => !plan.streams.some((stream) => stream.name === name));
  if (unknown.length > 0)
    throw new TrueupError('E_STREAM_UNKNOWN', `job '${job.name}' has no stream ${unknown.map((name) => `'${name}'`).join(', ')}`);
  return names.length === 0 ? plan.streams : plan.streams.filter((stream) => names.includes(stream.name));
}

function togetherWith(plan: JobPlan, { source }: JobContext, planned: PlannedStream): PlannedStream[] {
  const feed = source.feeds(plan.streams.map(({ ref }) => ref)).find(({ streams }) => streams.includes(planned.name));
  return plan.streams.filter(({ name }) => name === planned.name || feed?.streams.includes(name) === true);
}

function failedStream({ planned, child }: Compared, error: unknown): StreamVerifyReport {
  return {
    stream: planned.name,
    target: (child ?? planned).target.target,
    by: 'records',
    compared: { source: 0, target: 0 },
    missing: 0,
    extra: 0,
    different: 0,
    explained: { deadLettered: 0, filtered: 0, pending: 0, kept: 0 },
    repaired: 0,
    samples: [],
    error: reportedError(error),
  };
}

async function repairAll(verifying: Verifying): Promise<void> {
  const { request, compared } = verifying;
  const { context, run, signals, maxRepair } = request;
  const differing = compared.filter(({ findings }) => findings.length > 0);
  const count = differing.reduce((sum, { findings }) => sum + findings.length, 0);
  if (count === 0 || signals.stop.aborted) return;
  if (maxRepair !== null && count > maxRepair) {
    const more = differing.some(({ report }) => report.truncated === true) ? 'more than ' : '';
    throw new TrueupError('E_REPAIR', `${more}${count} records differ, more than --max-repair ${maxRepair} allows. Nothing was repaired`, {
      hint: 'Look at the samples, and with `trueup why` at single records; raise --max-repair when they are to be written again.',
    });
  }
  if (maxRepair === null) for (const found of differing) refuseTooManyDeletes(found);
  const report = await repairStreams({ context, run, signals, streams: differing });
  if (report.error !== undefined) throw new TrueupError(report.error.code, report.error.message, hintOf(report.error.hint));
  for (const { stream, error } of report.streams) {
    if (error === undefined) continue;
    const at = verifying.streams.findIndex((one) => one.stream === stream);
    verifying.streams[at] = { ...(verifying.streams[at] as StreamVerifyReport), error };
    verifying.codes.push(exitCodeOf(new TrueupError(error.code, error.message)));
  }
  if (signals.stop.aborted) return;
  for (const found of differing) {
    const at = verifying.streams.findIndex((one) => one.stream === found.report.stream && one.target === found.report.target);
    const left = await secondLook(found, request.pauseMs);
    verifying.streams[at] = { ...(verifying.streams[at] as StreamVerifyReport), repaired: found.findings.length - left };
  }
  verifying.repaired = true;
}

/** Nobody said how much a repair may do: then it deletes no more than a comparison in a run would. */
function refuseTooManyDeletes({ report, work: { planned } }: StreamFindings): void {
  const limit = planned.compare ?? UNSAID_LIMIT;
  const { compared, stream, target, extra } = report;
  if (extra === 0 || !isTooMany(extra, compared, limit)) return;
  throw new TrueupError(
    'E_REPAIR',
    `stream '${stream}': ${extra} of ${compared.target} records of target '${target}' are not in the source (${shareText(extra, compared.target)}), and a repair deletes at most ${limit.maxShare * 100} % unless it is told how many. Nothing was repaired`,
    { hint: 'Check that the source is whole, and shows this user every row; say --max-repair N when the deletes are meant.' },
  );
}

function hintOf(hint: string | undefined): { readonly hint?: string } {
  return hint === undefined ? {} : { hint };
}

function reportOf(verifying: Verifying): VerifyReport {
  const { request, plan, streams, startedAt } = verifying;
  const { context, signals } = request;
  const endedAt = context.now();
  const errors = plan === null ? [] : planErrors(plan);
  const problems = plan === null ? [] : [...plan.problems, ...plan.streams.flatMap((stream) => stream.problems)];
  const stopped = signals.stop.aborted || signals.abort.aborted;
  const codes = [...verifying.codes];
  if (plan !== null && errors.length > 0) codes.push(planExitCode(plan));
  if (stopped) codes.push(stopExitCode(signals.stop.aborted ? signals.stop : signals.abort));
  else if (verifying.error !== null) codes.push(isRepairLimit(verifying.error) ? 4 : exitCodeOf(verifying.error));
  const open = streams.filter((stream) => differencesLeft(stream) > 0 || stream.truncated === true);
  if (open.length > 0) codes.push(4);
  const [problem] = errors;
  const exitCode = combineExitCodes(codes);
  return {
    command: 'verify',
    run: request.run,
    job: context.job.name,
    consistent: exitCode === 0 && !stopped,
    exitCode,
    startedAt: new Date(startedAt).toISOString(),
    endedAt: new Date(endedAt).toISOString(),
    durationMs: endedAt - startedAt,
    ...(request.sinceMs === null ? {} : { since: new Date(startedAt - request.sinceMs).toISOString() }),
    ...(request.sampleShare === 1 ? {} : { sampleShare: request.sampleShare }),
    streams,
    ...(problems.length === 0 ? {} : { problems }),
    ...(verifying.error !== null && !stopped ? { error: reportedError(verifying.error) } : {}),
    ...(verifying.error === null && problem !== undefined ? { error: { code: problem.code, message: problem.message } } : {}),
  };
}

function isRepairLimit(error: unknown): boolean {
  return error instanceof TrueupError && error.code === 'E_REPAIR';
}

/** Before a repair nothing is repaired, so this is what was found. */
function differencesLeft({ missing, extra, different, repaired }: StreamVerifyReport): number {
  return missing + extra + different - repaired;
}
