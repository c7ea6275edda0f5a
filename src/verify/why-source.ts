import type { Cell } from '../model/cell.ts';
import type { Batch, Reject } from '../model/contracts.ts';
import type { JobContext } from '../pipeline/job-context.ts';
import { letterKey, letterKeyOf } from '../pipeline/letters/letter-book.ts';
import type { PlannedStream } from '../pipeline/plan/plan.ts';
import { canonicalKey } from '../reconcile/compared-fields.ts';
import { expectedRecords } from '../reconcile/expected.ts';
import type { Expectation } from '../reconcile/expected.ts';
import { readWhole } from '../reconcile/stream-sides.ts';

/** Records with one key that are looked at. Where there are more, the key tells them apart no better. */
const MOST = 10;

/** What the source has under one key. */
export interface SourceRecords {
  /** How many there are, those that it cannot hand over included. */
  readonly count: number;
  /** One record each. */
  readonly records: readonly Batch[];
  /** Why the source cannot hand one over. */
  readonly reject: Reject | null;
}

/** Reads what the source has now under a key, given as carriers in key order. A source that cannot look it up is read as a whole. */
export async function readSource(
  { source }: JobContext,
  { ref, sourcePlan }: PlannedStream,
  key: readonly Cell[],
  signal: AbortSignal,
): Promise<SourceRecords> {
  const wanted = letterKeyOf(sourcePlan.shape, key);
  const isWanted = source.fetchBy === undefined ? (found: string): boolean => found === wanted : (): boolean => true;
  const batches = source.fetchBy?.(ref, ref.key, [key], signal) ?? readWhole(source, ref, signal);
  const found: Batch[] = [];
  const rejects: Reject[] = [];
  let count = 0;
  for await (const batch of batches) {
    const refused = (batch.rejected ?? []).filter((one) => one.key !== undefined && isWanted(letterKeyOf(sourcePlan.shape, one.key)));
    rejects.push(...refused);
    count += refused.length;
    batch.records.rows().forEach((row, at) => {
      if (!isWanted(letterKey(batch.shape, batch.records, row))) return;
      count++;
      if (found.length < MOST) found.push(oneRecord(batch, at));
    });
  }
  return { count, records: found, reject: rejects[0] ?? null };
}

/**
 * The source's key of the record that maps to a key of the target, by reading the whole stream: a key that the mapping computes cannot be computed
 * back. `null`: the source has no such record.
 */
export async function sourceKeyOf(
  { source }: JobContext,
  { ref }: PlannedStream,
  { expected, key }: { readonly expected: Expectation; /** As the target holds it. */ readonly key: readonly Cell[] },
  signal: AbortSignal,
): Promise<readonly Cell[] | null> {
  const wanted = canonicalKey(expected.fields, key);
  for await (const batch of readWhole(source, ref, signal))
    for (const record of expectedRecords(expected, batch))
      if (record.key !== null && canonicalKey(expected.fields, record.key) === wanted) return record.source;
  return null;
}

/** A batch of one record of another. */
export function oneRecord(batch: Batch, at: number): Batch {
  return { ...batch, records: batch.records.slice(at, at + 1), ops: null };
}
