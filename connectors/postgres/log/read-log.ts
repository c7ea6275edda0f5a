import { cellRecords } from '../../../src/sdk.ts';
import type { Batch, FetchRequest } from '../../../src/sdk.ts';
import type { Slabs } from '../copy/slabs.ts';
import { TEXT_DIALECT } from '../values/decode.ts';
import { addChange, truncated } from './changes.ts';
import { writeLogCursor } from './cursor.ts';
import type { LogCatalog } from './log-catalog.ts';
import { lsnText } from './lsn.ts';
import type { Lsn } from './lsn.ts';
import { createPending } from './pending.ts';
import {
  BEGIN,
  COMMIT,
  DELETE,
  INSERT,
  RELATION,
  TRUNCATE,
  UPDATE,
  readBegin,
  readCommitEnd,
  readInt32,
  readRelation,
  readTruncate,
} from './pgoutput.ts';
import type { BeginMessage, Reader } from './pgoutput.ts';
import type { Published } from './published.ts';
import type { LogStream } from './replication.ts';
import { addWireChange } from './wire-change.ts';
import { KEEPALIVE, XLOG_DATA, XLOG_HEADER, readKeepalive } from './wire.ts';

/** How long a few changes are waited on for more to come (ms): a batch of one row costs the target as much as one of a hundred. */
const LINGER_MS = { drain: 250, follow: 10 };
/** Progress without records is told this often (ms). */
const PROGRESS_MS = 1000;
/** How often the server is asked whether it has come to the end: at first, and at most (ms). */
const ASK_MS = { first: 10, most: 500 };
/** The longest time without looking around (ms). */
const WAIT_MS = 1000;

/** A row must be looked into, and stands in the log as its types send it. */
export class CellsNeeded extends Error {
  override readonly name = 'CellsNeeded';
}

export interface LogRead {
  readonly stream: LogStream;
  readonly catalog: LogCatalog;
  readonly slot: string;
  readonly timeline: string;
  readonly published: Published;
  /** Cells are as the types send them. */
  readonly binary: boolean;
  readonly from: Lsn;
  /** drain: where the log ends; follow: `null`. */
  readonly target: Lsn | null;
  /** Memory for rows that stay bytes. */
  readonly slabs: Slabs;
  readonly limits: { readonly rows: number; readonly bytes: number };
  readonly maxDelayMs: number;
  readonly signal: AbortSignal;
  /** Told of every transaction that was read to its end. */
  onTransaction(xid: number): void;
}

/**
 * Reads the log into batches. Their cursor stands behind whole transactions only; one that is too large for a batch is handed over in several, without
 * a cursor until its end. Returns where the feed stands.
 */
export async function* readLog(read: LogRead): AsyncGenerator<Batch, Lsn> {
  const { stream, catalog, limits, signal } = read;
  const { frames } = stream;
  const lingerMs = read.target === null ? Math.min(read.maxDelayMs, LINGER_MS.follow) : LINGER_MS.drain;
  const reader: Reader = { bytes: frames.bytes, at: 0 };
  const pending = createPending(read.slabs);
  let transaction: BeginMessage | null = null;
  /** Whether a part of a transaction was handed over whose end was not. */
  let begun = false;
  let delivered = read.from;
  let at = read.from;
  let timeMs: number | undefined;
  /** Of the oldest transaction since the last cursor that has something for us. */
  let committedMs: number | undefined;
  let firstAt = 0;
  let toldAt = performance.now();
  let askMs = ASK_MS.first;
  let askAt = 0;

  const position = () => ({ text: lsnText(at), ...(timeMs === undefined ? {} : { timeMs }) });
  const cursor = () =>
    writeLogCursor({ kind: 'log', lsn: lsnText(at), timeline: read.timeline, slot: read.slot, published: read.published });
  const handOver = (): Batch[] => {
    delivered = at;
    begun = false;
    toldAt = performance.now();
    const since = committedMs;
    committedMs = undefined;
    return pending.wholeRows === 0 ? [progress(catalog, cursor(), position())] : pending.takeWhole(cursor(), position(), since);
  };
  const handOverPart = (): Batch[] => {
    begun = true;
    return pending.takePart(position());
  };
  const isFull = () => pending.rows >= limits.rows || pending.bytes >= limits.bytes;

  for (;;) {
    if (signal.aborted) throw signal.reason;
    const kind = stream.take();
    reader.bytes = frames.bytes;
    if (kind === XLOG_DATA) {
      reader.at = frames.start + XLOG_HEADER;
      const what = reader.bytes[reader.at++] as number;
      if (what === INSERT || what === UPDATE || what === DELETE) {
        const table = catalog.table(readInt32(reader));
        if (table) {
          const change = { kind: what, reader, bytes: frames.end - reader.at };
          if (table.wire !== null) addWireChange(pending, table, table.wire, change);
          else if (read.binary) throw new CellsNeeded();
          else addChange(pending, table, change);
        }
      } else if (what === BEGIN) transaction = readBegin(reader);
      else if (what === COMMIT) {
        at = readCommitEnd(reader);
        timeMs = transaction?.timeMs;
        read.onTransaction(transaction?.xid ?? 0);
        if (pending.wholeRows === 0) firstAt = performance.now();
        if (pending.rows > pending.wholeRows) committedMs ??= timeMs;
        pending.endTransaction();
        transaction = null;
        if (pending.wholeRows > 0 && performance.now() - firstAt >= read.maxDelayMs) yield* handOver();
        // What goes on being written is for the next drain.
        if (read.target !== null && at >= read.target) break;
      } else if (what === TRUNCATE)
        for (const oid of readTruncate(reader)) {
          const table = catalog.table(oid);
          if (table) truncated(table, pending);
        }
      else if (what === RELATION && (await catalog.describe(readRelation(reader), signal))) {
        if (pending.wholeRows > 0) yield* handOver();
        if (pending.rows > 0) yield* handOverPart();
      }
      if (!isFull()) continue;
      if (pending.wholeRows > 0) yield* handOver();
      if (isFull()) yield* handOverPart();
      continue;
    }
    if (kind === KEEPALIVE) {
      const { end, wantsReply } = readKeepalive(frames.bytes, frames.start);
      if (transaction === null && pending.rows === 0 && end > at) at = end;
      stream.received(end);
      if (wantsReply) stream.reply();
      continue;
    }
    // Nothing has arrived.
    const now = performance.now();
    if (pending.wholeRows > 0 || (begun && transaction === null)) {
      const leftMs = firstAt + lingerMs - now;
      if (leftMs <= 0 || begun) yield* handOver();
      else await stream.arrived(leftMs, signal);
      continue;
    }
    if (transaction === null && read.target !== null && at >= read.target) break;
    if (transaction === null && at > delivered && now - toldAt > PROGRESS_MS) {
      yield* handOver();
      continue;
    }
    if (read.target !== null && now >= askAt) {
      stream.ask();
      askAt = now + askMs;
      askMs = Math.min(askMs * 2, ASK_MS.most);
    }
    await stream.arrived(read.target === null ? WAIT_MS : Math.max(1, askAt - now), signal);
  }
  if (at > delivered || pending.wholeRows > 0) yield* handOver();
  return at;
}

/** Progress without records. */
function progress(catalog: LogCatalog, cursor: Batch['cursor'], position: Batch['position']): Batch {
  const { shape, decoders } = catalog.any();
  const records = cellRecords({ rows: [], bytes: 0, textDialect: TEXT_DIALECT, decoders });
  return { stream: null, shape, records, ops: null, distinctKeys: true, cursor, position };
}

/** What of a request the reading of a log goes by. */
export function limitsOf({ batchRows, batchBytes }: Pick<FetchRequest, 'batchRows' | 'batchBytes'>): LogRead['limits'] {
  return { rows: batchRows, bytes: batchBytes };
}
