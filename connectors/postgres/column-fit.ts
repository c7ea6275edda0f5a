import { TrueupError, planConversion } from '../../src/sdk.ts';
import type { Cell, Field, OnLoss } from '../../src/sdk.ts';
import { columnLimit } from './column-limit.ts';
import type { ColumnLimit } from './column-limit.ts';
import { typeEncoder } from './encode.ts';
import { isWideEnough } from './native-width.ts';
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
  if (raw) return { kind: 'raw', toText: typeEncoder(field.type, delimiter) };
  if (CLOSED.has(column.baseText)) return impossible(`${column.baseText} takes only values of its own type`);
  const place = `field '${field.name}'`;
  const conversion = planConversion({ from: field.type, to: column.logical, onLoss, place });
  if (conversion.kind === 'impossible') return impossible(conversion.loss ?? '');
  const limit = columnLimit(column.baseText);
  const notation = notationLoss(column, native);
  const isExact = conversion.kind === 'same' || conversion.kind === 'exact';
  return {
    kind: !isExact ? conversion.kind : (notation?.kind ?? (limit?.tight ? 'checked' : 'exact')),
    ...lossText(conversion.loss, limit, notation?.loss),
    toText: (cell, note) => {
      const converted = conversion.convert(cell, note);
      const kept = limit === null || converted === null ? converted : settle(converted, { limit, onLoss, place, column, note });
      return kept === null || kept === undefined ? null : encode(kept);
    },
  };
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
  return {
    kind: 'impossible',
    loss,
    toText: () => {
      throw new TrueupError('E_PLAN_CHANGED', `A column has a type that its field does not convert to: ${loss}.`);
    },
  };
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
