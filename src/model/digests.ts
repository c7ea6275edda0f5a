import type { Cell } from './cell.ts';

/** What is hashed: fields in this order, those of the key first. */
export interface DigestFields {
  readonly fields: readonly string[];
  readonly keyCount: number;
}

/**
 * Hashes of the records of one side, made where the records are. Of two sides with equal `notation`, equal records have equal hashes and lie in the
 * same of `DIGEST_BUCKETS` buckets, which the key alone decides. Records that are equal by value but written otherwise (`1.0` and `1.00`) may differ: a
 * difference is a suspicion, to be settled by reading both records.
 */
export interface RowDigests {
  /** Per field: whose text of which type is hashed, `postgres:timestamp with time zone`. */
  readonly notation: readonly string[];
  /** Buckets `0 <= bucket < below` that hold records, in any order: how many, and the sum of their 64-bit hashes modulo 2^64. */
  buckets(below: number, signal: AbortSignal): AsyncIterable<{ readonly bucket: number; readonly count: number; readonly sum: bigint }>;
  /** Every record of these buckets, in any order. `key`: carriers in key order. */
  rows(
    buckets: readonly number[],
    signal: AbortSignal,
  ): AsyncIterable<readonly { readonly bucket: number; readonly key: readonly Cell[]; readonly hash: bigint }[]>;
}

export const DIGEST_BUCKETS = 65_536;
