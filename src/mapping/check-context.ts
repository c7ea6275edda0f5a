import type { ErrorCode } from '../errors.ts';
import type { OnLoss } from '../model/contracts.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { Field, LogicalType } from '../model/logical-type.ts';
import { SCALAR_TYPES } from '../model/logical-type.ts';
import type { Shape } from '../model/shape.ts';
import { knownNames } from '../model/suggest.ts';
import { parseType } from '../model/type-text.ts';
import { compileExpression } from './expression/compile.ts';
import type { Expression } from './expression/compile.ts';
import { ExpressionProblem } from './expression/fault.ts';
import type { Path } from './check-value.ts';
import type { ParsedMapping } from './parse.ts';

/** What the checks of one mapping share. */
export interface CheckContext {
  readonly mapping: ParsedMapping;
  readonly stream: string;
  readonly source: Shape;
  readonly secrets: (text: string) => string;
  readonly onLoss: OnLoss;
  /** Of the job, for advice. */
  readonly timezone: string;
  readonly diagnostics: Diagnostic[];
}

export interface Finding {
  readonly path: Path;
  readonly message: string;
  readonly part?: 'key' | 'value';
  readonly code?: ErrorCode;
  readonly severity?: Diagnostic['severity'];
}

export function report(
  context: CheckContext,
  { path, message, part = 'value', code = 'E_MAPPING_INVALID', severity = 'error' }: Finding,
): null {
  context.diagnostics.push({ file: context.mapping.file, ...context.mapping.at(path, part), code, message, severity });
  return null;
}

export function sourceField(context: CheckContext, name: string, path: Path): Field | null {
  const field = context.source.fields.find((one) => one.name === name);
  return field ?? report(context, { path, message: unknownField(name, context) });
}

export function unknownField(name: string, { stream, source }: Pick<CheckContext, 'stream' | 'source'>): string {
  return `'${name}' is not a field of source stream '${stream}'.${knownNames(
    name,
    source.fields.map((field) => field.name),
    'Fields',
  )}`;
}

/** The type that a `type:` names. `undefined`: none is named. */
export function namedType(context: CheckContext, text: string | undefined, path: Path): LogicalType | null | undefined {
  if (text === undefined) return undefined;
  const type = parseType(text);
  if (type !== null && type !== 'variant') return type;
  return report(context, {
    path,
    message: `'${text}' is not a type.${knownNames(text, [...SCALAR_TYPES.filter((one) => one !== 'variant'), 'list<…>', 'struct<…>'])}`,
  });
}

/** An expression, or `null` with its problem reported at the place inside the text. */
export function checkedExpression(context: CheckContext, text: string, path: Path): Expression | null {
  try {
    return compileExpression({ text, source: context.source, stream: context.stream });
  } catch (error) {
    if (!(error instanceof ExpressionProblem)) throw error;
    const start = context.mapping.at(path);
    context.diagnostics.push({
      file: context.mapping.file,
      ...insideText(context.mapping.text, start, text, error.start),
      code: error.code,
      message: error.message,
      severity: 'error',
    });
    return null;
  }
}

/** Where a character of a scalar stands, when the scalar stands on one line as it is. */
function insideText(
  file: string,
  start: { readonly line: number; readonly column: number },
  text: string,
  offset: number,
): { readonly line: number; readonly column: number } {
  const line = file.split(/\r\n|\n|\r/, start.line)[start.line - 1] ?? '';
  const quote = /^["']/.test(line.slice(start.column - 1)) ? 1 : 0;
  const written = line.slice(start.column - 1 + quote);
  return written.startsWith(text) ? { line: start.line, column: start.column + quote + offset } : start;
}
