import type { ResolvedConfig } from '../config/resolved.ts';
import type { RunReport } from '../pipeline/report/report.ts';
import type { Outcome } from './outcome.ts';
import { runText } from './render/run.ts';

/** Prints a report under the name of the command that was typed: to standard output, unless that is where the records went. */
export function runOutcome(command: RunReport['command'], report: RunReport, config: ResolvedConfig): Outcome {
  const told = { ...report, command };
  const toStderr = report.jobs.some(({ job }) => writesToStdout(config, job));
  return { exitCode: told.exitCode, document: told, text: (view) => runText(told, view), ...(toStderr ? { toStderr } : {}) };
}

function writesToStdout({ jobs, connections }: ResolvedConfig, job: string): boolean {
  const target = connections.get(jobs.get(job)?.target ?? '');
  return target?.connector === 'file' && target.options['path'] === '-';
}
