import type { ResolvedConfig } from './config/resolved.ts';
import type { Checkpoint, Letter, RunRecord } from './model/checkpoint.ts';
import type { Log } from './model/connector.ts';
import type { StreamInfo } from './model/contracts.ts';
import type { ChangedFeed, CheckpointAction } from './pipeline/change-checkpoint.ts';
import type { OnEvent } from './pipeline/report/events.ts';
import type { RunSignals } from './pipeline/job-context.ts';
import type { DelayReport } from './pipeline/report/delays.ts';
import type { StoredStatus, UnknownStatus } from './pipeline/report/job-status.ts';
import type { Kept } from './pipeline/kept.ts';
import type { PlanReport } from './pipeline/plan/plan-report.ts';
import type { RunReport } from './pipeline/report/report.ts';
import type { VerifyReport } from './verify/verify-report.ts';
import type { WhyReport } from './verify/why-report.ts';

/* What the command line and programs can ask for, and what they get. */

export type { MappingTestReport } from './config/test-mappings.ts';
export type { FeedStatus, UnknownStatus } from './pipeline/report/job-status.ts';
export type { RunSignals } from './pipeline/job-context.ts';

export interface AppOptions {
  /** A path, or absent: `trueup.yaml`, `trueup.yml`, `trueup.config.ts`, `trueup.config.js` in `cwd` or a folder above it. */
  readonly configFile?: string;
  /**
   * The config itself, for one that is on no disk (`copy`). `configFile` then says what file it stands for; relative paths start from its folder.
   * Without it they start from `cwd`, and problems are told without a place.
   */
  readonly configText?: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  readonly onEvent?: OnEvent;
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

/** What the target keeps is absent where it could not be asked: `unknown` says why. */
export interface JobStatus extends Partial<StoredStatus> {
  readonly job: string;
  readonly unknown?: UnknownStatus;
  readonly nextRunAt?: string;
  /** The last run, backfill, copy or replay. */
  readonly lastRun?: RunRecord;
  /** follow: from the commit in the source to the commit in the target, in the last run or the one that goes on. */
  readonly delays?: DelayReport;
  /** What the last verify found. */
  readonly lastVerify?: LastVerify;
}

/** A connection that has a circuit breaker, as it is now. */
export interface ConnectionStatus {
  readonly connection: string;
  readonly breaker: {
    readonly state: 'closed' | 'open' | 'half-open';
    /** ISO, UTC; absent: nothing ever failed. */
    readonly since?: string;
    /** Faults in a row. */
    readonly failures: number;
    /** Code of the last of them. */
    readonly lastCode?: string;
    /** open: when a call is tried next. ISO, UTC. */
    readonly retryAt?: string;
  };
}

export interface LastVerify {
  readonly run: string;
  /** When it ended: ISO, UTC. */
  readonly at: string;
  readonly consistent: boolean;
}

export interface VerifyOptions {
  readonly job: string;
  readonly streams?: readonly string[];
  /** Write the records that differ again. */
  readonly repair?: boolean;
  /** With more differences than this nothing is repaired. */
  readonly maxRepair?: number;
  /** Show the values of differing fields in the samples. */
  readonly values?: boolean;
  /** Compare only what the source changed in this time before now (ms). */
  readonly sinceMs?: number;
  /** Compare this share of the records, the same ones each time: in (0, 1]. */
  readonly sampleShare?: number;
}

export interface CheckpointChange {
  readonly job: string;
  readonly feed?: string;
  readonly action: CheckpointAction;
}

export interface CheckpointChangeReport {
  readonly job: string;
  readonly epoch: number;
  readonly changed: readonly ChangedFeed[];
}

/** Everything the command line and programs can ask for. The one composition root builds it. */
export interface App extends Proof {
  readonly config: ResolvedConfig;
  discover(connection: string, signal: AbortSignal): Promise<StreamInfo[]>;
  plan(
    options: { readonly jobs: readonly string[]; readonly apply?: boolean; readonly sample?: number },
    signal: AbortSignal,
  ): Promise<PlanReport>;
  run(options: RunOptions, signals: RunSignals): Promise<RunReport>;
  backfill(options: BackfillOptions, signals: RunSignals): Promise<RunReport>;
  /** Runs the scheduler until `stop`. Resolves once every run has ended at a checkpoint. */
  start(signals: RunSignals): Promise<void>;
  status(job: string | null, signal: AbortSignal): Promise<JobStatus[]>;
  /** Connections that have a circuit breaker: all, or those of a job. */
  connectionStatus(job: string | null, signal: AbortSignal): Promise<ConnectionStatus[]>;
  /** What sources keep for no job of the config: for one that was removed, or for another installation. */
  kept(signal: AbortSignal): Promise<readonly Kept[]>;
  /** Gives up what sources keep under this name, which is that of a removed job or one that `kept` lists. What that was, in words. */
  dropKept(name: string, signal: AbortSignal): Promise<readonly string[]>;
  checkpoints(job: string, signal: AbortSignal): Promise<Checkpoint[]>;
  changeCheckpoint(change: CheckpointChange, signal: AbortSignal): Promise<CheckpointChangeReport>;
  letters(filter: { readonly job?: string; readonly stream?: string }, signal: AbortSignal): Promise<Letter[]>;
  /** Reads the records of these letters again and writes them. `keys` empty: all. */
  replayLetters(
    options: { readonly job: string; readonly stream?: string; readonly keys: readonly string[] },
    signals: RunSignals,
  ): Promise<RunReport>;
  dropLetters(
    options: { readonly job: string; readonly stream?: string; readonly keys: readonly string[] },
    signal: AbortSignal,
  ): Promise<number>;
  close(): Promise<void>;
}

/** Whether source and target agree, and why a record is as it is. */
export interface Proof {
  /** Compares source and target, record by record. */
  verify(options: VerifyOptions, signals: RunSignals): Promise<VerifyReport>;
  /** Explains one record. `key` as typed: the plain value, or a JSON array for composite keys. */
  why(options: { readonly job: string; readonly stream: string; readonly key: string }, signal: AbortSignal): Promise<WhyReport>;
}
