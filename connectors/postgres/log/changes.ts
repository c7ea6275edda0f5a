import { OP } from '../../../src/sdk.ts';
import type { LogTable } from './log-table.ts';
import type { ChangeSink, Pending } from './pending.ts';
import { DELETE, INSERT, NEW_TUPLE, OLD_KEY, OLD_ROW, readTuple } from './pgoutput.ts';
import type { Reader } from './pgoutput.ts';
import { rejectRow } from './wire-change.ts';

type TextRow = (string | null | undefined)[];

/**
 * Turns the change of one row into records.
 *
 * - insert: an upsert. Update: an upsert; a patch where a large value that was not changed is not in the log.
 * - What a row was found by before it changed, where the log tells: a touch with the old cells before the new row.
 * - A changed key: a delete of the old one, then the new row; what is not in the log of it is looked up, since the target has nothing that it could patch.
 * - A row whose columns are not those of now: a touch.
 *
 * @param reader stands behind the oid of the table
 * @param bytes of the message
 */
export function addChange(
  pending: ChangeSink,
  table: LogTable,
  change: { readonly kind: number; readonly reader: Reader; readonly bytes: number },
): void {
  const { kind, reader, bytes } = change;
  if (kind === INSERT) {
    reader.at += 1;
    const row = blank(table);
    readTuple(reader, table.fields, row);
    return addRow(pending, table, { row, bytes, op: table.whole ? OP.upsert : OP.touch });
  }
  const which = reader.bytes[reader.at++] as number;
  let old: TextRow | null = null;
  if (which === OLD_KEY || which === OLD_ROW) {
    old = blank(table);
    readTuple(reader, table.fields, old);
  }
  if (kind === DELETE) return addRow(pending, table, { row: oldRow(table, old ?? blank(table)), bytes, op: OP.delete });
  if (which !== NEW_TUPLE) reader.at += 1;
  const row = blank(table);
  let missing = readTuple(reader, table.fields, row);
  if (missing && which === OLD_ROW && old !== null) missing = fillFrom(row, old);
  const moved = old !== null && table.key.some((field) => old[field] !== row[field] && row[field] !== undefined);
  if (moved && old !== null) addRow(pending, table, { row: oldRow(table, old), bytes: 0, op: OP.delete });
  else if (old !== null && leftBehind(table, old, row)) pending.add(table.reading, OP.touch, oldRow(table, old), 0);
  // A key cell that is too large to be in the log twice stands in the old row.
  if (old !== null) for (const field of table.key) row[field] ??= old[field];
  const partial = moved ? OP.touch : OP.patch;
  addRow(pending, table, { row, bytes, op: table.whole ? (missing ? partial : OP.upsert) : OP.touch });
}

interface Change {
  readonly row: TextRow;
  readonly bytes: number;
  readonly op: number;
}

function addRow(pending: ChangeSink, table: LogTable, { row, bytes, op }: Change): void {
  const { ref, shape } = table.reading;
  if (table.key.some((field) => row[field] === null || row[field] === undefined)) return rejectRow(pending, table, row, null);
  if (bytes > ref.maxRecordBytes) return rejectRow(pending, table, row, bytes);
  const cells = op === OP.touch && row.length === shape.fields.length ? keyRow(table, row) : row;
  pending.add(table.reading, op, cells, bytes);
}

function blank({ blank: none }: LogTable): TextRow {
  return none.slice();
}

/** A row of which only the key cells are set. */
function keyRow(table: LogTable, row: TextRow): TextRow {
  const cells = blank(table);
  for (const field of table.key) cells[field] = row[field];
  return cells;
}

/** The key cells, and those by which others found the row. */
function oldRow(table: LogTable, old: TextRow): TextRow {
  const cells = keyRow(table, old);
  for (const field of table.before) cells[field] = old[field];
  return cells;
}

/** Whether others found the old row who do not find the new one. */
function leftBehind({ before }: LogTable, old: TextRow, row: TextRow): boolean {
  return before.some((field) => row[field] !== undefined && row[field] !== old[field]);
}

/** Takes from the old row, where the log holds all of it, what the new one lacks. Returns whether something is still missing. */
function fillFrom(row: TextRow, old: TextRow): boolean {
  let missing = false;
  for (let field = 0; field < row.length; field += 1) {
    row[field] = row[field] === undefined ? old[field] : row[field];
    missing ||= row[field] === undefined;
  }
  return missing;
}

export function truncated(table: LogTable, pending: Pending): void {
  if (table.wire === null) pending.add(table.reading, OP.truncate, blank(table), 0);
  else pending.wire(table.wire, 0).addCells(null, OP.truncate, blank(table));
}
