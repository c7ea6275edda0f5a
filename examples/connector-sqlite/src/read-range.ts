import { TrueupError } from 'trueup/sdk';
import type { Batch, Cursor, Json, KeyBounds } from 'trueup/sdk';
import { gather } from './batches.ts';
import { textOf, valueOfText } from './cursor.ts';
import type { Sql, Value } from './file.ts';
import { quoteAll } from './quote.ts';
import { columnOf, quoted } from './table.ts';
import type { View } from './view.ts';

/** A part of a table by its key, in texts of values. `from` and `to` are in it, `before` is not. Absent: open. */
export interface KeyRange {
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  readonly before?: readonly string[];
}

export interface RangeRead {
  readonly view: View;
  readonly range: KeyRange;
  /** SQL, of `backfill --where`. */
  readonly where: string | null;
  readonly after: readonly string[] | null;
  readonly batchRows: number;
  readonly batchBytes: number;
}

/** The next rows in key order; `null`: there are no more. Its cursor stands after the last of them. */
export function rangeBatch(sql: Sql, read: RangeRead): Batch | null {
  const { view, batchRows, batchBytes } = read;
  const key = view.stream.key;
  const { text, values } = conditions(read);
  const gathering = gather(view);
  let last: readonly Value[] | null = null;
  const statement = `select ${quoteAll(key)}, ${view.select} from ${quoted(view.table)}${text} order by ${quoteAll(key)} limit ?`;
  for (const row of sql.iterate(statement, ...values, BigInt(batchRows))) {
    last = row.slice(0, key.length);
    gathering.upsert(row.slice(key.length));
    if (gathering.bytes >= batchBytes) break;
  }
  if (last === null) return null;
  const texts = last.map(textOf);
  return gathering.batch({ key: texts } as Cursor, { text: texts.map((one) => one.slice(2)).join(' ') });
}

function conditions({ view, range, where, after }: RangeRead): { text: string; values: Value[] } {
  const key = `(${quoteAll(view.stream.key)})`;
  const bounds: readonly (readonly [string, readonly string[] | null | undefined])[] = [
    ['>=', range.from],
    ['<=', range.to],
    ['<', range.before],
    ['>', after],
  ];
  const parts: string[] = where === null ? [] : [`(${where})`];
  const values: Value[] = [];
  for (const [operator, texts] of bounds) {
    if (texts === undefined || texts === null) continue;
    parts.push(`${key} ${operator} (${texts.map(() => '?').join(', ')})`);
    values.push(...texts.map(valueOfText));
  }
  return { text: parts.length === 0 ? '' : ` where ${parts.join(' and ')}`, values };
}

/** Ranges of about as many rows each, open at the outer ends so that they cover rows which are not there yet. */
export function splitRanges(sql: Sql, view: View, partitions: number, bounds: KeyBounds): KeyRange[] {
  const whole = boundsRange(view, bounds);
  const { text, values } = conditions({ view, range: whole, where: null, after: null, batchRows: 0, batchBytes: 0 });
  const [count] = sql.first(`select count(*) from ${quoted(view.table)}${text}`, ...values) ?? [];
  const key = quoteAll(view.stream.key);
  const edges: string[][] = [];
  for (let part = 1; part < partitions; part += 1) {
    const place = ((count as bigint) * BigInt(part)) / BigInt(partitions);
    const edge = sql
      .first(`select ${key} from ${quoted(view.table)}${text} order by ${key} limit 1 offset ?`, ...values, place)
      ?.map(textOf);
    if (edge !== undefined && place > 0n && edge.join('\0') !== edges.at(-1)?.join('\0')) edges.push(edge);
  }
  return [...edges, null].map((before, index) => ({
    ...whole,
    ...(index === 0 ? {} : { from: edges[index - 1] ?? [] }),
    ...(before === null ? {} : { before }),
  }));
}

function boundsRange(view: View, { from, to }: KeyBounds): KeyRange {
  const texts = (bound: readonly string[]): string[] => bound.map((text, index) => textOf(boundValue(view, index, text)));
  return { ...(from === undefined ? {} : { from: texts(from) }), ...(to === undefined ? {} : { to: texts(to) }) };
}

/** A bound as a person writes it. */
function boundValue(view: View, index: number, text: string): Value {
  const type = columnOf(view.table, view.stream.key[index] ?? '')?.type;
  try {
    if (type === 'int64' || type === 'int32') return BigInt(text);
  } catch {
    throw new TrueupError('E_USAGE', `'${text}' is no value of key column '${view.stream.key[index]}': expected a whole number.`);
  }
  if (type === 'float64') return Number(text);
  return type === 'bytes' ? Buffer.from(text.replace(/^\\x/, ''), 'hex') : text;
}

/** @throws {TrueupError} `E_USAGE` */
export function whereText(where: Json | undefined): string | null {
  if (where === undefined || where === null) return null;
  if (typeof where === 'string') return where;
  throw new TrueupError('E_USAGE', 'A filter of a SQLite source is a condition in SQL.');
}
