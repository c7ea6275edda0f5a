import type { RunReport } from '../pipeline/report.ts';
import type { Outcome } from './outcome.ts';
import { runText } from './render/run.ts';

/** Prints a report under the name of the command that was typed. */
export function runOutcome(command: RunReport['command'], report: RunReport): Outcome {
  const told = { ...report, command };
  return { exitCode: told.exitCode, document: told, text: (view) => runText(told, view) };
}
