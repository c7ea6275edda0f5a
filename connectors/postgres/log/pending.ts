import { OP, cellRecords } from '../../../src/sdk.ts';
import type { Batch, Cursor, Position, Reject, Row } from '../../../src/sdk.ts';
import { TEXT_DIALECT } from '../values/decode.ts';
import type { Reading } from '../read/reading.ts';

/*
 * Changes that were read and not handed over yet, by stream. Within a stream they keep their order; streams follow each other in the order in which they
 * came first. So the changes of many small transactions over several tables make few batches.
 */

interface StreamPart {
  readonly reading: Reading;
  readonly rows: Row[];
  readonly ops: number[];
  readonly rejected: Reject[];
  bytes: number;
}

export interface Pending {
  readonly rows: number;
  readonly bytes: number;
  add(reading: Reading, op: number, row: Row, bytes: number): void;
  reject(reading: Reading, reject: Reject): void;
  /** Takes over everything of `other`, which is empty then. */
  append(other: Pending): void;
  /** The batches, the last with the cursor; empty again. */
  take(cursor: Cursor | null, position: Position, committedMs?: number): Batch[];
  parts(): Map<string, StreamPart>;
  clear(): void;
}

export function createPending(): Pending {
  let streams = new Map<string, StreamPart>();
  let rows = 0;
  let bytes = 0;

  const partOf = (reading: Reading): StreamPart => {
    const known = streams.get(reading.ref.name);
    if (known !== undefined) return known;
    const part: StreamPart = { reading, rows: [], ops: [], rejected: [], bytes: 0 };
    streams.set(reading.ref.name, part);
    return part;
  };

  return {
    get rows() {
      return rows;
    },
    get bytes() {
      return bytes;
    },
    add(reading, op, row, size) {
      const part = partOf(reading);
      part.rows.push(row);
      part.ops.push(op);
      part.bytes += size;
      rows += 1;
      bytes += size;
    },
    reject(reading, reject) {
      partOf(reading).rejected.push(reject);
      rows += 1;
    },
    append(other) {
      if (rows === 0) streams = other.parts();
      else
        for (const from of other.parts().values()) {
          const part = partOf(from.reading);
          for (let index = 0; index < from.rows.length; index += 1) {
            part.rows.push(from.rows[index] as Row);
            part.ops.push(from.ops[index] as number);
          }
          part.rejected.push(...from.rejected);
          part.bytes += from.bytes;
        }
      rows += other.rows;
      bytes += other.bytes;
      other.clear();
    },
    take(cursor, position, committedMs) {
      const parts = [...streams.values()];
      const batches = parts.map((part, index) => ({
        ...batchOf(part, index === parts.length - 1 ? cursor : null, position),
        ...(committedMs === undefined ? {} : { committedMs }),
      }));
      this.clear();
      return batches;
    },
    parts: () => streams,
    clear() {
      streams = new Map();
      rows = bytes = 0;
    },
  };
}

function batchOf({ reading, rows, ops, rejected, bytes }: StreamPart, cursor: Cursor | null, position: Position): Batch {
  return {
    stream: reading.ref.name,
    shape: reading.shape,
    records: cellRecords({ rows, bytes, textDialect: TEXT_DIALECT, decoders: reading.decoders }),
    ops: ops.every((op) => op === OP.upsert) ? null : Uint8Array.from(ops),
    distinctKeys: false,
    cursor,
    position,
    ...(rejected.length > 0 ? { rejected } : {}),
  };
}
