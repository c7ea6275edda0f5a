import { fieldIndex } from '../../src/sdk.ts';
import type { Cell, Cursor, Feed, Row, Shape, StreamRef } from '../../src/sdk.ts';
import type { Found } from './batches.ts';
import { compareRows } from './cells.ts';
import type { Collection, StoredRow } from './collection.ts';
import { cellsOf, readFieldCursor, textsOf } from './cursor.ts';
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

/** A row with what it is ordered by: fields that the view need not have. */
export interface Ordered {
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
  const collection = database.collection(view.stream.name);
  const order = indicesOf(collection, [view.stream.changes.field ?? '', ...view.stream.key]);
  const head = after.head === null ? null : cellsOf(collection.shape, order, after.head);
  const floor = lookbackFloor(view.stream, head);
  const rows = orderedRows(read, order);
  const isBeyond = ({ order: [value, ...key] }: Ordered): boolean =>
    value !== null && (head === null || compareRows([value, ...key], head) > 0);
  const isLate = ({ order: [value], stored }: Ordered): boolean =>
    stored.version > after.seen || (floor !== null && typeof value === 'bigint' && value >= floor);

  const late = rows.filter((row) => !isBeyond(row) && isLate(row)).map((row) => toFound(read, row, { ...after }));
  const beyond = rows.filter(isBeyond).map((row) => toFound(read, row, { head: textsOf(row.order), seen: after.seen }));
  const last = rows.filter(isBeyond).at(-1);
  return { found: [...late, ...beyond], end: { head: last === undefined ? after.head : textsOf(last.order), seen: database.version } };
}

/** In microseconds. */
function lookbackFloor(stream: StreamRef, head: Row | null): bigint | null {
  const value = head?.[0];
  return stream.lookbackMs === undefined || typeof value !== 'bigint' ? null : value - BigInt(stream.lookbackMs) * 1000n;
}

export function indicesOf({ shape, name }: Collection, fields: readonly string[]): number[] {
  return fields.map((field) => requireField(shape, name, field));
}

/** The rows that pass the filter, sorted by these fields of the collection. */
export function orderedRows({ database, view, feed }: RowsRead, order: readonly number[]): Ordered[] {
  const collection = database.collection(view.stream.name);
  const matches = matcher(collection, feed.where ?? view.stream.where);
  return [...collection.rows.values()]
    .filter((stored) => matches(stored.cells))
    .map((stored) => ({ order: order.map((index) => stored.cells[index]), stored }))
    .sort((a, b) => compareRows(a.order, b.order));
}

export function toFound(read: RowsRead, { order, stored }: Ordered, cursor: Cursor): Found {
  const { view } = read;
  const text = textsOf(order)
    .map((part) => part ?? 'NULL')
    .join(' ');
  return {
    stream: view.stream.name,
    shape: view.shape,
    op: 'upsert',
    row: view.project(stored.cells),
    cursor,
    position: { text, ...timeOf(read, order[0]) },
  };
}

function timeOf({ database, view }: RowsRead, value: Cell): { timeMs?: number } {
  const { shape } = database.collection(view.stream.name);
  const isTime = shape.fields[fieldIndex(shape, view.stream.changes.field ?? '')]?.type === 'timestamptz';
  return isTime && typeof value === 'bigint' ? { timeMs: Number(value / 1000n) } : {};
}

/** The types that a cursor can be ordered and written by. */
export function isOrderable(shape: Shape, field: number): boolean {
  return ['int32', 'int64', 'timestamptz', 'text', 'uuid'].includes(shape.fields[field]?.type as string);
}
