import type { ChangeSpec, DriftPolicy, OnDelete, OnLoss } from './contracts.ts';

/** What is configured, every default filled in: what to read from where, how to write it, and when to give up. */
export interface Job {
  readonly name: string;
  readonly source: string;
  readonly target: string;
  readonly schedule: Schedule | null;
  readonly streams: readonly StreamEntry[];
  readonly batch: { readonly rows: number; readonly bytes: number };
  readonly maxRecordBytes: number;
  readonly onLoss: OnLoss;
  readonly timezone: string;
  readonly require: {
    readonly lateCommits?: 'delivered' | 'within-lookback';
    readonly deletes?: 'delivered' | 'by-compare';
    readonly staleWrites?: 'refused' | 'guarded';
    readonly fidelity?: 'exact';
    readonly delivery?: 'exactly-once-effect';
  };
  readonly retries: { readonly attempts: number; readonly maxDelayMs: number };
  readonly deadLetters: { readonly stopAfter: number; readonly stopShare: number };
  readonly checkpoints: 'atomic' | 'beside' | 'state' | null;
  readonly ddl: 'auto' | 'manual';
  /** Lanes that write at the same time. */
  readonly concurrency: number;
  readonly onChange: 'stop' | 'rebackfill' | 'from-now';
  readonly onLostPosition: 'stop' | 'rebackfill';
  readonly maxDelayMs: number;
}

export type Schedule =
  | { readonly kind: 'continuous' }
  | {
      readonly kind: 'cron';
      /** Five or six fields. */
      readonly cron: string;
      readonly timezone: string;
      readonly overlap: 'skip' | 'queue';
      readonly misfire: 'once' | 'skip';
      readonly jitterMs: number;
    };

/** One entry of `streams`: a stream by name, a query, or a wildcard. */
export interface StreamEntry {
  /** `public.orders` or `public.*`; for a query, the stream's name (the entry's `to`). */
  readonly from: string;
  readonly query: string | null;
  readonly except: readonly string[];
  /** `null`: the connector's own default for the source name. With wildcards `archive.{table}`. */
  readonly to: string | null;
  readonly changes: ChangeSpec | null;
  readonly key: readonly string[] | null;
  readonly mapping: MappingSource | null;
  readonly lookbackMs: number | null;
  readonly deletes: DeletesEntry | null;
  readonly onDelete: OnDelete;
  readonly onExit: 'delete' | 'keep';
  readonly where: string | null;
  readonly guard: string | null;
  readonly partitions: number;
  readonly drift: DriftPolicy;
  readonly after: readonly string[];
  /** Where the entry stands in the config, for problems found later. */
  readonly at: { readonly file: string; readonly line: number; readonly column: number };
}

/** How deletes are found that the change method does not deliver. Both may be there: soft deletes as they happen, purged records by comparing. */
export interface DeletesEntry {
  /** Expression over the source record: where it is true the record counts as deleted. */
  readonly when: string | null;
  readonly compare: CompareEntry | null;
}

/** Deletes by compare: what the target holds and the source no longer has is deleted. */
export interface CompareEntry {
  /** Five or six cron fields; `null`: in every run. */
  readonly schedule: string | null;
  /** Expression over the source's fields, evaluated on records of the target: those for which it is not true are left alone. */
  readonly scope: string | null;
  /** Largest share of the target's records, within the scope, that one comparison may delete: 0 to 1. */
  readonly maxShare: number;
}

/** A mapping that parsed; it is checked against the fields of its stream when the plan is made. */
export interface MappingSource {
  readonly file: string;
  readonly text: string;
}
