import type { ChangeSpec, DriftPolicy, OnDelete, OnLoss } from '../model/contracts.ts';

/*
 * The config with every default filled in. Past this line nothing is optional that has a default, and nothing is checked again:
 * what is left to find out is what only the systems themselves can say (streams, fields, types).
 */

export interface ResolvedConfig {
  /** Absolute path of the config file; relative paths in it start from its folder. */
  readonly file: string;
  readonly baseDir: string;
  /** `sqlite:` and an absolute path, or a `postgres:` URL. */
  readonly state: string;
  readonly connections: ReadonlyMap<string, Connection>;
  readonly jobs: ReadonlyMap<string, Job>;
  readonly memoryBytes: number;
  readonly shutdownGraceMs: number;
  readonly keepRuns: number;
  /** Every secret value that was read, for redaction. */
  readonly secrets: ReadonlySet<string>;
}

export interface Connection {
  readonly name: string;
  /** A built-in name, an absolute path or file URL of a module, or an npm package name. */
  readonly connector: string;
  /** Checked against the connector's schema, its defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly limits: ConnectionLimits;
}

export interface ConnectionLimits {
  readonly concurrency: number | null;
  readonly perSecond: number | null;
  readonly breaker: { readonly failures: number; readonly openForMs: number; readonly onOpen: 'wait' | 'skip' | 'fail' } | null;
}

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
  readonly require: { readonly lateCommits?: 'delivered' | 'within-lookback'; readonly deletes?: 'delivered' | 'by-compare'; readonly staleWrites?: 'refused' | 'guarded'; readonly fidelity?: 'exact'; readonly delivery?: 'exactly-once-effect' };
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
  readonly deletes: { readonly when: string } | null;
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

/** A mapping that parsed; it is checked against the fields of its stream when the plan is made. */
export interface MappingSource {
  readonly file: string;
  readonly text: string;
}
