import type { PlanProblem } from '../../pipeline/plan/plan-report.ts';
import type { ReportedError } from '../../pipeline/report/report.ts';
import type { Style } from '../text/style.ts';
import { printable } from '../text/width.ts';

/** An error inside a report: code and message, what to do, and statements to run where there are some. */
export function errorLines(error: ReportedError, style: Style): string[] {
  // A problem of the config says its code behind its place.
  const code = error.message.includes(`[${error.code}]`) ? '' : `[${error.code}] `;
  return [
    `${style.red('error')} ${code}${printable(error.message)}`,
    ...(error.hint === undefined ? [] : [`  ${style.dim('what to do:')} ${printable(error.hint)}`]),
    ...statementLines(error.statements ?? []),
  ];
}

/** A problem that a plan found, with its place in the config where it has one. */
export function problemLines(problem: PlanProblem, style: Style): string[] {
  const { file, line, column, severity, code, message } = problem;
  const place = file === undefined || file === '' ? '' : `${file}:${line ?? 1}:${column ?? 1} `;
  const mark = severity === 'error' ? style.red('error') : style.yellow('warning');
  return [`${mark} ${printable(`${place}[${code}] ${message}`)}`, ...statementLines(problem.statements ?? [])];
}

/** SQL to run, indented; one statement may have several lines. */
export function statementLines(statements: readonly string[]): string[] {
  return statements.flatMap((statement) => `${printable(statement.trim().replace(/;$/, ''))};`.split('\n').map((line) => `    ${line}`));
}

export function indented(lines: readonly string[], by: number): string[] {
  return lines.flatMap((line) => line.split('\n')).map((line) => (line === '' ? '' : ' '.repeat(by) + line));
}
