import type { ErrorCode } from '../errors.ts';

/** One problem in a text that a person wrote. Lines and columns count from 1. `file` empty: the text is in no file, and has no places. */
export interface Diagnostic {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly code: ErrorCode;
  /** What was got, what was expected, and "Did you mean" where there is a near name. */
  readonly message: string;
  readonly severity: 'error' | 'warning';
}

/** `file:line:column [CODE] text`, the form that editors and terminals link. */
export function diagnosticText(diagnostic: Diagnostic): string {
  const { file, line, column, code, message } = diagnostic;
  return `${file === '' ? '' : `${file}:${line}:${column} `}[${code}] ${message}`;
}
