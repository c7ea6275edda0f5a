import { TrueupError, planConversion } from '../../../src/sdk.ts';
import type { Cell, Field, OnLoss } from '../../../src/sdk.ts';
import { columnLimit } from './column-limit.ts';
import type { ColumnLimit } from './column-limit.ts';
import { typeEncoder } from '../values/encode.ts';
import { jsonbRefusal } from '../digest/jsonb-text.ts';
import { isWideEnough } from '../values/native-width.ts';
import { storedCell } from '../values/stored-cell.ts';
import type { TargetColumn } from './target-table.ts';

/** Told once for every value that is not carried exactly, with what was done. */
export type Note = (kind: string) => void;

/**
 * How the values of a field get into a column.
 *
 * - `raw`: the column's type holds every value of the field's native type, in the same text.
 * - `exact`: every value has its counterpart. - `checked`: values that do not fit are losses, found one by one. - `lossy`: most lose something.
 * - `impossible`: no value can be carried.
 */
export interface ColumnFit {
  readonly kind: 'raw' | 'exact' | 'checked' | 'lossy' | 'impossible';
  /** What may be lost, or why it is impossible; for people. */
  readonly loss?: string;
  /**
   * The text for Postgres of a carrier that is not NULL; `null` where a policy makes it NULL.
   * @throws {TrueupError} `E_RECORD_LOSS` or `E_RECORD_VALUE` naming the field, never the value
   */
  toText(cell: Cell, note: Note): string | null;
  /**
   * The carrier, of the column's logical type, that a read gives back once `toText` was written. Throws as `toText` does. Text that the column's type
   * reads by rules of its own (`inet`, a range) comes back as it was written.
   */
  toCell(cell: Cell, note: Note): Cell;
}

export interface FitRequest {
  readonly field: Field;
  readonly column: TargetColumn;
  readonly onLoss: OnLoss;
}

/** Types whose input functions cut or wrap silently what is not theirs: only their own values may go in. */
const CLOSED = new Set(['name', '"char"', 'oid', 'money']);

export function fitColumn(request: FitRequest): ColumnFit {
  const { field, column, onLoss } = request;
  const delimiter = column.baseText === 'box[]' ? ';' : ',';
  const native = field.native?.system === 'postgres' ? field.native.type : null;
  const encode = typeEncoder(column.logical === 'variant' ? 'text' : column.logical, delimiter);
  const raw = native !== null && (native === column.text || native === column.baseText || isWideEnough(native, column.baseText));
  const stored = storedCell(column);
  if (raw) return { kind: 'raw', toText: typeEncoder(field.type, delimiter), toCell: rawCell(field, column) };
  if (CLOSED.has(column.baseText)) return impossible(`${column.baseText} takes only values of its own type`);
  const place = `field '${field.name}'`;
  const conversion = planConversion({ from: field.type, to: column.logical, onLoss, place });
  if (conversion.kind === 'impossible') return impossible(conversion.loss ?? '');
  const limit = columnLimit(column.baseText);
  const notation = notationLoss(column, native);
  const isExact = conversion.kind === 'same' || conversion.kind === 'exact';
  const kept = (cell: Cell, note: Note): Cell => {
    const converted = conversion.convert(cell, note);
    const refusal = column.baseText === 'jsonb' && typeof converted === 'string' ? jsonbRefusal(converted) : null;
    if (refusal !== null) throw new TrueupError('E_RECORD_VALUE', `${place} ${refusal}`);
    return limit === null || converted === null ? converted : settle(converted, { limit, onLoss, place, column, note });
  };
  return {
    kind: !isExact ? conversion.kind : (notation?.kind ?? (limit?.tight ? 'checked' : 'exact')),
    ...lossText(conversion.loss, limit, notation?.loss),
    toText: (cell, note) => {
      const fitting = kept(cell, note);
      return fitting === null || fitting === undefined ? null : encode(fitting);
    },
    toCell: stored === null ? kept : (cell, note) => stored(kept(cell, note)),
  };
}

/** The text is the same, and yet the column's carrier may be another: a bigint for a number. */
function rawCell(field: Field, column: TargetColumn): ColumnFit['toCell'] {
  const { convert } = planConversion({ from: field.type, to: column.logical, onLoss: 'error', place: `field '${field.name}'` });
  const stored = field.native?.type === column.text || field.native?.type === column.baseText ? null : storedCell(column);
  return stored === null ? convert : (cell, note) => stored(convert(cell, note));
}

/** Types that take any text. */
const PLAIN_TEXT = /^(text|character( varying)?(\(\d+\))?|.*\bcitext)$/;

/** The column's type reads text by rules of its own: some is refused, and json does not come back as it was written. */
function notationLoss(
  { logical, baseText }: TargetColumn,
  native: string | null,
): { readonly kind: 'checked' | 'lossy'; readonly loss: string } | null {
  if (native === 'json' && baseText === 'jsonb') return { kind: 'lossy', loss: 'white space, order and repetition of keys' };
  const isRead = logical === 'unknown' || (logical === 'text' && !PLAIN_TEXT.test(baseText));
  return isRead ? { kind: 'checked', loss: `text that is no ${baseText}` } : null;
}

function impossible(loss: string): ColumnFit {
  const refuse = () => {
    throw new TrueupError('E_PLAN_CHANGED', `A column has a type that its field does not convert to: ${loss}.`);
  };
  return { kind: 'impossible', loss, toText: refuse, toCell: refuse };
}

function lossText(...parts: readonly (string | ColumnLimit | null | undefined)[]): { loss?: string } {
  const texts = parts
    .map((part) => (typeof part === 'object' ? (part?.tight ? part.loss : undefined) : part))
    .filter((part) => part !== undefined);
  return texts.length === 0 ? {} : { loss: texts.join(', ') };
}

interface Settle {
  readonly limit: ColumnLimit;
  readonly onLoss: OnLoss;
  readonly place: string;
  readonly column: TargetColumn;
  readonly note: Note;
}

function settle(cell: Cell, { limit, onLoss, place, column, note }: Settle): Cell {
  const found = limit.check(cell);
  if (found === null) return cell;
  if (onLoss === 'null') return (note('null'), null);
  if (onLoss === 'truncate' && found.cut !== undefined) return (note('truncated'), found.cut);
  throw new TrueupError('E_RECORD_LOSS', `${place}: ${found.loss}, and its column is ${column.text}`);
}
