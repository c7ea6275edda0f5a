import type { ErrorCode } from '../errors.ts';
import type { Cursor, Feed, Position } from './feed.ts';
import type { Json } from './json.ts';

/** The durable cursor of one feed, with the run and epoch that wrote it. */
export interface Checkpoint {
  readonly job: string;
  readonly feed: Feed;
  /** `held`: taken before a backfill, not read from yet. `open`: in use. `done`: a backfill feed that reached its end. */
  readonly state: 'held' | 'open' | 'done';
  readonly cursor: Cursor | null;
  readonly cursorVersion: number;
  readonly sourceIdentity: string;
  /** Of the stream's mapping, key, change method and filter. */
  readonly planHash: string;
  readonly position: Position;
  readonly run: string;
  readonly epoch: number;
  /** ISO, UTC. Filled in by the store. */
  readonly savedAt?: string;
}

/** A process that may own a job. */
export interface OwnerProcess {
  readonly host: string;
  readonly pid: number;
  /** What tells two processes with the same pid apart: start time and boot id, as text. */
  readonly started: string;
}

/** The holder of a job's lease. A write with an older epoch is refused. */
export interface Owner {
  readonly job: string;
  readonly run: string;
  readonly epoch: number;
  readonly process: OwnerProcess;
}

export interface OwnerInfo extends Owner {
  readonly acquiredAt: string;
  readonly expiresAt: string;
}

/** Where a dead letter stands: by key, or by position when the key could not be read. */
export interface LetterKey {
  readonly job: string;
  readonly stream: string;
  /** Canonical text of the source key's cells in key order, as a JSON array; or `position:` and the position. */
  readonly key: string;
}

/** A key that the target lacks, with the reason. */
export interface Letter extends LetterKey {
  readonly kind: 'record' | 'order';
  readonly code: ErrorCode;
  readonly message: string;
  readonly run: string;
  /** ISO, UTC: when it last failed. */
  readonly at: string;
  /** How often it has failed. The store adds one when the letter was there already. */
  readonly attempts: number;
  readonly payload?: Json;
}

/**
 * Keeps checkpoints, leases and letters. One lease per job; every change needs the lease's epoch.
 * Implementations pass one contract suite.
 */
export interface CheckpointStore {
  /** Whether a lane of the same target commits rows, letters and checkpoints in one transaction. `on-request`: only where the job asks for it. */
  readonly atomic: boolean | 'on-request';
  /**
   * Takes the lease with a new, higher epoch. A live owner throws E_OWNED with its host, process and run. A lease that has run out, or
   * whose process on this host is gone (`isAlive` says so), is taken over at once; its lanes' backends are ended first. So is one of the very
   * run that asks: the answer to its first request was lost.
   */
  acquire(request: AcquireRequest, signal: AbortSignal): Promise<Owner>;
  /** Extends the lease. Throws E_FENCED when another owner has it. */
  renew(owner: Owner, signal: AbortSignal): Promise<void>;
  release(owner: Owner, signal: AbortSignal): Promise<void>;
  /** The lease's holder, live or not; `null` when the job is free. */
  owner(job: string, signal: AbortSignal): Promise<OwnerInfo | null>;
  /** Writes all or nothing. Throws E_FENCED for an old epoch, with nothing written. Returns how many letters were resolved. */
  save(owner: Owner, what: StoreChange, signal: AbortSignal): Promise<number>;
  /** Checkpoints of one job, or of all, by job and feed id. */
  list(job: string | null, signal: AbortSignal): Promise<Checkpoint[]>;
  letters(filter: { readonly job?: string; readonly stream?: string; readonly limit?: number }, signal: AbortSignal): Promise<Letter[]>;
  close(): Promise<void>;
}

export interface AcquireRequest {
  readonly job: string;
  readonly run: string;
  readonly process: OwnerProcess;
  readonly ttlMs: number;
  /** Whether a process recorded on this host still lives. Asked only for owners with the same `host`. */
  isAlive(process: OwnerProcess): boolean;
}

export interface StoreChange {
  readonly checkpoints?: readonly Checkpoint[];
  /** Feed ids whose checkpoints go away. */
  readonly dropFeeds?: readonly string[];
  readonly letters?: readonly Letter[];
  readonly resolved?: readonly LetterKey[];
}

/** One execution of a job, kept for `status` and `why`. */
export interface RunRecord {
  readonly run: string;
  readonly job: string;
  readonly command: string;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly status: 'running' | 'succeeded' | 'incomplete' | 'failed' | 'stopped' | 'fenced';
  readonly exitCode?: number;
  /** The job's report, as it was printed. */
  readonly report?: Json;
}

export interface RunFilter {
  readonly job?: string;
  /** Only records of these commands. */
  readonly commands?: readonly string[];
  readonly limit?: number;
}

/** What survives a process beside checkpoints: the history of runs, with retention. */
export interface RunStore {
  save(record: RunRecord, signal: AbortSignal): Promise<void>;
  /** Newest first. */
  list(filter: RunFilter, signal: AbortSignal): Promise<RunRecord[]>;
  /** Keeps the newest `keep` runs of each job. */
  prune(keep: number, signal: AbortSignal): Promise<void>;
}

/** The circuit breaker of a connection as it was last. Times are ISO, UTC. */
export interface BreakerRecord {
  readonly connection: string;
  readonly state: 'closed' | 'open' | 'half-open';
  /** When this state began. */
  readonly since: string;
  /** Faults in a row. */
  readonly failures: number;
  /** Code of the last of them. */
  readonly lastCode?: string;
}

/** Keeps circuit breakers, so that the next run goes by what the last one found. */
export interface BreakerStore {
  save(record: BreakerRecord, signal: AbortSignal): Promise<void>;
  /** By connection. */
  list(signal: AbortSignal): Promise<BreakerRecord[]>;
}

export interface StateStore extends CheckpointStore {
  readonly runs: RunStore;
  /** Absent: they end with the process. */
  readonly breakers?: BreakerStore;
}
