import type { Cell, Cursor, Feed, Json, KeyBounds, Row, Shape, StreamRef } from '../../src/sdk.ts';
import type { Found } from './batches.ts';
import { compareRows } from './cells.ts';
import type { StoredRow } from './collection.ts';
import { cellsOf, readFieldCursor, readKeyCursor, textsOf } from './cursor.ts';
import type { FieldCursor } from './cursor.ts';
import type { MemoryDatabase } from './database.ts';
import { matcher, requireField } from './view.ts';
import type { View } from './view.ts';

export interface RowsRead {
  readonly database: MemoryDatabase;
  readonly view: View;
  readonly feed: Feed;
  readonly after: Cursor | null;
}

/** A row with what it is ordered by. */
interface Ordered {
  readonly order: Row;
  readonly stored: StoredRow;
}

/** What a `cursor` or `sequence` stream has to deliver now, and the cursor that stands after all of it. */
export interface FieldChanges {
  readonly found: readonly Found[];
  readonly end: FieldCursor;
}

/**
 * Rows by `(field, key…)`. A row can be committed late: with a value below `head`, because its writer drew it before others that committed
 * first. Such rows are told by their version. So the read takes one snapshot and delivers first the rows at or below `head`, or with a NULL,
 * whose version is beyond `seen`, then all the rows beyond `head`. While it goes on `head` moves and `seen` stays, so that an interrupted
 * read repeats and never loses.
 */
export function fieldChanges(read: RowsRead): FieldChanges {
  const { database, view } = read;
  const after = readFieldCursor(read.after);
  const order = [requireField(view.shape, view.stream.name, view.stream.changes.field ?? ''), ...view.shape.key];
  const head = after.head === null ? null : cellsOf(view.shape, order, after.head);
  const floor = lookbackFloor(view.stream, head);
  const rows = orderedRows(read, order);
  const isBeyond = ({ order: [value, ...key] }: Ordered): boolean => value !== null && (head === null || compareRows([value, ...key], head) > 0);
  const isLate = ({ order: [value], stored }: Ordered): boolean => stored.version > after.seen || (floor !== null && typeof value === 'bigint' && value >= floor);

  const late = rows.filter((row) => !isBeyond(row) && isLate(row)).map((row) => toFound(view, row, { ...after }));
  const beyond = rows.filter(isBeyond).map((row) => toFound(view, row, { head: textsOf(row.order), seen: after.seen }));
  const last = rows.filter(isBeyond).at(-1);
  return { found: [...late, ...beyond], end: { head: last === undefined ? after.head : textsOf(last.order), seen: database.version } };
}

/** In microseconds. */
function lookbackFloor(stream: StreamRef, head: Row | null): bigint | null {
  const value = head?.[0];
  return stream.lookbackMs === undefined || typeof value !== 'bigint' ? null : value - BigInt(stream.lookbackMs) * 1000n;
}

/** A key range of a backfill, as texts of key cells. `from` and `to` are in it, `before` is not. Absent: open. */
interface KeyRange {
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  readonly before?: readonly string[];
}

/** The rows of a backfill feed's range in key order, after the cursor. */
export function rangeRows(read: RowsRead): Found[] {
  const { view } = read;
  const { key } = view.shape;
  const range = (read.feed.range ?? {}) as KeyRange;
  const bound = (texts: readonly (string | null)[] | undefined): Row | null => (texts === undefined ? null : cellsOf(view.shape, key, texts));
  const [from, to, before, after] = [bound(range.from), bound(range.to), bound(range.before), bound(readKeyCursor(read.after)?.key)];
  const inRange = ({ order }: Ordered): boolean =>
    (from === null || compareRows(order, from) >= 0) &&
    (to === null || compareRows(order, to) <= 0) &&
    (before === null || compareRows(order, before) < 0) &&
    (after === null || compareRows(order, after) > 0);
  return orderedRows(read, key)
    .filter(inRange)
    .map((row) => toFound(view, row, { key: textsOf(row.order) }));
}

/** Ranges of about as many rows each, open at the outer ends so that they cover rows which are not there yet. */
export function splitRanges(read: RowsRead, partitions: number, bounds: KeyBounds): Json[] {
  const keys = rangeRows({ ...read, feed: { ...read.feed, range: boundsRange(bounds) } }).map((found) => read.view.shape.key.map((index) => found.row[index]));
  const size = Math.max(1, Math.ceil(keys.length / partitions));
  const starts = keys.filter((_key, index) => index > 0 && index % size === 0).map((key) => textsOf(key));
  const edges = [null, ...starts, null];
  return edges.slice(0, -1).map((from, index) => {
    const before = edges[index + 1] ?? null;
    return {
      ...boundsRange(bounds),
      ...(from === null ? {} : { from }),
      ...(before === null ? {} : { before }),
    };
  });
}

function boundsRange({ from, to }: KeyBounds): { from?: readonly string[]; to?: readonly string[] } {
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
}

/** The rows that pass the filter, projected to the view, sorted by these fields of it. */
function orderedRows({ database, view, feed }: RowsRead, order: readonly number[]): Ordered[] {
  const collection = database.collection(view.stream.name);
  const matches = matcher(collection, feed.where ?? view.stream.where);
  return [...collection.rows.values()]
    .filter((stored) => matches(stored.cells))
    .map(({ cells, version }) => {
      const row = view.project(cells);
      return { order: order.map((index) => row[index]), stored: { cells: row, version } };
    })
    .sort((a, b) => compareRows(a.order, b.order));
}

function toFound(view: View, { order, stored }: Ordered, cursor: Cursor): Found {
  const text = textsOf(order).map((part) => part ?? 'NULL').join(' ');
  return { stream: view.stream.name, shape: view.shape, op: 'upsert', row: stored.cells, cursor, position: { text, ...timeOf(view, order[0]) } };
}

function timeOf(view: View, value: Cell): { timeMs?: number } {
  const isTime = view.shape.fields.some((field) => field.name === view.stream.changes.field && field.type === 'timestamptz');
  return isTime && typeof value === 'bigint' ? { timeMs: Number(value / 1000n) } : {};
}

/** The types that a cursor can be ordered and written by. */
export function isOrderable(shape: Shape, field: number): boolean {
  return ['int32', 'int64', 'timestamptz', 'text', 'uuid'].includes(shape.fields[field]?.type as string);
}


