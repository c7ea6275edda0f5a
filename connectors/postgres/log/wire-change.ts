import { OP } from '../../../src/sdk.ts';
import type { Row } from '../../../src/sdk.ts';
import { keyCells } from './log-table.ts';
import type { LogTable } from './log-table.ts';
import type { Pending } from './pending.ts';
import { DELETE, INSERT, NEW_TUPLE, OLD_KEY, OLD_ROW } from './pgoutput.ts';
import type { Reader } from './pgoutput.ts';
import { fillTuple, scanTuple } from './tuple.ts';
import type { Tuple } from './tuple.ts';
import type { WireTable } from './wire-table.ts';

/** The same as `addChange`, for a table whose new rows stay bytes: nothing is made of a cell but of those of a deleted row's key. */
export function addWireChange(
  pending: Pending,
  table: LogTable,
  wire: WireTable,
  change: { readonly kind: number; readonly reader: Reader; readonly bytes: number },
): void {
  const { kind, reader, bytes } = change;
  const { tuple, old } = wire;
  const to: Into = { pending, table, wire, from: reader.bytes, bytes, inserted: kind === INSERT };
  if (kind === INSERT) {
    reader.at += 1;
    scanTuple(reader, table.fields, tuple);
    return addRow(to, tuple);
  }
  const which = reader.bytes[reader.at++] as number;
  const hasOld = which === OLD_KEY || which === OLD_ROW;
  if (hasOld) scanTuple(reader, table.fields, old);
  if (kind === DELETE) return addCells(to, OP.delete, old);
  if (which !== NEW_TUPLE) reader.at += 1;
  let missing = scanTuple(reader, table.fields, tuple);
  if (missing && which === OLD_ROW) missing = fillTuple(tuple, old, table.reading.shape.fields.keys());
  // A key cell that is too large to be in the log twice stands in the old row.
  else if (missing && hasOld) fillTuple(tuple, old, table.key);
  const moved = hasOld && wire.keyOf(reader.bytes, old) !== wire.keyOf(reader.bytes, tuple);
  if (moved) addCells({ ...to, bytes: 0 }, OP.delete, old);
  if (missing) addCells(to, moved ? OP.touch : OP.patch, tuple);
  else addRow(to, tuple);
}

interface Into {
  readonly pending: Pending;
  readonly table: LogTable;
  readonly wire: WireTable;
  /** What the tuples lie in. */
  readonly from: Buffer;
  /** Of the change. */
  readonly bytes: number;
  readonly inserted: boolean;
}

function addRow(to: Into, tuple: Tuple): void {
  const { pending, wire, from, bytes } = to;
  const key = wire.keyOf(from, tuple);
  if (key === null || bytes > to.table.reading.ref.maxRecordBytes) return reject(to, tuple);
  pending.wire(wire, bytes).addRow(key, { bytes: from, tuple, room: bytes, inserted: to.inserted });
}

function addCells(to: Into, op: number, tuple: Tuple): void {
  const { pending, table, wire, from, bytes } = to;
  const key = wire.keyOf(from, tuple);
  if (key === null || bytes > table.reading.ref.maxRecordBytes) return reject(to, tuple);
  const row: (string | null | undefined)[] = table.blank.slice();
  if (op === OP.patch) for (let field = 0; field < row.length; field += 1) row[field] = wire.textOf(from, tuple, field);
  else for (const field of table.key) row[field] = wire.textOf(from, tuple, field);
  pending.wire(wire, bytes).addCells(key, op, row satisfies Row);
}

function reject({ pending, table, wire, from, bytes }: Into, tuple: Tuple): void {
  const { ref } = table.reading;
  const row: (string | null | undefined)[] = table.blank.slice();
  for (const field of table.key) row[field] = wire.textOf(from, tuple, field);
  rejectRow(pending, table, row, bytes > ref.maxRecordBytes && wire.keyOf(from, tuple) !== null ? bytes : null);
}

/** @param bytes `null`: a cell of the key is NULL, else the row is too large */
export function rejectRow(
  pending: Pick<Pending, 'reject'>,
  table: LogTable,
  row: readonly (string | null | undefined)[],
  bytes: number | null,
): void {
  const { ref } = table.reading;
  const position = table.key.map((field) => row[field] ?? 'NULL').join(' ');
  if (bytes === null) {
    const message = `A row of '${ref.name}' has NULL in its key (${ref.key.join(', ')}), so it cannot be told apart.`;
    return pending.reject(table.reading, { position, code: 'E_RECORD_UNREADABLE', message });
  }
  const message = `A row of '${ref.name}' weighs ${bytes} bytes, more than maxRecordBytes (${ref.maxRecordBytes}).`;
  pending.reject(table.reading, { key: keyCells(table, row), position, code: 'E_RECORD_TOO_LARGE', message });
}
