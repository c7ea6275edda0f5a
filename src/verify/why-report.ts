import type { ErrorCode } from '../errors.ts';
import type { Letter } from '../model/checkpoint.ts';

export type WhyVerdict =
  | 'equal'
  | 'different'
  | 'missing'
  | 'filtered'
  | 'dead-letter'
  | 'pending'
  | 'held-back'
  /** Gone from the source (or marked as deleted there), and still in the target. */
  | 'deleted'
  /** In the target although the job's `where` leaves the source's record out. */
  | 'extra'
  /** In neither. */
  | 'not-in-source';

/** What `why` says of one record. The names are the keys of `--json`; what is not known is left out. */
export interface WhyReport {
  readonly command: 'why';
  readonly job: string;
  readonly stream: string;
  readonly target: string;
  readonly key: string;
  readonly verdict: WhyVerdict;
  readonly exitCode: number;
  /** Why that is so, in a sentence or two. */
  readonly because: string;
  /** What the source holds, field by name, as canonical texts; `null` is NULL. Absent: no such record. */
  readonly source?: Readonly<Record<string, string | null>>;
  /** The same of the target's record. */
  readonly actual?: Readonly<Record<string, string | null>>;
  /** Field by field of the target: what the mapping makes of the source's record, and what stands there. */
  readonly fields: readonly WhyField[];
  /** How many records of the source have this key, where it is more than one. */
  readonly records?: number;
  /** Which condition keeps the record out of the target: `where` or `deletes.when`, as it is written. */
  readonly leftOutBy?: { readonly label: string; readonly expression: string };
  /** Why the source's record cannot be carried. */
  readonly fault?: { readonly code: ErrorCode; readonly message: string };
  /** The commit that wrote the target's record last. */
  readonly written?: { readonly run: string; readonly epoch: number; readonly at: string; readonly position?: string };
  /** Where the stream's changes feed stands. `loading` and `refilling`: reading of the whole stream is not finished. */
  readonly checkpoint?: {
    readonly state: 'loading' | 'following' | 'refilling';
    readonly position: string;
    readonly savedAt?: string;
  };
  readonly heldBack?: { readonly since: string; readonly by: string };
  readonly letter?: Pick<Letter, 'code' | 'message' | 'kind' | 'at' | 'attempts' | 'run'>;
  /** What stops the next run before it comes to this record. */
  readonly obstacle?: { readonly code: ErrorCode; readonly message: string };
  /** What will happen, and what to do. */
  readonly next: string;
}

export interface WhyField {
  readonly field: string;
  readonly expected?: string | null;
  readonly actual?: string | null;
  readonly equal: boolean;
}
