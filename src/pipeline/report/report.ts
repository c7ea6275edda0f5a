import type { DelayReport } from './delays.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Guarantee } from '../../model/guarantee.ts';

/*
 * What a run says about itself. The names are the keys of `--json`; what is not known is left out. Only durable records are counted, and for
 * every stream `read = filtered + coalesced + upserted + unchanged + deleted + superseded + deadLettered`.
 */

export type RunStatus = 'succeeded' | 'incomplete' | 'failed' | 'stopped' | 'fenced';

export interface RunReport {
  readonly command: 'run' | 'backfill' | 'copy' | 'replay';
  readonly run: string;
  readonly status: RunStatus;
  readonly exitCode: number;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly durationMs: number;
  readonly jobs: readonly JobReport[];
}

export interface JobReport {
  readonly job: string;
  readonly epoch?: number;
  readonly status: RunStatus;
  readonly exitCode: number;
  readonly checkpoints?: 'atomic' | 'beside' | 'state';
  /** The weakest of the streams. Absent from a run that failed: what was written until then holds, what is missing was promised by nobody. */
  readonly guarantee?: Guarantee;
  readonly streams: readonly StreamReport[];
  /** follow: from the commit in the source to the commit in the target. */
  readonly delays?: DelayReport;
  /** Dead letters of the job after the run, those of earlier runs included. Absent: the run never got as far as to know. */
  readonly openLetters?: number;
  readonly error?: ReportedError;
}

export interface ReportedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly statements?: readonly string[];
}

export interface StreamReport {
  readonly stream: string;
  readonly target: string;
  readonly status: 'succeeded' | 'failed' | 'stopped' | 'skipped';
  readonly phase?: 'backfill' | 'changes' | 'both';
  readonly form: string;
  readonly read: number;
  readonly filtered: number;
  readonly coalesced: number;
  readonly upserted: number;
  readonly unchanged: number;
  readonly deleted: number;
  readonly superseded: number;
  readonly deadLettered: number;
  readonly lettersResolved: number;
  /**
   * Beside the records, which alone add up: rows by child table (unwind), and records of other streams by the field that holds them (embed), in documents that
   * were written, unchanged ones included.
   */
  readonly children?: Readonly<Record<string, { readonly upserted: number; readonly deleted?: number }>>;
  readonly bytes: number;
  readonly batches: number;
  readonly retries: number;
  readonly conversions: readonly { readonly field: string; readonly kind: string; readonly count: number }[];
  readonly caughtUp: boolean;
  readonly lagMs?: number;
  readonly position?: { readonly before?: string; readonly after?: string };
  /** Records on each side when the run compared them; of the target only those within the scope. */
  readonly compared?: { readonly source: number; readonly target: number };
  readonly heldBack?: { readonly since: string; readonly by: string };
  readonly error?: ReportedError;
}
