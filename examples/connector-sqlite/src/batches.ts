import { OP, cellRecords } from 'trueup/sdk';
import type { Batch, Cell, Cursor, Position, Reject, Row } from 'trueup/sdk';
import type { Value } from './file.ts';
import { bytesOf, readRow } from './view.ts';
import type { View } from './view.ts';

/** Gathers one batch: rows, deletes and rejects of one stream, in order. */
export interface Gathering {
  readonly count: number;
  readonly bytes: number;
  upsert(values: readonly Value[]): void;
  /** Key cells in key order, as carriers. */
  remove(key: readonly Cell[]): void;
  reject(reject: Reject): void;
  batch(cursor: Cursor | null, position: Position): Batch;
}

export function gather(view: View): Gathering {
  const rows: Row[] = [];
  const ops: number[] = [];
  const rejected: Reject[] = [];
  let bytes = 0;
  const { shape, stream } = view;
  return {
    get count() {
      return rows.length + rejected.length;
    },
    get bytes() {
      return bytes;
    },
    upsert(values) {
      const read = readRow(view, values);
      if ('reject' in read) return void rejected.push(read.reject);
      bytes += bytesOf(values);
      rows.push(read.row);
      ops.push(OP.upsert);
    },
    remove(key) {
      const row: Cell[] = shape.fields.map(() => undefined);
      for (const [place, index] of shape.key.entries()) row[index] = key[place];
      rows.push(row);
      ops.push(OP.delete);
    },
    reject: (reject) => void rejected.push(reject),
    batch: (cursor, position) => ({
      stream: stream.name,
      shape,
      records: cellRecords({ rows, bytes }),
      ops: ops.every((op) => op === OP.upsert) ? null : Uint8Array.from(ops),
      distinctKeys: true,
      cursor,
      position,
      ...(rejected.length > 0 ? { rejected } : {}),
    }),
  };
}
