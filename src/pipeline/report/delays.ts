/** How long changes took from the commit in the source to the commit in the target. Times are milliseconds. */
export interface DelayReport {
  /** Commits in the target that were measured. */
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface Delays {
  /** Of the oldest change of one commit. Less than nothing, where the clocks of both machines differ, counts as nothing. */
  add(ms: number): void;
  /** `null`: nothing was measured. */
  report(): DelayReport | null;
}

/** Steps of the histogram for each doubling, so that a quantile is right to about 5 %. */
const STEPS = 14;
const MAX_STEP = STEPS * 32;

/** Fixed memory, however long a run follows. */
export function createDelays(): Delays {
  const counts = new Uint32Array(MAX_STEP + 1);
  let count = 0;
  let maxMs = 0;

  const quantile = (share: number): number => {
    let left = Math.ceil(count * share);
    for (let step = 0; step <= MAX_STEP; step += 1) {
      left -= counts[step] as number;
      if (left <= 0) return Math.min(maxMs, Math.round(2 ** (step / STEPS) - 1));
    }
    return maxMs;
  };

  return {
    add(given) {
      const ms = Math.max(0, given);
      const step = Math.min(MAX_STEP, Math.ceil(Math.log2(ms + 1) * STEPS));
      counts[step] = (counts[step] as number) + 1;
      count += 1;
      maxMs = Math.max(maxMs, Math.round(ms));
    },
    report: () => (count === 0 ? null : { count, p50Ms: quantile(0.5), p99Ms: quantile(0.99), maxMs }),
  };
}
