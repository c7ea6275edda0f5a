import { DIGEST_BUCKETS } from '../model/digests.ts';

/** What a side holds, bucket by bucket: a count and a sum of hashes each, whatever the number of records. The order of records does not matter. */
export interface BucketSums {
  readonly counts: Uint32Array;
  /** Halves of the sums of 64-bit hashes modulo 2^64. */
  readonly low: Uint32Array;
  readonly high: Uint32Array;
}

export function createSums(): BucketSums {
  const half = (): Uint32Array => new Uint32Array(DIGEST_BUCKETS);
  return { counts: half(), low: half(), high: half() };
}

/** Adds one record. @param low,high halves of its hash, unsigned */
export function addRecord(sums: BucketSums, bucket: number, { low, high }: { readonly low: number; readonly high: number }): void {
  const sum = (sums.low[bucket] as number) + low;
  sums.low[bucket] = sum;
  sums.high[bucket] = (sums.high[bucket] as number) + high + (sum > 0xffffffff ? 1 : 0);
  sums.counts[bucket] = (sums.counts[bucket] as number) + 1;
}

/** Adds a bucket that was summed up elsewhere. */
export function addBucket(
  sums: BucketSums,
  { bucket, count, sum }: { readonly bucket: number; readonly count: number; readonly sum: bigint },
): void {
  const total = (BigInt(sums.high[bucket] as number) << 32n) + BigInt(sums.low[bucket] as number) + BigInt.asUintN(64, sum);
  sums.low[bucket] = Number(total & 0xffffffffn);
  sums.high[bucket] = Number((total >> 32n) & 0xffffffffn);
  sums.counts[bucket] = (sums.counts[bucket] as number) + count;
}

/** The buckets in which two sides differ, ascending. */
export function differingBuckets(a: BucketSums, b: BucketSums): number[] {
  const found: number[] = [];
  for (let bucket = 0; bucket < DIGEST_BUCKETS; bucket++)
    if (a.counts[bucket] !== b.counts[bucket] || a.low[bucket] !== b.low[bucket] || a.high[bucket] !== b.high[bucket]) found.push(bucket);
  return found;
}

/** One byte per bucket: 1 for those of the list. */
export function bucketSet(buckets: Iterable<number>): Uint8Array {
  const set = new Uint8Array(DIGEST_BUCKETS);
  for (const bucket of buckets) set[bucket] = 1;
  return set;
}
