import { OP } from '../../src/sdk.ts';
import type { Batch, Cell, FetchRequest, Reject } from '../../src/sdk.ts';
import { writeCursor } from './cursor.ts';
import type { FilesCursor } from './cursor.ts';
import type { Decoder } from './decode.ts';
import { holdRecords } from './held-records.ts';
import type { View } from './knowledge.ts';
import type { SeenKeys } from './seen-keys.ts';
import type { Slabs } from './slabs.ts';

/** A string and its place in the row, beside its characters (V8, 64 bit). So many small cells make shorter batches. */
const CELL_BYTES = 24;

/** What groups of one reader use one after another. */
export interface GroupMemory {
  readonly slabs: Slabs;
  readonly seen: SeenKeys;
}

export type GroupLimits = Pick<FetchRequest, 'batchRows' | 'batchBytes'>;

/** The records of a batch while they come together. */
export interface RecordGroup {
  readonly isEmpty: boolean;
  /** Whether a record of this size still belongs to it. */
  takes(size: number): boolean;
  add(bytes: Buffer, op: number, key: readonly Cell[]): void;
  reject(reject: Reject): void;
  /** @param decoder that the records were checked with */
  batch(decoder: Decoder, after: { readonly file: string; readonly line: number; readonly cursor: FilesCursor }): Batch;
}

export function openGroup({ ref, shape }: View, { batchRows, batchBytes }: GroupLimits, { slabs, seen }: GroupMemory): RecordGroup {
  const held = holdRecords(slabs);
  /** `null`: upserts, all of them. */
  let ops: number[] | null = null;
  const rejected: Reject[] = [];
  seen.clear();
  const perRecord = CELL_BYTES * shape.fields.length;
  return {
    get isEmpty() {
      return held.count + rejected.length === 0;
    },
    takes: (size) =>
      held.count + rejected.length === 0 ||
      (held.count + rejected.length < batchRows && held.bytes + size + (held.count + 1) * perRecord <= batchBytes),
    add(bytes, op, key) {
      held.add(bytes);
      if (op !== OP.upsert) ops ??= Array.from({ length: held.count - 1 }, () => OP.upsert);
      ops?.push(op);
      seen.add(key);
    },
    reject: (reject) => void rejected.push(reject),
    batch: (decoder, { file, line, cursor }) => ({
      stream: ref.name,
      shape,
      records: held.records(decoder.rowOf),
      ops: ops === null ? null : Uint8Array.from(ops),
      distinctKeys: seen.distinct,
      cursor: writeCursor(cursor),
      position: { text: `${file}:${line}` },
      ...(rejected.length === 0 ? {} : { rejected }),
    }),
  };
}
