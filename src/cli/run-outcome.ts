import { combineExitCodes } from '../pipeline/exit-code.ts';
import type { JobReport, RunReport } from '../pipeline/report.ts';
import type { Outcome } from './outcome.ts';
import { runText } from './render/run.ts';
import { signalExitCode } from './signal-watch.ts';
import type { SignalWatch } from './signal-watch.ts';

/** Prints a report under the name of the command that was typed. The engine knows that it was stopped, only the command line knows by which signal. */
export function runOutcome(command: RunReport['command'], report: RunReport, signals: Pick<SignalWatch, 'received'>): Outcome {
  const told = { ...withSignal(report, signals), command };
  return { exitCode: told.exitCode, document: { ...told }, text: (view) => runText(told, view) };
}

function withSignal(report: RunReport, signals: Pick<SignalWatch, 'received'>): RunReport {
  const signal = signals.received();
  if (signal === null) return report;
  const code = signalExitCode(signal);
  const jobs = report.jobs.map((job): JobReport => (job.status === 'stopped' ? { ...job, exitCode: code } : job));
  const wasStopped = report.status === 'stopped' && jobs.length === 0;
  return { ...report, jobs, exitCode: combineExitCodes(wasStopped ? [code] : jobs.map((job) => job.exitCode)) };
}
