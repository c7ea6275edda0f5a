import { TrueupError, cellRecords } from '../../../src/sdk.ts';
import type { Batch, Cursor, Position } from '../../../src/sdk.ts';
import { BINARY_FORM, signatureStripper } from './binary.ts';
import { lineCollector } from './lines.ts';
import { messageCollector } from './messages.ts';
import type { Messages } from './messages.ts';
import { copyItems, copyOut } from './out.ts';
import { cellsText, readLines, readMessages } from './rows.ts';
import type { ReadPlace, ReadRows } from './rows.ts';
import { TEXT_DIALECT } from '../values/decode.ts';
import { parseInstant } from '../values/instant.ts';
import { orderColumns } from '../read/reading.ts';
import type { Reading, WireForm } from '../read/reading.ts';
import type { Session } from '../session/session.ts';

export interface BatchLimits {
  readonly batchRows: number;
  readonly batchBytes: number;
  /** Of the first batch of each SELECT, where it is to be smaller. */
  readonly firstBytes?: number;
  /** The format in which rows may be handed on as the server sends them. */
  readonly wire?: WireForm | undefined;
}

/** A string and its place in the row, beside its characters (V8, 64 bit). So many small cells make shorter batches. */
const CELL_BYTES = 24;

/**
 * Streams a SELECT of `selectSql` through COPY, in batches. The server is never further ahead than the socket's buffers, so memory is bounded
 * by bytes whatever the rows weigh. Ending the iteration early ends the session.
 */
export async function* readRows(session: Session, reading: Reading, select: string, limits: BatchLimits): AsyncGenerator<ReadRows> {
  if (reading.placeFields !== null) {
    yield* readWire(session, reading, select, limits);
    return;
  }
  const size = batchSize(limits);
  const collector = lineCollector({
    get count() {
      return limits.batchRows;
    },
    get bytes() {
      return size.bytes;
    },
    perLine: CELL_BYTES * (reading.shape.fields.length + orderColumns(reading).length),
    lineBytes: reading.ref.maxRecordBytes,
  });
  for await (const chunk of copyOut(session, select)) {
    for (let at = 0; at < chunk.length;) {
      at = collector.add(chunk, at);
      if (!collector.full) continue;
      size.filled();
      yield readLines(reading, { ...collector.take(), last: false });
    }
  }
  if (collector.open) throw cutShort(reading);
  if (!collector.empty) yield readLines(reading, { ...collector.take(), last: true });
}

/** Rows that are handed on as they are. @throws {OversizedRowFound} */
async function* readWire(session: Session, reading: Reading, select: string, limits: BatchLimits): AsyncGenerator<ReadRows, void> {
  const binary = reading.wire === BINARY_FORM;
  const size = batchSize(limits);
  const collector = messageCollector(
    {
      get count() {
        return limits.batchRows;
      },
      get bytes() {
        return size.bytes;
      },
      rowBytes: reading.ref.maxRecordBytes,
      binary,
    },
    session.slabs,
  );
  const strip = binary ? signatureStripper() : (run: Buffer) => run;
  const batches = copyItems<Messages>(session, `copy (${select}) to stdout${binary ? ' with (format binary)' : ''}`, (given, put) => {
    const run = strip(given);
    for (let at = 0; at < run.length;) {
      at = collector.add(run, at);
      if (!collector.full) continue;
      size.filled();
      put(collector.take());
    }
  });
  for await (const messages of batches) yield readMessages(reading, messages, false);
  if (collector.open) throw cutShort(reading);
  if (!collector.empty) yield readMessages(reading, collector.take(), true);
}

/** What the batch at hand may hold. */
function batchSize(limits: BatchLimits): { readonly bytes: number; filled(): void } {
  let isFirst = true;
  return {
    get bytes() {
      return isFirst ? Math.min(limits.firstBytes ?? Infinity, limits.batchBytes) : limits.batchBytes;
    },
    filled: () => (isFirst = false),
  };
}

function cutShort({ ref }: Reading): TrueupError {
  return new TrueupError('E_CONNECTION_LOST', `The server's COPY of '${ref.name}' ended in the middle of a row.`);
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
