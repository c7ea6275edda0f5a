import type { TableComparison } from './equality.ts';

/** What the demo measured. Every number was read from a server, a clock or a report; `demo --json` prints it. */
export interface DemoReport {
  readonly postgres: string;
  readonly filled: { readonly customers: number; readonly orders: number; readonly durationMs: number };
  readonly firstLoad: {
    /** Durable in the archive when the run was killed. */
    readonly rowsAtKill: number;
    /** What the next run did. */
    readonly resumed: RunFigures & { readonly rowsPerSecond: number };
    /** Read by the resumed run though they were durable at the kill. */
    readonly readTwice: number;
  };
  readonly lateCommit: {
    readonly rows: number;
    readonly stamp: string;
    /** The newest stamp in the archive before the transaction committed: rows of it lie below. */
    readonly newestBefore: string;
    /** How many of its rows `updated_at > newest` finds in the shop. */
    readonly foundByPlainCursor: number;
    readonly inArchiveBefore: number;
    readonly inArchiveAfter: number;
  };
  readonly incremental: {
    readonly transactions: number;
    readonly updated: number;
    readonly inserted: number;
    readonly whileWriting: RunFigures;
    readonly afterwards: RunFigures;
  };
  readonly deadLetter: {
    readonly key: string;
    readonly code: string;
    readonly message: string;
    readonly exitCode: number;
    readonly lettersAfterMending: number;
  };
  readonly proof: {
    /** Rows of the archive that were changed by hand. */
    readonly damaged: number;
    readonly found: { readonly missing: number; readonly extra: number; readonly different: number };
    /** Rows that verify read, of both sides. */
    readonly compared: number;
    readonly durationMs: number;
    readonly why: { readonly key: string; readonly verdict: string; readonly field: string; readonly next: string };
    readonly repaired: number;
    /** Rows of the archive that the repair wrote, as a trigger counted them. */
    readonly writtenByRepair: number;
  };
  /** By the log of the shop's server. */
  readonly deletes: {
    readonly rows: number;
    readonly deleted: number;
    /** In the archive. */
    readonly left: number;
    /** From the commit in the shop until they were gone from the archive. */
    readonly arrivedMs: number;
  };
  readonly comparison: readonly TableComparison[];
  readonly equal: boolean;
  readonly durationMs: number;
}

export interface RunFigures {
  readonly read: number;
  readonly upserted: number;
  readonly unchanged: number;
  readonly durationMs: number;
}

/** Takes the story as it happens. */
export interface Story {
  /** What is going on now. */
  working(what: string): void;
  /** What happened: a heading and what was measured. */
  happened(heading: string, facts: readonly string[]): void;
}
