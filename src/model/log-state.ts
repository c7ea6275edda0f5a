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
