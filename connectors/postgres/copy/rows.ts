import { TrueupError, cellRecords } from '../../../src/sdk.ts';
import type { Cell, LineRecords, Records, Reject, Row } from '../../../src/sdk.ts';
import { BINARY_FORM, binaryRows } from './binary.ts';
import { lineRecords } from './line-cells.ts';
import type { LineFields } from './line-cells.ts';
import { lastLineTail, lineTexts } from './lines.ts';
import type { Lines, OversizedLine } from './lines.ts';
import { rowPieces } from './messages.ts';
import type { Messages } from './messages.ts';
import { binaryCells, textCells } from './row-cells.ts';
import { lastCells, splitLine } from './text.ts';
import { isoText } from '../changes/cursor.ts';
import { TEXT_DIALECT } from '../values/decode.ts';
import { orderColumns } from '../read/reading.ts';
import type { Reading } from '../read/reading.ts';

/** Where a row stands: its cursor value (`null`: it has none, or the stream has no order) and its key, as text. */
export interface ReadPlace {
  readonly c: string | null;
  readonly k: readonly string[];
}

/** Rows of one COPY, in its order. */
export interface ReadRows {
  readonly records: Records;
  readonly rejected: readonly Reject[];
  /** Of the last row whose key is readable; `null`: of none. */
  readonly place: ReadPlace | null;
  /** Whether the COPY has ended: nothing follows. The last batch may as well be one that does not know it yet. */
  readonly last: boolean;
}

export interface TakenLines {
  readonly lines: Lines;
  readonly oversized: readonly OversizedLine[];
  readonly last: boolean;
}

/** What the lines of a COPY hold. Where no key can be NULL, nobody looks inside of them yet. */
export function readLines(reading: Reading, { lines, oversized, last }: TakenLines): ReadRows {
  const places = orderColumns(reading).length;
  const beyond = oversized.map((line) => ({ line, cells: lastCells(line.tail, places) }));
  const tooLarge = beyond.map(({ line, cells }) => oversizedReject(reading, line, cells));
  const checked = reading.key.some((column) => !column.notNull) ? checkKeys(reading, lines) : null;
  const lastKept = checked === null ? lines.count - 1 : checked.last;
  const readable = beyond.findLast(({ cells }) => cells !== null && !cells.slice(-reading.key.length).includes(null));
  const lastIsOversized = readable !== undefined && readable.line.after > lastKept;
  const cells = lastIsOversized ? readable.cells : lastKept < 0 ? null : (checked?.lastPlaces ?? placeOfLast(lines, places));
  return {
    records:
      checked?.records ??
      lazyRecords(
        reading,
        () => scanLines(reading, lines),
        lines,
        () => lineRecords(lineFields(reading), lines),
      ),
    rejected: [...tooLarge, ...(checked?.rejected ?? [])],
    place: cells === null ? null : placeAt(reading, cells),
    last,
  };
}

/** Rows that are handed on as they are. */
export function readMessages(reading: Reading, messages: Messages, last: boolean): ReadRows {
  const { count, bytes, pieces, release, lastRowAt } = messages;
  const { shape, wire } = reading;
  const places = reading.placeFields ?? [];
  const lastRow = { pieces, at: lastRowAt };
  return {
    records: wireRecords(reading, pieces, { count, bytes, release }),
    rejected: [],
    place: placeAt(reading, wire === BINARY_FORM ? binaryCells(shape, lastRow, places) : textCells(lastRow, places)),
    last,
  };
}

/**
 * Rows as CopyData messages, in pieces that may be cut anywhere.
 *
 * @param reading as `asWire` makes it
 * @param pieces empty once they were let go
 */
export function wireRecords(
  reading: Reading,
  pieces: readonly Buffer[],
  { count, bytes, release }: { readonly count: number; readonly bytes: number; release?(): void },
): Records {
  const { shape, wire, ref } = reading;
  const rows = (): Iterable<Row> => {
    if (pieces.length === 0) throw new TrueupError('E_BUG', `Rows of '${ref.name}' were asked for after they had been let go.`);
    return wire === BINARY_FORM ? binaryRows(shape, pieces) : scanLines(reading, { pieces: [...rowPieces({ pieces })], count, bytes });
  };
  return { ...lazyRecords(reading, rows, { count, bytes }), form: wire, wire: pieces, ...(release === undefined ? {} : { release }) };
}

function placeAt(reading: Reading, cells: readonly (string | null)[]): ReadPlace {
  return { c: reading.order === null ? null : (cells[0] ?? null), k: cells.slice(-reading.key.length) as string[] };
}

function placeOfLast(lines: Lines, places: number): (string | null)[] {
  const cells = lastCells(lastLineTail(lines), places) ?? lastCells(lastLineTail(lines, Infinity), places);
  if (cells === null) throw new TrueupError('E_BUG', `A row has no more than the ${places} cells of its place.`);
  return cells;
}

/** Rows that stay bytes until somebody keeps them; the bytes are given up for them then. */
function lazyRecords(
  { decoders }: Reading,
  scan: () => Iterable<Row>,
  { count, bytes }: { readonly count: number; readonly bytes: number },
  lines: () => LineRecords | null = () => null,
): Records {
  let held: { readonly scan: () => Iterable<Row> } | { readonly rows: readonly Row[] } = { scan };
  const rows = (): readonly Row[] => {
    if ('scan' in held) held = { rows: [...held.scan()] };
    return held.rows;
  };
  return {
    form: 'cells',
    count,
    bytes,
    textDialect: TEXT_DIALECT,
    rows,
    scan: () => ('scan' in held ? held.scan() : held.rows),
    lines: () => ('scan' in held ? lines() : null),
    decoder: (field) => decoders[field] ?? null,
    slice: (from, to) => cellRecords({ rows: rows(), bytes, textDialect: TEXT_DIALECT, decoders }).slice(from, to),
  };
}

function* scanLines(reading: Reading, lines: Lines): Generator<Row> {
  const width = reading.shape.fields.length;
  for (const cells of lineCells(reading, lines)) {
    cells.length = width;
    yield cells;
  }
}

function lineFields(reading: Reading): LineFields {
  const fields = reading.shape.fields.length;
  return { stream: reading.ref.name, fields, cells: fields + (reading.placeFields === null ? orderColumns(reading).length : 0) };
}

/** The cells of each row, those of its place at the end. */
function* lineCells(reading: Reading, lines: Lines): Generator<(string | null)[]> {
  const expected = lineFields(reading).cells;
  for (const line of lineTexts(lines)) {
    const cells = splitLine(line);
    if (cells.length !== expected)
      throw new TrueupError('E_BUG', `A row of '${reading.ref.name}' has ${cells.length} cells, expected ${expected}.`);
    yield cells;
  }
}

interface CheckedRows {
  readonly records: Records;
  readonly rejected: readonly Reject[];
  /** Index among the lines of the last one whose key is whole, -1: none; and the cells of its place. */
  readonly last: number;
  readonly lastPlaces: (string | null)[] | null;
}

/** Keeps the rows whose key has no NULL. */
function checkKeys(reading: Reading, lines: Lines): CheckedRows {
  const { shape, ref, decoders } = reading;
  const width = shape.fields.length;
  const rows: Row[] = [];
  const rejected: Reject[] = [];
  let last = -1;
  let lastPlaces: (string | null)[] | null = null;
  let index = 0;
  for (const cells of lineCells(reading, lines)) {
    const place = cells.slice(width);
    if (shape.key.some((field) => cells[field] === null)) {
      const message = `A row of '${ref.name}' has NULL in its key (${ref.key.join(', ')}), so it cannot be told apart.`;
      rejected.push({ position: cellsText(place), code: 'E_RECORD_UNREADABLE', message });
    } else {
      last = index;
      lastPlaces = place;
      cells.length = width;
      rows.push(cells);
    }
    index++;
  }
  return { records: cellRecords({ rows, bytes: lines.bytes, textDialect: TEXT_DIALECT, decoders }), rejected, last, lastPlaces };
}

export function cellsText(cells: readonly (string | null)[]): string {
  return cells.map((cell) => (cell === null ? 'NULL' : isoText(cell))).join(' ');
}

function oversizedReject(reading: Reading, line: OversizedLine, cells: readonly (string | null)[] | null): Reject {
  const { ref, keyDecoders } = reading;
  const key = cells?.slice(-ref.key.length).map((cell, index): Cell => {
    const decode = keyDecoders[index] ?? null;
    return cell === null || decode === null ? cell : decode(cell);
  });
  return {
    ...(key === undefined || key.includes(null) ? {} : { key }),
    position: cells === null ? 'unknown' : cellsText(cells),
    code: 'E_RECORD_TOO_LARGE',
    message: `A row of '${ref.name}' weighs ${line.bytes} bytes, more than maxRecordBytes (${ref.maxRecordBytes}).`,
  };
}
