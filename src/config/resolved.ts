import type { Job } from '../model/job.ts';

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
  readonly burst: number;
  readonly breaker: { readonly failures: number; readonly openForMs: number; readonly onOpen: 'wait' | 'skip' | 'fail' } | null;
}

export type { Job, MappingSource, Schedule, StreamEntry } from '../model/job.ts';
