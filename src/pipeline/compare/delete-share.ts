/** How many records may be deleted at once from a target that others may rely on. */
export interface DeleteLimit {
  /** Largest share of the target's records that may be deleted at once. */
  readonly maxShare: number;
  /** With fewer records in the target the share does not count, unless the source has none at all: one of ten is no flood. */
  readonly shareCountsFrom: number;
}

/** Where the config does not say: small lookup tables may lose what they lose. */
export const UNSAID_LIMIT: DeleteLimit = { maxShare: 0.05, shareCountsFrom: 1_000 };

/** A guard against a source that is empty, or not the one that was meant. */
export function isTooMany(count: number, records: { readonly source: number; readonly target: number }, limit: DeleteLimit): boolean {
  if (records.target < limit.shareCountsFrom && records.source > 0) return false;
  // A billionth is for shares that binary numbers miss: 0.29 of 100 is a little less than 29.
  return count / records.target > limit.maxShare + 1e-9;
}

/** In percent, rounded up. */
export function shareText(count: number, of: number): string {
  return `${Math.ceil((count / of) * 10_000) / 100} %`;
}
