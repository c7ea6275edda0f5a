import type { Cell } from '../model/cell.ts';
import { DIGEST_BUCKETS } from '../model/digests.ts';
import { bucketSet, createSums, differingBuckets } from './buckets.ts';
import type { BucketSums } from './buckets.ts';
import type { ListedRecord, Side } from './side.ts';

/*
 * Two steps. `digestSides` reads both sides once and keeps a count and a sum per bucket, whatever the number of records. `listDifferences` lists the
 * buckets that differ, a bounded number of records at a time, and pairs them by key. Neither needs any order, and whoever has enough ends the
 * iteration. While others write, a difference is a suspicion: the sides were read at different times.
 */

export type SideName = 'source' | 'target';

export interface Sides {
  readonly source: Side;
  readonly target: Side;
  readonly signal: AbortSignal;
  onRead?(side: SideName, records: number): void;
}

export interface Digests {
  readonly source: BucketSums;
  readonly target: BucketSums;
  /** Records on each side. */
  readonly records: { readonly source: number; readonly target: number };
  /** The buckets that differ, ascending. */
  readonly buckets: readonly number[];
}

export interface Difference {
  readonly kind: 'missing' | 'extra' | 'different';
  /** The target's key, as `ListedRecord.key`. */
  readonly key: string;
  /** The key by which the source finds its record; `null`: it has none, or it is not known. */
  readonly source: readonly Cell[] | null;
  /** The key by which the target finds its record; `null`: it has none. */
  readonly target: readonly Cell[] | null;
}

/** Records of one side that are in memory at a time: some 250 bytes each. */
const RECORDS_AT_ONCE = 200_000;
const YIELDED_AT_ONCE = 10_000;

/** Reads both sides, at the same time. @param below compares only the buckets below it, the same share of both sides */
export async function digestSides({ source, target, signal, onRead }: Sides, below = DIGEST_BUCKETS): Promise<Digests> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const digest = async (name: SideName, side: Side) => {
    const sums = createSums();
    try {
      const records = await side.digest(sums, { below, signal: either, onRead: (count) => onRead?.(name, count) });
      return { sums, records };
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  };
  // Both have ended before an error is told: nothing goes on reading behind the back of whoever asked.
  const ends = await Promise.allSettled([digest('source', source), digest('target', target)]);
  signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
  const [ofSource, ofTarget] = ends.map((end) => (end as PromiseFulfilledResult<Awaited<ReturnType<typeof digest>>>).value);
  if (ofSource === undefined || ofTarget === undefined) throw new Error('a comparison has two sides');
  return {
    source: ofSource.sums,
    target: ofTarget.sums,
    records: { source: ofSource.records, target: ofTarget.records },
    buckets: differingBuckets(ofSource.sums, ofTarget.sums),
  };
}

/** The records of the buckets that differ, as far as they differ themselves. Every chunk of buckets costs one read of each side. */
export async function* listDifferences(
  digests: Digests,
  sides: Sides,
  recordsAtOnce = RECORDS_AT_ONCE,
): AsyncGenerator<readonly Difference[]> {
  for (const buckets of chunks(digests, recordsAtOnce)) yield* listChunk(bucketSet(buckets), sides);
}

function* chunks({ buckets, source, target }: Digests, recordsAtOnce: number): Generator<readonly number[]> {
  let chunk: number[] = [];
  let records = 0;
  for (const bucket of buckets) {
    const size = Math.max(source.counts[bucket] as number, target.counts[bucket] as number);
    if (chunk.length > 0 && records + size > recordsAtOnce) {
      yield chunk;
      chunk = [];
      records = 0;
    }
    chunk.push(bucket);
    records += size;
  }
  if (chunk.length > 0) yield chunk;
}

interface Entry {
  readonly record: ListedRecord;
  /** The target's record of the same key; `null`: it has none. */
  found: ListedRecord | null;
  equal: boolean;
  /** Another source record with the same key in the target. */
  readonly next: Entry | undefined;
}

async function* listChunk(wanted: Uint8Array, { source, target, signal, onRead }: Sides): AsyncGenerator<readonly Difference[]> {
  const entries = new Map<string, Entry>();
  for await (const records of source.list(wanted, { signal, onRead: (count) => onRead?.('source', count) }))
    for (const record of records) entries.set(record.key, { record, found: null, equal: false, next: entries.get(record.key) });
  for await (const records of target.list(wanted, { signal, onRead: (count) => onRead?.('target', count) })) {
    const extra = records.filter((record) => !pair(entries.get(record.key), record));
    if (extra.length > 0) yield extra.map(({ key, cells }) => ({ kind: 'extra', key, source: null, target: cells }));
  }
  let differences: Difference[] = [];
  for (const first of entries.values()) {
    for (let entry: Entry | undefined = first; entry !== undefined; entry = entry.next)
      if (!entry.equal) differences.push(difference(entry));
    if (differences.length < YIELDED_AT_ONCE) continue;
    yield differences;
    differences = [];
  }
  if (differences.length > 0) yield differences;
}

/**
 * Several records of the source with one key in the target cannot all be there: those that are not are told as different. Nor is a record as it should be
 * that the target holds twice, which it can where nothing there keeps its keys unique.
 */
function pair(first: Entry | undefined, record: ListedRecord): boolean {
  for (let entry = first; entry !== undefined; entry = entry.next) {
    entry.equal = entry.found === null && entry.record.hash === record.hash;
    entry.found = record;
  }
  return first !== undefined;
}

function difference({ record, found }: Entry): Difference {
  return { kind: found === null ? 'missing' : 'different', key: record.key, source: record.cells, target: found?.cells ?? null };
}
