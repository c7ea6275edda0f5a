import { diagnosticText } from '../model/diagnostic.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { Failure } from './failure.ts';
import type { Style } from './text/style.ts';
import { plural } from './text/quantity.ts';
import { printable } from './text/width.ts';

/** A failure for people: what happened, what to do, or every problem of the config with its place. */
export function failureLines(failure: Failure, style: Style): string[] {
  const { code, message, hint, statements, diagnostics } = failure;
  if (diagnostics !== undefined) return [...diagnostics.map((diagnostic) => diagnosticLine(diagnostic, style)), summary(diagnostics)];
  return [
    `${style.red('error')} ${style.bold(`[${code}]`)} ${printable(message)}`,
    ...(statements ?? []).map((statement) => `    ${printable(statement)}`),
    ...(hint === undefined ? [] : [`  ${style.dim('what to do:')} ${printable(hint)}`]),
  ];
}

/** `file:line:column [CODE] text`; warnings say so. */
export function diagnosticLine(diagnostic: Diagnostic, style: Style): string {
  const text = printable(diagnosticText(diagnostic));
  return diagnostic.severity === 'warning' ? `${text} ${style.yellow('(warning)')}` : text;
}

function summary(diagnostics: readonly Diagnostic[]): string {
  return plural(diagnostics.filter((diagnostic) => diagnostic.severity === 'error').length, 'problem');
}
