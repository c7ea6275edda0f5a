import { JsonNumber, TrueupError, cellToText, compareDecimals, jsonToCell, parseDecimal } from '../../src/sdk.ts';
import type { Cell, ExactJson, LogicalType } from '../../src/sdk.ts';

/*
 * Values that changes are found by. They are kept and sent as the source wrote them; only to compare them they are read, by the type of their field.
 */

/** A value as the source wrote it. */
export interface Mark {
  readonly text: string;
  readonly isNumber: boolean;
}

const TYPES: readonly LogicalType[] = ['int32', 'int64', 'decimal', 'text', 'uuid', 'objectId', 'date', 'timestamp', 'timestamptz'];

export function isOrderable(type: LogicalType | undefined): boolean {
  return type !== undefined && TYPES.includes(type);
}

/** `null`: there is no value to go on from. */
export function markOf(json: ExactJson | undefined): Mark | null {
  if (typeof json === 'string') return { text: json, isNumber: false };
  return json instanceof JsonNumber ? { text: json.text, isNumber: true } : null;
}

export function markJson({ text, isNumber }: Mark): ExactJson {
  return isNumber ? new JsonNumber(text) : text;
}

/** Microseconds since 1970 of a timestamptz; `null`: the value is none. */
export function markTime(mark: Mark, type: LogicalType): bigint | null {
  if (type !== 'timestamptz') return null;
  const cell = cellOf(mark, type);
  return typeof cell === 'bigint' ? cell : null;
}

/** Below 0: `a` comes before `b`. `null`: one of them is no value of the type. */
export function compareMarks(a: Mark, b: Mark, type: LogicalType): number | null {
  const [left, right] = [cellOf(a, type), cellOf(b, type)];
  if (left === undefined || right === undefined) return null;
  if (type === 'decimal') {
    const [one, other] = [parseDecimal(left as string), parseDecimal(right as string)];
    return one === null || other === null ? null : compareDecimals(one, other);
  }
  const [one, other] = [left as string | bigint | number, right as string | bigint | number];
  return one < other ? -1 : one > other ? 1 : 0;
}

/** What is sent to read again what is so much older. */
export function markBefore(mark: Mark, ms: number, type: LogicalType): Mark {
  const time = markTime(mark, type);
  if (time === null) throw new TrueupError('E_CHANGES_UNSUPPORTED', `'lookback' needs a field of type timestamptz`);
  return { text: cellToText('timestamptz', time - BigInt(ms) * 1000n) ?? '', isNumber: false };
}

function cellOf(mark: Mark, type: LogicalType): Cell {
  try {
    return jsonToCell(type, markJson(mark), 'a cursor value');
  } catch {
    return undefined;
  }
}
