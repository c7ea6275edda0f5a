import { OP, cellRecords } from '../../../src/sdk.ts';
import type { Batch, Cursor, Position, Records, Reject, Row } from '../../../src/sdk.ts';
import type { Slabs } from '../copy/slabs.ts';
import { TEXT_DIALECT } from '../values/decode.ts';
import type { Reading } from '../read/reading.ts';
import { createWirePart } from './wire-part.ts';
import type { WirePart } from './wire-part.ts';
import type { WireTable } from './wire-table.ts';

/*
 * Changes that were read and not handed over yet, by stream. Within a stream they keep their order; streams follow each other in the order in which they
 * came first. So the changes of many small transactions over several tables make few batches. What transactions that have ended changed is `whole`; behind it
 * stands what the one that is being read has changed so far.
 */

/** Where the changes of a stream go. */
export interface ChangeSink {
  add(reading: Reading, op: number, row: Row, bytes: number): void;
  reject(reading: Reading, reject: Reject): void;
}

export interface Pending extends ChangeSink {
  readonly rows: number;
  readonly bytes: number;
  /** Of the rows, those of transactions that have ended. */
  readonly wholeRows: number;
  /** Where changes go whose new rows stay bytes. @param bytes of the change */
  wire(table: WireTable, bytes: number): WirePart;
  /** The transaction that was being read has ended. */
  endTransaction(): void;
  /** What is whole, the last batch with the cursor. */
  takeWhole(cursor: Cursor, position: Position, committedMs?: number): Batch[];
  /** Everything, as a part of the transaction that is being read. */
  takePart(position: Position): Batch[];
}

interface StreamPart {
  readonly reading: Reading;
  rows: Row[];
  ops: number[];
  rejected: Reject[];
  wire: WirePart | null;
  /** Changes of every kind. */
  count: number;
  bytes: number;
  /** How much of it is whole. */
  whole: { rows: number; rejected: number; count: number; bytes: number };
}

export function createPending(slabs: Slabs): Pending {
  const streams = new Map<string, StreamPart>();
  let rows = 0;
  let bytes = 0;
  let whole = { rows: 0, bytes: 0 };

  const partOf = (reading: Reading): StreamPart => {
    const known = streams.get(reading.ref.name);
    if (known !== undefined) return known;
    const part: StreamPart = { reading, rows: [], ops: [], rejected: [], wire: null, count: 0, bytes: 0, whole: nothingWhole() };
    streams.set(reading.ref.name, part);
    return part;
  };
  const count = (part: StreamPart, size: number): void => {
    part.count += 1;
    part.bytes += size;
    rows += 1;
    bytes += size;
  };
  const endTransaction = (): void => {
    for (const part of streams.values()) {
      part.whole = { rows: part.rows.length, rejected: part.rejected.length, count: part.count, bytes: part.bytes };
      part.wire?.fold();
    }
    whole = { rows, bytes };
  };
  const take = (position: Position, cursor: Cursor | null): Batch[] => {
    const batches = [...streams.values()].flatMap((part) => takeFrom(part, position));
    for (const [name, part] of streams) if (part.count === 0) streams.delete(name);
    rows -= whole.rows;
    bytes -= whole.bytes;
    whole = { rows: 0, bytes: 0 };
    return batches.map((batch, index) => (index === batches.length - 1 ? { ...batch, cursor } : batch));
  };

  return {
    get rows() {
      return rows;
    },
    get bytes() {
      return bytes;
    },
    get wholeRows() {
      return whole.rows;
    },
    add(reading, op, row, size) {
      const part = partOf(reading);
      part.rows.push(row);
      part.ops.push(op);
      count(part, size);
    },
    reject(reading, reject) {
      const part = partOf(reading);
      part.rejected.push(reject);
      count(part, 0);
    },
    wire(table, size) {
      const part = partOf(table.reading);
      count(part, size);
      return (part.wire ??= createWirePart(table, slabs));
    },
    endTransaction,
    takeWhole: (cursor, position, committedMs) =>
      take(position, cursor).map((batch) => (committedMs === undefined ? batch : { ...batch, committedMs })),
    takePart(position) {
      endTransaction();
      return take(position, null);
    },
  };
}

function nothingWhole(): StreamPart['whole'] {
  return { rows: 0, rejected: 0, count: 0, bytes: 0 };
}

/** The batches of what is whole of a stream. */
function takeFrom(part: StreamPart, position: Position): Batch[] {
  const { reading, whole } = part;
  const folded = part.wire?.take() ?? { rows: [], ops: [], written: [], coalesced: 0 };
  const [rows, ops, rejected] = [part.rows.splice(0, whole.rows), part.ops.splice(0, whole.rows), part.rejected.splice(0, whole.rejected)];
  const bytes = whole.bytes;
  part.count -= whole.count;
  part.bytes -= bytes;
  part.whole = nothingWhole();
  const cells = (some: readonly Row[], weight: number) =>
    cellRecords({ rows: some, bytes: weight, textDialect: TEXT_DIALECT, decoders: reading.decoders });
  const made: Batch[] = [];
  const add = (records: Records, of: readonly number[], more: Partial<Batch>): void => {
    const upserts = of.every((op) => op === OP.upsert);
    made.push({
      stream: reading.ref.name,
      shape: reading.shape,
      records,
      ops: upserts ? null : Uint8Array.from(of),
      distinctKeys: false,
      cursor: null,
      position,
      ...more,
    });
  };
  const wireBytes = folded.written.reduce((sum, { records }) => sum + records.bytes, 0);
  if (rows.length + rejected.length > 0) add(cells(rows, bytes), ops, rejected.length > 0 ? { rejected } : {});
  // Removed rows go first: their unique values are then free for others.
  if (folded.rows.length > 0) add(cells(folded.rows, Math.max(0, bytes - wireBytes)), folded.ops, { distinctKeys: true });
  for (const { records, fresh } of folded.written) add(records, [], { distinctKeys: true, ...(fresh ? { fresh } : {}) });
  const last = made.at(-1);
  if (last !== undefined && folded.coalesced > 0) made[made.length - 1] = { ...last, coalesced: folded.coalesced };
  return made;
}
