import type { Readable } from 'node:stream';
import { TrueupError, cellRecords } from '../../src/sdk.ts';
import type { Batch, Cell, Cursor, Position, Reject, Row } from '../../src/sdk.ts';
import { lastCells, lineSplitter, splitLine } from './copy-text.ts';
import type { Line, OversizedLine } from './copy-text.ts';
import { isoText } from './cursor.ts';
import { TEXT_DIALECT } from './decode.ts';
import { parseInstant } from './instant.ts';
import { orderColumns } from './reading.ts';
import type { Reading } from './reading.ts';
import type { Session } from './session.ts';

/** A string and its place in the row, beside its characters (V8, 64 bit). */
const CELL_BYTES = 24;

export interface BatchLimits {
  readonly batchRows: number;
  readonly batchBytes: number;
}

/** Where a row stands: its cursor value (`null`: it has none, or the stream has no order) and its key, as text. */
export interface ReadPlace {
  readonly c: string | null;
  readonly k: readonly string[];
}

/** Rows of one COPY, in its order. */
export interface ReadRows {
  readonly rows: readonly Row[];
  readonly bytes: number;
  readonly rejected: readonly Reject[];
  /** Whether the COPY has ended: nothing follows. The last batch may as well be one that does not know it yet. */
  readonly last: boolean;
  /** Of the last row whose key is readable; `null`: of none. */
  readonly place: ReadPlace | null;
}

/**
 * Streams a SELECT of `selectSql` through COPY, in batches. The server is never further ahead than the socket's buffers, so memory is bounded
 * by bytes whatever the rows weigh. Ending the iteration early ends the session.
 */
export async function* readRows(session: Session, reading: Reading, select: string, limits: BatchLimits): AsyncGenerator<ReadRows> {
  const batch = openBatch(reading);
  const splitter = lineSplitter(reading.ref.maxRecordBytes);
  for await (const chunk of copyOut(session, select)) {
    for (const line of splitter.push(chunk)) {
      batch.add(line);
      if (batch.count >= limits.batchRows || batch.weight >= limits.batchBytes) yield batch.take(false);
    }
  }
  if (splitter.open) throw new TrueupError('E_CONNECTION_LOST', `The server's COPY of '${reading.ref.name}' ended in the middle of a row.`);
  if (batch.count > 0) yield batch.take(true);
}

async function* copyOut(session: Session, select: string): AsyncGenerator<Buffer> {
  const { to } = await import('pg-copy-streams');
  const stream: Readable = session.client.query(to(`copy (${select}) to stdout`));
  let ended = false;
  try {
    for await (const chunk of stream) yield chunk as Buffer;
    ended = true;
  } catch (error) {
    ended = true;
    throw session.fault(error);
  } finally {
    if (!ended) session.destroy();
  }
}

function openBatch(reading: Reading) {
  const width = reading.shape.fields.length;
  const places = orderColumns(reading).length;
  const checkKey = reading.key.some((column) => !column.notNull);
  let rows: Row[] = [];
  let rejected: Reject[] = [];
  let bytes = 0;
  let weight = 0;
  let lastLine: string | null = null;
  let place: ReadPlace | null = null;
  const placeAt = (cells: readonly (string | null)[]): ReadPlace => ({
    c: reading.order === null ? null : (cells[0] ?? null),
    k: cells.slice(-reading.key.length) as string[],
  });

  const addLine = (line: string) => {
    bytes += line.length;
    weight += line.length + (width + places) * CELL_BYTES;
    const cells = splitLine(line);
    if (cells.length !== width + places)
      throw new TrueupError('E_BUG', `A row of '${reading.ref.name}' has ${cells.length} cells, expected ${width + places}.`);
    if (checkKey && reading.shape.key.some((index) => cells[index] === null)) {
      rejected.push({
        position: cellsText(cells.slice(width)),
        code: 'E_RECORD_UNREADABLE',
        message: `A row of '${reading.ref.name}' has NULL in its key (${reading.ref.key.join(', ')}), so it cannot be told apart.`,
      });
      return;
    }
    lastLine = line;
    cells.length = width;
    rows.push(cells);
  };
  const addOversized = (line: OversizedLine) => {
    const cells = lastCells(line.tail, places);
    if (cells !== null && !cells.slice(-reading.key.length).includes(null)) {
      place = placeAt(cells);
      lastLine = null;
    }
    rejected.push(oversized(reading, line, cells));
  };
  return {
    get count() {
      return rows.length + rejected.length;
    },
    /** What the rows take in memory, which for many small cells is several times their text. */
    get weight() {
      return weight;
    },
    add(line: Line) {
      if (typeof line === 'string') addLine(line);
      else addOversized(line);
    },
    take(last: boolean): ReadRows {
      if (lastLine !== null) place = placeAt(splitLine(lastLine).slice(width));
      const taken = { rows, bytes, rejected, last, place };
      rows = [];
      rejected = [];
      bytes = weight = 0;
      lastLine = null;
      place = null;
      return taken;
    },
  };
}

function cellsText(cells: readonly (string | null)[]): string {
  return cells.map((cell) => (cell === null ? 'NULL' : isoText(cell))).join(' ');
}

function oversized(reading: Reading, line: OversizedLine, cells: readonly (string | null)[] | null): Reject {
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

/** A batch of the contract over rows that were read. `cursor`: safe to resume after it. */
export function batchOf(reading: Reading, read: ReadRows, cursor: Cursor | null): Batch {
  return {
    stream: reading.ref.name,
    shape: reading.shape,
    records: cellRecords({ rows: read.rows, bytes: read.bytes, textDialect: TEXT_DIALECT, decoders: reading.decoders }),
    ops: null,
    distinctKeys: reading.keyIsUnique,
    cursor,
    position: positionOf(reading, read.place),
    ...(read.rejected.length > 0 ? { rejected: read.rejected } : {}),
  };
}

/** Progress without records. */
export function progressOf(reading: Reading, cursor: Cursor, place: ReadPlace | null): Batch {
  const records = cellRecords({ rows: [], bytes: 0, textDialect: TEXT_DIALECT, decoders: reading.decoders });
  return { stream: null, shape: reading.shape, records, ops: null, distinctKeys: true, cursor, position: positionOf(reading, place) };
}

function positionOf(reading: Reading, place: ReadPlace | null): Position {
  if (place === null) return { text: reading.order === null ? 'by transaction' : 'the beginning' };
  const text = cellsText([...(reading.order === null ? [] : [place.c]), ...place.k]);
  if (reading.orderKind !== 'instant' || place.c === null || place.c.endsWith('infinity')) return { text };
  return { text, timeMs: Number(parseInstant(place.c) / 1000n) };
}
