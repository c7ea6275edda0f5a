import type { ErrorCode } from '../errors.ts';
import type { Letter } from '../model/checkpoint.ts';
import type { OnDelete } from '../model/contracts.ts';
import type { LifeState } from '../pipeline/stream-life.ts';

/** Everything that decides what `why` says of a record, gathered before anything is decided. */
export interface WhyFacts {
  readonly job: string;
  readonly stream: string;
  readonly target: string;
  /** As it is typed on a command line. */
  readonly key: string;
  /** Of a row of a child table: the record that it is a part of. */
  readonly part: WhyPart | null;
  /** Records of the source with this key. */
  readonly records: number;
  /** What the job makes of the source's record; `null`: there is none. */
  readonly becomes: Becomes | null;
  /** `none`: the target itself does not exist. */
  readonly inTarget: 'none' | 'absent' | 'present';
  /** Fields of the target that differ from what the source's record maps to; of a record in the target. */
  readonly differing: readonly string[];
  readonly letter: Letter | null;
  readonly life: LifeState;
  /** Whether an unfinished backfill covers a part of the stream only. */
  readonly partly: boolean;
  /** Whether mapping, key, change method or filter are others than when the checkpoint was written. */
  readonly isPlanChanged: boolean;
  /** Whether the next read of the changes delivers the record. `null`: that cannot be told. */
  readonly undelivered: boolean | null;
  readonly heldBack: { readonly since: string; readonly by: string } | null;
  readonly deletes: {
    /** By the change method itself. */
    readonly delivered: boolean;
    /** What counts as deleted. */
    readonly when: string | null;
    /** Every run finds changes and deletes by comparing both sides. */
    readonly bySnapshot: boolean;
    /** Keys are compared now and then. `nextAt` and `lastAt`: ISO; `null`: in the next run, never yet. */
    readonly compare: { readonly nextAt: string | null; readonly lastAt: string | null; readonly scope: string | null } | null;
  };
  readonly onDelete: OnDelete;
  readonly onExit: 'delete' | 'keep';
  /** The guard field, where the target's record is newer by it than the source's. */
  readonly guardedBy: string | null;
  /** Whether a run of trueup is known to have written the target's record last, so that nobody else did. */
  readonly isOurs: boolean;
  /** What the guarantee of the stream takes for granted. */
  readonly assumes: readonly string[];
  /** A run that owns the job now. */
  readonly runner: { readonly host: string; readonly pid: number } | null;
  readonly schedule: 'by-hand' | 'cron' | 'continuous';
  readonly obstacle: { readonly code: ErrorCode; readonly message: string; readonly hint?: string } | null;
}

export interface WhyPart {
  /** Its key as it is typed on a command line; `null`: the row's key does not tell. */
  readonly record: string | null;
  /** Whether the source has it. */
  readonly isThere: boolean;
}

export type Becomes =
  | { readonly kind: 'record' }
  /** `isElement`: an element of a record, by the condition of its table. */
  | { readonly kind: 'filtered'; readonly by: LeftOutBy; readonly isElement?: boolean }
  | { readonly kind: 'deleted'; readonly by: LeftOutBy }
  | { readonly kind: 'fault'; readonly code: ErrorCode; readonly message: string };

/** The condition that a record fails (`where`) or meets (`deletes.when`). */
export interface LeftOutBy {
  readonly label: string;
  readonly expression: string;
}
