import type { DelayReport } from './delays.ts';
import type { JobReport } from './report.ts';

/**
 * What a run tells while it goes on, for a progress line or a log. Not durable and not complete: the report is the truth.
 */
export type RunEvent =
  | { readonly kind: 'job-started'; readonly job: string; readonly run: string }
  | {
      readonly kind: 'progress';
      readonly job: string;
      readonly stream: string;
      readonly phase: 'backfill' | 'changes';
      /** Durable so far in this run. */
      readonly rows: number;
      readonly bytes: number;
      /** Of the first load, when the source has an estimate. */
      readonly rowEstimate?: number;
    }
  | {
      /** A comparison of both sides: records read so far in this phase; while settling, records that still are to be looked at again. */
      readonly kind: 'comparing';
      readonly job: string;
      readonly stream: string;
      readonly phase: 'reading' | 'listing' | 'settling';
      readonly source: number;
      readonly target: number;
      readonly rowEstimate?: number;
    }
  | {
      readonly kind: 'retry';
      readonly job: string;
      readonly stream: string;
      readonly attempt: number;
      readonly delayMs: number;
      readonly code: string;
      readonly message: string;
    }
  /** follow: how long changes take from commit to commit, so far. */
  | { readonly kind: 'delays'; readonly job: string; readonly delays: DelayReport }
  | { readonly kind: 'held-back'; readonly job: string; readonly stream: string; readonly since: string; readonly by: string }
  | { readonly kind: 'stream-ended'; readonly job: string; readonly stream: string; readonly status: string }
  | { readonly kind: 'job-ended'; readonly job: string; readonly status: string; readonly exitCode: number; readonly report: JobReport };

export type OnEvent = (event: RunEvent) => void;
