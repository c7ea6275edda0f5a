import type { ErrorCode } from '../errors.ts';
import type { Guarantee } from '../model/guarantee.ts';

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
  readonly guarantee?: Guarantee;
  readonly streams: readonly StreamReport[];
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
  readonly bytes: number;
  readonly batches: number;
  readonly retries: number;
  readonly conversions: readonly { readonly field: string; readonly kind: string; readonly count: number }[];
  readonly caughtUp: boolean;
  readonly lagMs?: number;
  readonly position?: { readonly before?: string; readonly after?: string };
  readonly heldBack?: { readonly since: string; readonly by: string };
  readonly error?: ReportedError;
}
