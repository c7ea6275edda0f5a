import type { ResolvedConfig } from './config/resolved.ts';
import type { ErrorCode } from './errors.ts';
import type { Checkpoint, Letter, OwnerInfo, RunRecord } from './model/checkpoint.ts';
import type { Log } from './model/connector.ts';
import type { StreamInfo } from './model/contracts.ts';
import type { Diagnostic } from './model/diagnostic.ts';
import type { OnEvent } from './pipeline/events.ts';
import type { PlanReport } from './pipeline/plan-report.ts';
import type { RunReport } from './pipeline/report.ts';

export interface AppOptions {
  /** A path, or absent: `trueup.yaml`, `trueup.yml`, `trueup.config.ts`, `trueup.config.js` in `cwd` or a folder above it. */
  readonly configFile?: string;
  /** The config itself, for one that is on no disk (`copy`). `configFile` then says what file it stands for; relative paths start from its folder. */
  readonly configText?: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  readonly onEvent?: OnEvent;
}

/** The two signals of a run: reading stops at once, writing only after the grace time. */
export interface RunSignals {
  readonly stop: AbortSignal;
  readonly abort: AbortSignal;
}

export interface RunOptions {
  /** Names of jobs; empty: all. */
  readonly jobs: readonly string[];
  readonly streams?: readonly string[];
  /** Read everything again, from the beginning. */
  readonly full?: boolean;
  readonly follow?: boolean;
  readonly maxTimeMs?: number;
  readonly onChange?: 'stop' | 'rebackfill' | 'from-now';
}

export interface BackfillOptions {
  readonly job: string;
  readonly streams?: readonly string[];
  /** Key texts as typed: the plain value, or a JSON array for composite keys. */
  readonly from?: string;
  readonly to?: string;
  readonly where?: string;
  readonly partitions?: number;
  readonly restart?: boolean;
}

export interface FeedStatus {
  readonly feed: string;
  readonly kind: 'changes' | 'backfill';
  readonly streams: readonly string[];
  readonly state: Checkpoint['state'];
  readonly position: string;
  readonly lagMs?: number;
  readonly epoch: number;
  readonly savedAt?: string;
}

export interface JobStatus {
  readonly job: string;
  readonly nextRunAt?: string;
  readonly owner?: OwnerInfo & { readonly live: boolean };
  readonly lastRun?: RunRecord;
  readonly deadLetters: number;
  readonly feeds: readonly FeedStatus[];
}

export interface CheckpointChange {
  readonly job: string;
  readonly feed?: string;
  readonly action: { readonly kind: 'set'; readonly cursor: string } | { readonly kind: 'rewind' } | { readonly kind: 'drop' };
}

export interface CheckpointChangeReport {
  readonly job: string;
  readonly epoch: number;
  readonly changed: readonly { readonly feed: string; readonly before?: string; readonly after?: string; /** What the next run will read again. */ readonly effect: string }[];
}

export interface ValidateReport {
  readonly file: string;
  readonly diagnostics: readonly Diagnostic[];
}

export interface MappingTestReport {
  readonly files: readonly { readonly file: string; readonly cases: readonly { readonly name: string; readonly passed: boolean; readonly message?: string }[] }[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Everything the command line and programs can ask for. The one composition root builds it. */
export interface App {
  readonly config: ResolvedConfig;
  discover(connection: string, signal: AbortSignal): Promise<StreamInfo[]>;
  plan(options: { readonly jobs: readonly string[]; readonly apply?: boolean; readonly sample?: number }, signal: AbortSignal): Promise<PlanReport>;
  run(options: RunOptions, signals: RunSignals): Promise<RunReport>;
  backfill(options: BackfillOptions, signals: RunSignals): Promise<RunReport>;
  /** Runs the scheduler until `stop`. Resolves once every run has ended at a checkpoint. */
  start(signals: RunSignals): Promise<void>;
  status(job: string | null, signal: AbortSignal): Promise<JobStatus[]>;
  checkpoints(job: string, signal: AbortSignal): Promise<Checkpoint[]>;
  changeCheckpoint(change: CheckpointChange, signal: AbortSignal): Promise<CheckpointChangeReport>;
  letters(filter: { readonly job?: string; readonly stream?: string }, signal: AbortSignal): Promise<Letter[]>;
  /** Reads the records of these letters again and writes them. `keys` empty: all. */
  replayLetters(options: { readonly job: string; readonly stream?: string; readonly keys: readonly string[] }, signals: RunSignals): Promise<RunReport>;
  dropLetters(options: { readonly job: string; readonly stream?: string; readonly keys: readonly string[] }, signal: AbortSignal): Promise<number>;
  close(): Promise<void>;
}

export type { ErrorCode };
