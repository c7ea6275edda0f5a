import { OP, cellRecords } from '../../src/sdk.ts';
import type { Batch, Cursor, Op, Position, Reject, Row, Shape } from '../../src/sdk.ts';
import { rowBytes } from './cells.ts';
import { textsOf } from './cursor.ts';

/** A change on its way into a batch. */
export interface Found {
  readonly stream: string;
  readonly shape: Shape;
  readonly op: Op;
  /** Aligned to `shape`; of a delete and a touch only the key cells are set. */
  readonly row: Row;
  /** Where a reader may resume after it; `null`: nowhere. */
  readonly cursor: Cursor | null;
  readonly position: Position;
}

export interface BatchLimits {
  readonly rows: number;
  readonly bytes: number;
  readonly recordBytes: number;
}

/** Groups changes into batches of one stream and shape, within the limits; a single record over `bytes` travels alone. */
export function* batches(found: Iterable<Found>, limits: BatchLimits, distinctKeys: boolean): Generator<Batch> {
  let group: Found[] = [];
  let bytes = 0;
  for (const next of found) {
    const size = rowBytes(next.row);
    const first = group[0];
    const full = group.length >= limits.rows || bytes + size > limits.bytes || first?.shape !== next.shape || first.stream !== next.stream;
    if (first !== undefined && full) {
      yield toBatch(group, limits, distinctKeys);
      group = [];
      bytes = 0;
    }
    group.push(next);
    bytes += size;
  }
  if (group.length > 0) yield toBatch(group, limits, distinctKeys);
}

function toBatch(group: readonly Found[], limits: BatchLimits, distinctKeys: boolean): Batch {
  const { stream, shape, cursor, position } = group.at(-1) as Found;
  const isTooLarge = (found: Found): boolean => rowBytes(found.row) > limits.recordBytes;
  const fits = group.filter((found) => !isTooLarge(found));
  const rejected = group.filter(isTooLarge).map((found) => tooLarge(found, limits.recordBytes));
  const rows = fits.map((found) => found.row);
  const ops = fits.every((found) => found.op === 'upsert') ? null : Uint8Array.from(fits, (found) => OP[found.op]);
  const records = cellRecords({ rows, bytes: rows.reduce((sum, row) => sum + rowBytes(row), 0) });
  return { stream, shape, records, ops, distinctKeys, cursor, position, ...(rejected.length > 0 ? { rejected } : {}) };
}

function tooLarge(found: Found, limit: number): Reject {
  const key = found.shape.key.map((index) => found.row[index]);
  const message = `The record weighs ${rowBytes(found.row)} bytes, more than maxRecordBytes (${limit}).`;
  return { key, position: textsOf(key).join(' '), code: 'E_RECORD_TOO_LARGE', message };
}

/** Progress without records. */
export function progress(shape: Shape, cursor: Cursor, position: Position): Batch {
  return { stream: null, shape, records: cellRecords({ rows: [], bytes: 0 }), ops: null, distinctKeys: true, cursor, position };
}
