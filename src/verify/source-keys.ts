import { isTrueupError } from '../errors.ts';
import { isForeign } from '../model/carrier.ts';
import type { Cell } from '../model/cell.ts';
import { planConversion } from '../model/conversion.ts';
import type { ConversionPlan } from '../model/conversion.ts';
import { recordSides } from '../reconcile/stream-sides.ts';
import { bucketSet } from '../reconcile/buckets.ts';
import { DIGEST_BUCKETS } from '../model/digests.ts';
import type { Candidate } from './candidate.ts';
import type { StreamWork } from './stream-work.ts';

/**
 * Finds the source's key of records that were seen in the target alone: from the target's key where that copies the source's, else by reading the
 * source's stream once more, with what the mapping leaves out. What is not found is not in the source.
 */
export async function findSourceKeys(work: StreamWork, candidates: readonly Candidate[]): Promise<void> {
  const unknown = candidates.filter((candidate) => candidate.source === null && candidate.target !== null);
  if (unknown.length === 0) return;
  const inverse = inverseKey(work);
  if (inverse !== null) {
    for (const candidate of unknown) candidate.source = inverse(candidate.target as readonly Cell[]);
    return;
  }
  const wanted = new Map(unknown.map((candidate) => [candidate.key, candidate]));
  const { source } = recordSides({ stream: work.compared, expected: work.expected, withFiltered: true });
  const everything = bucketSet(Array.from({ length: DIGEST_BUCKETS }, (_, bucket) => bucket));
  for await (const records of source.list(everything, { signal: work.signal })) {
    for (const { key, cells } of records) {
      const candidate = wanted.get(key);
      if (candidate !== undefined) candidate.source = cells;
    }
  }
}

/** The source's key cells from those of the target, where every field of the source's key is copied into one of the target's. */
function inverseKey({ planned, compared, expected }: StreamWork): ((target: readonly Cell[]) => readonly Cell[] | null) | null {
  const { shape } = planned.sourcePlan;
  const parts = shape.key.map((index): { readonly position: number; readonly plan: ConversionPlan } | null => {
    const field = shape.fields[index];
    const position = expected.sources.slice(0, expected.keyCount).findIndex((of) => {
      const plan = compared.mapping.fields[of.index];
      return plan?.kind === 'copy' && plan.from === field?.name;
    });
    const stored = expected.fields[position];
    if (field === undefined || stored === undefined) return null;
    const plan = planConversion({ from: stored.type, to: field.type, onLoss: 'error' });
    return plan.kind === 'impossible' ? null : { position, plan };
  });
  if (parts.some((part) => part === null)) return null;
  return (target) => {
    // A key of another type, which somebody else made.
    if (target.some((cell, position) => isForeign(expected.fields[position]?.type ?? 'unknown', cell))) return null;
    try {
      return parts.map((part) => part?.plan.convert(target[part.position], () => undefined));
    } catch (error) {
      // No value of the source's type: the source cannot have such a record.
      if (isTrueupError(error) && error.fault === 'record') return null;
      throw error;
    }
  };
}
