/** How long a batch may take until it is durable (ms), if it can be had: what a crash repeats, and what a signal waits for. */
const GOAL_MS = 2_000;

/** Batches grow by no more at a time: the last one may have been lucky. */
const GROWTH = 2;

/** The smallest that batches are made because of a slow target. */
const FLOOR = { rows: 100, bytes: 64 * 1024 } as const;

export interface Limits {
  readonly rows: number;
  readonly bytes: number;
}

/** What a batch may hold just now. Ask anew for each batch. */
export interface BatchSize extends Limits {
  /** Told of a batch that was written and committed: what it held, and how long that took (ms). Returns whether the size is another one now. */
  wrote(held: Limits, ms: number): boolean;
}

/**
 * Follows the target: as much as it makes durable within two seconds, up to the limits of the config. A target that answers quickly gets batches as large as they may be.
 */
export function followingBatchSize(most: Limits): BatchSize {
  const least = { rows: Math.min(FLOOR.rows, most.rows), bytes: Math.min(FLOOR.bytes, most.bytes) };
  let now: Limits = most;
  const next = (of: keyof Limits, held: number, ms: number): number => {
    const within = ms <= 0 ? most[of] : (held * GOAL_MS) / ms;
    // A batch within the goal says nothing of how much more would have been.
    const wanted = ms > GOAL_MS ? Math.min(within, now[of]) : Math.min(Math.max(within, now[of]), now[of] * GROWTH);
    return Math.round(Math.min(Math.max(wanted, least[of]), most[of]));
  };
  return {
    get rows() {
      return now.rows;
    },
    get bytes() {
      return now.bytes;
    },
    wrote({ rows, bytes }, ms) {
      const before = now;
      now = { rows: next('rows', rows, ms), bytes: next('bytes', bytes, ms) };
      return now.rows !== before.rows || now.bytes !== before.bytes;
    },
  };
}
