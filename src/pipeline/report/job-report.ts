import { faultOf, isTrueupError } from '../../errors.ts';
import type { Owner } from '../../model/checkpoint.ts';
import { combineExitCodes, exitCodeOf, statusOf } from './exit-code.ts';
import { checkpointMode } from '../job-context.ts';
import type { JobContext, RunSignals } from '../job-context.ts';
import type { JobRun, StreamState } from '../job-run.ts';
import type { JobPlan } from '../plan/plan.ts';
import type { JobReport, ReportedError, StreamReport } from './report.ts';
import { stopExitCode } from '../stop.ts';

/** Exit codes of a run that may have done nothing of what its plan promises: 2, 5, 7 before it began, 1 and 70 in the middle of it, 6 for another run. */
const UNKEPT: ReadonlySet<number> = new Set([1, 2, 5, 6, 7, 70]);

export interface JobEnd {
  readonly run: JobRun | null;
  readonly plan: JobPlan | null;
  readonly owner: Owner | null;
  /** What ended the job as a whole; `null`: each stream has its own end. */
  readonly failure: unknown;
  readonly signals: RunSignals;
}

export function jobReport(context: JobContext, end: JobEnd): JobReport {
  const { run, plan, owner, failure, signals } = end;
  const states = [...(run?.streams.values() ?? [])];
  const stopped = signals.stop.aborted || signals.abort.aborted;
  const codes = states.flatMap(({ status, error }) =>
    error !== null && (status === 'failed' || faultOf(error) === 'skipped') ? [exitCodeOf(error)] : [],
  );
  const skipped = faultOf(failure) === 'skipped' || states.some(({ error }) => error !== null && faultOf(error) === 'skipped');
  if (failure !== null) codes.push(exitCodeOfEnd(failure, signals));
  if (stopped) codes.push(stopExitCode(signals.stop.aborted ? signals.stop : signals.abort));
  if ((run?.book.newLetters() ?? 0) > 0) codes.push(3);
  const exitCode = combineExitCodes(codes);
  const delays = run?.delays.report() ?? null;
  return {
    job: context.job.name,
    ...(owner === null ? {} : { epoch: owner.epoch }),
    status: exitCode === 0 && stopped ? 'stopped' : statusOf(exitCode),
    exitCode,
    checkpoints: checkpointMode(context),
    ...(plan === null || plan.guarantee === null || skipped || UNKEPT.has(exitCode) ? {} : { guarantee: plan.guarantee }),
    streams: states.map((stream) => streamReport(context, stream, stopped)),
    ...(delays === null ? {} : { delays }),
    ...(run === null ? {} : { openLetters: run.book.openLetters() }),
    ...(failure === null || isStop(failure, signals) ? {} : { error: reportedError(failure) }),
  };
}

function isStop(failure: unknown, { stop, abort }: RunSignals): boolean {
  return (stop.aborted && failure === stop.reason) || (abort.aborted && failure === abort.reason);
}

function exitCodeOfEnd(failure: unknown, signals: RunSignals): number {
  return isStop(failure, signals) ? stopExitCode(signals.stop) : exitCodeOf(failure);
}

function streamReport(context: JobContext, stream: StreamState, stopped: boolean): StreamReport {
  const { planned, tally, phases } = stream;
  const children = tally.children();
  const phase = phases.size === 2 ? 'both' : [...phases][0];
  const position = {
    ...(stream.before === null ? {} : { before: stream.before }),
    ...(stream.after === null ? {} : { after: stream.after }),
  };
  return {
    stream: planned.name,
    target: planned.target.target,
    status: stream.status === 'waiting' ? (stopped ? 'stopped' : 'skipped') : stream.status,
    ...(phase === undefined ? {} : { phase }),
    form: planned.form,
    ...tally.counts(),
    ...(children === undefined ? {} : { children }),
    retries: stream.retries,
    conversions: tally.conversions(),
    caughtUp: stream.caughtUp,
    // Whatever was committed before the last complete read began is in the target.
    ...(stream.readFromMs === null ? {} : { lagMs: Math.max(0, context.now() - stream.readFromMs) }),
    ...(Object.keys(position).length === 0 ? {} : { position }),
    ...(stream.compared === null ? {} : { compared: stream.compared }),
    ...(stream.heldBack === null ? {} : { heldBack: stream.heldBack }),
    ...(stream.error === null ? {} : { error: reportedError(stream.error) }),
  };
}

export function reportedError(error: unknown): ReportedError {
  if (!isTrueupError(error)) return { code: 'E_BUG', message: error instanceof Error ? error.message : String(error) };
  const { hint, statements } = error.details;
  return {
    code: error.code,
    message: error.message,
    ...(hint === undefined ? {} : { hint }),
    ...(statements === undefined ? {} : { statements }),
  };
}
