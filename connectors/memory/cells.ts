import type { Cell, LogicalType, Row } from '../../src/sdk.ts';

/** The order of two cells of one type: NULL last, texts by UTF-16 code unit, lists cell by cell. */
export function compareCells(a: Cell, b: Cell): number {
  if (a === b) return 0;
  if (a === null || a === undefined) return 1;
  if (b === null || b === undefined) return -1;
  if (isList(a) && isList(b)) return compareRows(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

export function compareRows(a: Row, b: Row): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const order = compareCells(a[index], b[index]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** A text that two cells share exactly when they hold the same value: what collections are keyed by. */
export function cellsText(cells: Row): string {
  return JSON.stringify(cells, (_name, value: unknown) => {
    if (typeof value === 'bigint') return { int: value.toString() };
    if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0)))
      return { float: Object.is(value, -0) ? '-0' : String(value) };
    if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') };
    return value === undefined ? { absent: true } : value;
  });
}

export function sameCell(a: Cell, b: Cell): boolean {
  return Object.is(a, b) || (typeof a === 'object' && typeof b === 'object' && cellsText([a]) === cellsText([b]));
}

/** The plain text of an orderable cell, for cursors, ranges and people. */
export function plainText(cell: Cell): string | null {
  if (cell === null || cell === undefined) return null;
  return typeof cell === 'object' ? cellsText([cell]) : String(cell);
}

/** The cell that `plainText` wrote. */
export function cellOfText(type: LogicalType, text: string | null): Cell {
  if (text === null) return null;
  if (type === 'int64' || type === 'timestamptz') return BigInt(text);
  if (type === 'int32' || type === 'float64') return Number(text);
  if (type === 'bool') return text === 'true';
  return text;
}

/** What a row weighs: 8 bytes for a number, the UTF-8 length of a text at worst. */
export function rowBytes(row: Row): number {
  return row.reduce<number>((sum, cell) => sum + cellBytes(cell), 0);
}

function cellBytes(cell: Cell): number {
  if (typeof cell === 'string') return Buffer.byteLength(cell);
  if (cell instanceof Uint8Array) return cell.byteLength;
  if (isList(cell)) return rowBytes(cell);
  return 8;
}

function isList(cell: Cell): cell is readonly Cell[] {
  return Array.isArray(cell);
}
