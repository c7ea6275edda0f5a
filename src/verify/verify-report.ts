import type { PlanProblem } from '../pipeline/plan/plan-report.ts';
import type { ReportedError } from '../pipeline/report/report.ts';

/** What `verify` found. The names are the keys of `--json`; what is not known is left out. */
export interface VerifyReport {
  readonly command: 'verify';
  readonly run: string;
  readonly job: string;
  /** Whether nothing is missing, extra or different, in any stream. After a repair: at the second look. */
  readonly consistent: boolean;
  readonly exitCode: number;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly durationMs: number;
  /** With `--since`: only what the source changed from then on was compared. ISO, UTC. */
  readonly since?: string;
  /** With `--sample-share`: the share of the records that was compared. */
  readonly sampleShare?: number;
  readonly streams: readonly StreamVerifyReport[];
  readonly problems?: readonly PlanProblem[];
  readonly error?: ReportedError;
}

export interface StreamVerifyReport {
  readonly stream: string;
  readonly target: string;
  /** How it was compared: inside of the databases, or record by record here. */
  readonly by: 'database' | 'records';
  /** Records read on each side. */
  readonly compared: { readonly source: number; readonly target: number };
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
  /** Records that differ for a known reason, by that reason. */
  readonly explained: {
    /** A dead letter names them. */
    readonly deadLettered: number;
    /** The mapping's `where` keeps them out of the target. */
    readonly filtered: number;
    /** Newer than the checkpoint: the next run delivers them. */
    readonly pending: number;
    /** Only in the target, where `onDelete` or `onExit` keeps them. */
    readonly kept: number;
  };
  /** Records that were written again and are equal since. */
  readonly repaired: number;
  /** A few of the differences, by key. */
  readonly samples: readonly VerifySample[];
  /** There are more differences than are counted one by one; the counts are lower bounds. */
  readonly truncated?: boolean;
  /** What else there is to know: that the stream was never loaded. */
  readonly note?: string;
  readonly error?: ReportedError;
}

export interface VerifySample {
  /** The key as `why` takes it: the plain value, or a JSON array. Of `extra` records: the target's key. */
  readonly key: string;
  readonly kind: 'missing' | 'extra' | 'different';
  /** Fields of the target that differ; all that were compared when the record is missing or extra: none. */
  readonly fields: readonly VerifyField[];
}

export interface VerifyField {
  readonly field: string;
  /** With `--values` only: canonical texts; `null` is NULL. */
  readonly source?: string | null;
  readonly target?: string | null;
}
