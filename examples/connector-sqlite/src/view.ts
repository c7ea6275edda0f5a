import { TrueupError, sameShape } from 'trueup/sdk';
import type { Cell, Reject, Row, Shape, StreamRef } from 'trueup/sdk';
import type { Sql, Value } from './file.ts';
import { quoteAll } from './quote.ts';
import { columnOf, describeTable, listTables } from './table.ts';
import type { Column, Table } from './table.ts';
import { cellOf, kindOf } from './value.ts';

/** A stream as a job reads it: columns of a table, and what becomes of a row of them. */
export interface View {
  readonly stream: StreamRef;
  readonly table: Table;
  readonly shape: Shape;
  readonly columns: readonly Column[];
  /** What stands between `select` and `from`. */
  readonly select: string;
}

/** Makes views, with the same shape object as long as the columns stay the same. */
export function openViews(): (sql: Sql, stream: StreamRef) => View {
  const shapes = new Map<string, Shape>();
  return (sql, stream) => {
    const table = requireTable(sql, stream.name);
    const view = viewOf(table, stream);
    const id = JSON.stringify([stream.name, stream.key, stream.fields, stream.except]);
    const before = shapes.get(id);
    if (before !== undefined && sameShape(before, view.shape)) return { ...view, shape: before };
    shapes.set(id, view.shape);
    return view;
  };
}

export function requireTable(sql: Sql, name: string): Table {
  const table = describeTable(sql, name);
  if (table !== null) return table;
  const known = listTables(sql).map((one) => one.name);
  throw new TrueupError('E_STREAM_UNKNOWN', `There is no table or view '${name}'. There are: ${known.join(', ') || 'none'}.`);
}

export function requireColumn(table: Table, name: string): Column {
  const column = columnOf(table, name);
  if (column !== undefined) return column;
  const known = table.columns.map((one) => one.name).join(', ');
  throw new TrueupError('E_STREAM_UNKNOWN', `'${table.name}' has no column '${name}'. Columns: ${known}.`);
}

function viewOf(table: Table, stream: StreamRef): View {
  for (const name of [...stream.key, ...(stream.fields ?? [])]) requireColumn(table, name);
  const columns = table.columns.filter(
    ({ name }) => stream.key.includes(name) || ((stream.fields?.includes(name) ?? true) && !stream.except.includes(name)),
  );
  const fields = columns.map(({ name, type, nullable, declared }) => ({
    name,
    type,
    // A key that is NULL never travels.
    nullable: nullable && !stream.key.includes(name),
    native: { system: 'sqlite', type: declared },
  }));
  const shape: Shape = { fields, key: stream.key.map((name) => columns.findIndex((column) => column.name === name)), open: false };
  return { stream, table, shape, columns, select: quoteAll(columns.map(({ name }) => name)) };
}

export function bytesOf(values: readonly Value[]): number {
  let bytes = 0;
  for (const value of values)
    bytes += typeof value === 'string' ? Buffer.byteLength(value) : value instanceof Uint8Array ? value.byteLength : 8;
  return bytes;
}

/** A row in carriers, or why it cannot travel. */
export function readRow(view: View, values: readonly Value[]): { readonly row: Row } | { readonly reject: Reject } {
  const { columns, shape, stream } = view;
  const row: Cell[] = columns.map(({ type }, index) => cellOf(type, values[index] ?? null));
  const key = shape.key.map((index) => row[index]);
  const isKnown = key.every((cell) => cell !== null && cell !== undefined);
  const position = isKnown ? key.map(String).join(' ') : 'a row without a readable key';
  const reject = (code: Reject['code'], message: string): { reject: Reject } => ({
    reject: { ...(isKnown ? { key } : {}), position, code, message },
  });
  const wrong = row.findIndex((cell, index) => cell === undefined || (cell === null && shape.key.includes(index)));
  if (wrong >= 0) {
    const { name, declared } = columns[wrong] as Column;
    return reject(
      'E_RECORD_UNREADABLE',
      `Column '${name}' (${declared || 'of no type'}) holds ${kindOf(values[wrong] ?? null)} that cannot be read as such.`,
    );
  }
  const bytes = bytesOf(values);
  if (bytes <= stream.maxRecordBytes) return { row };
  return reject('E_RECORD_TOO_LARGE', `The record weighs ${bytes} bytes, more than maxRecordBytes (${stream.maxRecordBytes}).`);
}
