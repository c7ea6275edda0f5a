import type { Problem } from '../../model/contracts.ts';
import type { Diagnostic } from '../../model/diagnostic.ts';
import type { StreamEntry } from '../../model/job.ts';
import type { PlanProblem } from './plan-report.ts';

/** What source or target has against a stream, at the place of the stream in the config. */
export function fromProblem(entry: StreamEntry, problem: Problem): PlanProblem {
  return { ...problem, ...entry.at };
}

export function fromDiagnostic({ severity, code, message, file, line, column }: Diagnostic): PlanProblem {
  return { severity, code, message, file, line, column };
}
