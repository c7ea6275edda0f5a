import { TrueupError } from '../../errors.ts';
import type { JobContext } from '../job-context.ts';
import { planErrors } from './plan.ts';
import type { JobPlan } from './plan.ts';
import type { PlanProblem } from './plan-report.ts';

/** Throws the first problem that prevents a run, with all of them in the message. */
export function refuseProblems(plan: JobPlan): void {
  const errors = planErrors(plan);
  const [first] = errors;
  if (first === undefined) return;
  const statements = errors.flatMap((problem) => problem.statements ?? []);
  throw new TrueupError(first.code, errors.map(problemText).join('\n'), statements.length === 0 ? {} : { statements });
}

/** Creates what is missing, where the job allows it. Safe to run twice. */
export async function applyPlan(context: JobContext, plan: JobPlan, signal: AbortSignal): Promise<void> {
  const missing = [...plan.source.streams, ...plan.target.streams].flatMap((stream) => stream.statements);
  if (missing.length === 0) return;
  if (context.job.ddl === 'manual')
    throw new TrueupError(
      'E_DDL_MANUAL',
      `job '${context.job.name}': ${missing.length} statement(s) are missing in the target and 'ddl: manual' forbids running them:\n${missing.join(';\n')};`,
      { statements: missing },
    );
  await context.source.apply?.(plan.source, signal);
  await context.target.apply(plan.target, signal);
}

function problemText({ message, file, line, column, code }: PlanProblem): string {
  return file === undefined || file === '' || line === undefined || column === undefined
    ? message
    : `${file}:${line}:${column} [${code}] ${message}`;
}
