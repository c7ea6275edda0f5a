import type { Readable } from 'node:stream';
import { TrueupError, cellRecords } from '../../src/sdk.ts';
import type { Batch, Cursor, Position } from '../../src/sdk.ts';
import { lineCollector } from './copy-lines.ts';
import { cellsText, readLines } from './copy-rows.ts';
import type { ReadPlace, ReadRows } from './copy-rows.ts';
import { TEXT_DIALECT } from './decode.ts';
import { parseInstant } from './instant.ts';
import { orderColumns } from './reading.ts';
import type { Reading } from './reading.ts';
import type { Session } from './session.ts';

export interface BatchLimits {
  readonly batchRows: number;
  readonly batchBytes: number;
}

/** A string and its place in the row, beside its characters (V8, 64 bit). So many small cells make shorter batches. */
const CELL_BYTES = 24;

/**
 * Streams a SELECT of `selectSql` through COPY, in batches. The server is never further ahead than the socket's buffers, so memory is bounded
 * by bytes whatever the rows weigh. Ending the iteration early ends the session.
 */
export async function* readRows(session: Session, reading: Reading, select: string, limits: BatchLimits): AsyncGenerator<ReadRows> {
  const collector = lineCollector({
    count: limits.batchRows,
    bytes: limits.batchBytes,
    perLine: CELL_BYTES * (reading.shape.fields.length + orderColumns(reading).length),
    lineBytes: reading.ref.maxRecordBytes,
  });
  for await (const chunk of copyOut(session, select)) {
    for (let at = 0; at < chunk.length;) {
      at = collector.add(chunk, at);
      if (collector.full) yield readLines(reading, { ...collector.take(), last: false });
    }
  }
  if (collector.open)
    throw new TrueupError('E_CONNECTION_LOST', `The server's COPY of '${reading.ref.name}' ended in the middle of a row.`);
  if (!collector.empty) yield readLines(reading, { ...collector.take(), last: true });
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

/** A batch of the contract over rows that were read. `cursor`: safe to resume after it. */
export function batchOf(reading: Reading, read: ReadRows, cursor: Cursor | null): Batch {
  return {
    stream: reading.ref.name,
    shape: reading.shape,
    records: read.records,
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
