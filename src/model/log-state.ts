import type { Feed } from './feed.ts';

/** What keeps the log of a source for one feed. */
export interface LogState {
  /** From the cursor to the end of the log. */
  readonly lagBytes?: number;
  /** How far the log reaches back beyond the cursor, in time (ms), where the source keeps it for a time. */
  readonly windowMs?: number;
  /** What the source keeps for the feed. */
  readonly retainedBytes?: number;
  /** What endangers the position, or the source because of it. */
  readonly warnings: readonly string[];
}

/** What a source keeps for a feed, as a log that is not forgotten. */
export interface KeptInSource {
  /** As people see it in the system: `trueup_orders_1f2e3d4c`. */
  readonly name: string;
  /** What it is, in words: `replication slot`. */
  readonly kind: string;
  /** Somebody reads from it now. */
  readonly inUse: boolean;
  readonly retainedBytes?: number;
  /** What `release` takes to give it up. */
  readonly feed: Feed;
}
