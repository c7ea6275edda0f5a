import type { Cell } from '../model/cell.ts';
import type { Batch } from '../model/contracts.ts';
import { addRecord } from './buckets.ts';
import type { ListedRecord, Side } from './side.ts';

/** A record as it is passed to a visitor: one object that is used again for the next, so it is good for the time of the call alone. */
export interface HashedRecord {
  readonly bucket: number;
  /** Halves of the 64-bit hash, unsigned. */
  readonly low: number;
  readonly high: number;
  /** As `ListedRecord` has them. Made only for those who ask. */
  key(): string;
  cells(): readonly Cell[] | null;
}

export interface RecordSideInit {
  /** Reads all records of the side, once per call. */
  batches(signal: AbortSignal): AsyncIterable<Batch>;
  /** Calls `visit` for every record of the batch that belongs to the side: what is filtered out is passed over. */
  each(batch: Batch, visit: (record: HashedRecord) => void): void;
}

/** A side whose records are read and hashed here, batch by batch. */
export function recordSide({ batches, each }: RecordSideInit): Side {
  return {
    async digest(sums, { below, signal, onRead }) {
      let count = 0;
      const visit = (record: HashedRecord): void => {
        if (record.bucket >= below) return;
        addRecord(sums, record.bucket, record);
        count++;
      };
      for await (const batch of batches(signal)) {
        each(batch, visit);
        onRead?.(batch.records.count);
      }
      return count;
    },
    async *list(wanted, { signal, onRead }) {
      for await (const batch of batches(signal)) {
        const found: ListedRecord[] = [];
        each(batch, (record) => {
          if (wanted[record.bucket] === 1) found.push(listed(record));
        });
        onRead?.(batch.records.count);
        if (found.length > 0) yield found;
      }
    },
  };
}

function listed({ bucket, low, high, key, cells }: HashedRecord): ListedRecord {
  return { bucket, key: key(), hash: (BigInt(high) << 32n) | BigInt(low), cells: cells() };
}
