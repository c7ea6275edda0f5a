import type { Differences } from './compare.ts';
import type { WorkloadCounts } from './workload.ts';

/** What a test found. Part of the JSON in bench/results, so only facts that say nothing about the machine's owner. */
export interface Outcome {
  /** Of the tool's command, over the whole test. */
  readonly runs: number;
  readonly failedRuns: number;
  /** By part of the test, in its order. */
  readonly parts: Readonly<Record<string, Differences>>;
  readonly workload?: WorkloadCounts;
  readonly kills?: Readonly<Record<string, KillFacts>>;
}

export interface KillFacts {
  /** Runs that the kill ended; one that was done before it does not count. */
  readonly killed: number;
  /** What the run after each kill read from the source: its rows per row that the whole task needs, so 1 is all of it once more. */
  readonly readByRerun: readonly number[];
  /** Re-runs that failed before one went through, over all kills. */
  readonly failedReruns: number;
  /** Kills after which no re-run went through. */
  readonly stuck: number;
  /** Tables beside the tool's documented ones, after the last successful re-run: how many, and their size. */
  readonly leftovers: { readonly tables: number; readonly bytes: number };
}
