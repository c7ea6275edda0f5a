import type { LogicalType } from '../model/logical-type.ts';
import type { Path } from './check-value.ts';
import type { ParsedMapping } from './parse.ts';

/** The type that written values have in common; `null`: none, or nothing but nulls. */
export function literalType(values: readonly unknown[]): LogicalType | null {
  const types = new Set(values.filter((value) => value !== null).map(typeOfLiteral));
  if (types.size !== 1) return types.size === 2 && types.has('int64') && types.has('decimal') ? 'decimal' : null;
  return [...types][0] as LogicalType;
}

function typeOfLiteral(value: unknown): LogicalType {
  if (typeof value === 'string') return 'text';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint' || Number.isInteger(value)) return 'int64';
  return typeof value === 'number' ? 'decimal' : 'json';
}

/** A written value as text: numbers with the digits that stand in the file, lists and objects as JSON. */
export function literalText(mapping: Pick<ParsedMapping, 'text' | 'at'>, value: unknown, path: Path): string | null {
  if (value === null) return null;
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return writtenNumber(mapping, value, path);
  if (typeof value === 'object')
    return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? JSON.rawJSON(String(item)) : item));
  return String(value as boolean | bigint);
}

/** YAML reads 1.10 as 1.1 and rounds what is longer than a double: the text of the file knows better. */
function writtenNumber({ text, at }: Pick<ParsedMapping, 'text' | 'at'>, value: number, path: Path): string {
  const { line, column } = at(path);
  const written = /^[-+]?[0-9][0-9_.eE+-]*/.exec((text.split(/\r\n|\n|\r/, line)[line - 1] ?? '').slice(column - 1))?.[0];
  return written !== undefined && Number(written) === value ? written : String(value);
}

declare global {
  interface JSON {
    /** Node has it; the type library of this language level does not. */
    rawJSON(text: string): unknown;
  }
}
