import type { Cell } from '../model/cell.ts';
import type { BucketSums } from './buckets.ts';

/**
 * One side of a comparison: records with a key and a hash, each in the bucket that its key decides. Both sides of a comparison put equal keys into
 * the same bucket and give equal records equal hashes. Nothing else is known of them here.
 */
export interface Side {
  /** Adds every record of the buckets `0 <= bucket < below` to `sums`. Returns how many that were. */
  digest(sums: BucketSums, reading: DigestReading): Promise<number>;
  /** Every record of the buckets whose byte in `wanted` is 1, in any order. */
  list(wanted: Uint8Array, reading: Reading): AsyncIterable<readonly ListedRecord[]>;
}

export interface Reading {
  readonly signal: AbortSignal;
  /** Called now and then with the number of records that were read since. */
  onRead?(records: number): void;
}

export interface DigestReading extends Reading {
  readonly below: number;
}

export interface ListedRecord {
  readonly bucket: number;
  /** Equal on both sides for the same record: `keyToText` of the target's key cells, canonical. */
  readonly key: string;
  readonly hash: bigint;
  /** The key by which the record is found on its own side: the source's key of a source record. Carriers, in key order; `null`: it is not known. */
  readonly cells: readonly Cell[] | null;
}
