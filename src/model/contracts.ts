import type { ErrorCode } from '../errors.ts';
import type { Cell } from './cell.ts';
import type { ChangeSpec } from './change-spec.ts';
import type { Checkpoint, CheckpointStore, LetterKey, Letter, Owner } from './checkpoint.ts';
import type { DigestFields, RowDigests } from './digests.ts';
import type { Cursor, Feed, Position } from './feed.ts';
import type { GuaranteeParts } from './guarantee.ts';
import type { Json } from './json.ts';
import type { KeptInSource, LogState } from './log-state.ts';
import type { LogicalType } from './logical-type.ts';
import type { OnLoss } from './on-loss.ts';
import type { Form, Records } from './records.ts';
import type { Shape } from './shape.ts';
import type { StreamInfo } from './stream-info.ts';

/*
 * The two contracts: everything that differs between systems is behind `Source` and `Target`.
 * A capability is an optional member: absence means "cannot", and the plan says so before a run starts.
 * Every method that can hang takes an AbortSignal. Faults are thrown as TrueupError with a code of the right class.
 */

export { CHANGE_METHODS } from './change-spec.ts';
export type { ChangeMethod, ChangeSpec } from './change-spec.ts';
export type { KeptInSource, LogState } from './log-state.ts';
export type { StreamInfo } from './stream-info.ts';

/** A stream as a job reads it. */
export interface StreamRef {
  readonly name: string;
  /** The job that reads it: what is kept in the source for it is named after it. */
  readonly job?: string;
  /** What of the job reads it, where that is no stream of its own: what is kept in the source for it is apart from the rest. */
  readonly part?: string;
  /** The text of a query stream, in the source's own language. */
  readonly query?: string;
  readonly changes: ChangeSpec;
  readonly key: readonly string[];
  /** The fields to read; `null`: every field, those that are added later included. */
  readonly fields: readonly string[] | null;
  /** Never read, whatever `fields` says. */
  readonly except: readonly string[];
  /** A filter in the source's own notation, for `backfill --where`. */
  readonly where?: Json;
  /** Read again everything whose cursor is this much older than the checkpoint. */
  readonly lookbackMs?: number;
  /** The largest record that may travel; a larger one is a reject. */
  readonly maxRecordBytes: number;
  /** Sets of fields that `fetchBy` will often be asked for, beside the key: the plan warns where that reads the whole stream. */
  readonly lookups?: readonly (readonly string[])[];
}

/** A record fault found by the source, on its way to a dead letter. Counts as one read record. */
export interface Reject {
  /** Key cells as carriers, when the key could be read. */
  readonly key?: readonly Cell[];
  readonly position: string;
  readonly code: ErrorCode;
  readonly message: string;
  /** Only where the source cannot be asked again. */
  readonly payload?: Json;
}

/** Changes handed over together, with the cursor that stands after them. */
export interface Batch {
  /** `null`: progress without records. */
  readonly stream: string | null;
  readonly shape: Shape;
  readonly records: Records;
  /** One `OP` code per record; `null`: all upserts. */
  readonly ops: Uint8Array | null;
  /** Whether the source knows that no key stands twice in the batch. */
  readonly distinctKeys: boolean;
  /** Safe to resume after this batch; `null`: not a place to stop (inside a tie group or a source transaction). */
  readonly cursor: Cursor | null;
  readonly position: Position;
  /** When the oldest of the changes since the last cursor was committed in the source, by its clock (ms since 1970). */
  readonly committedMs?: number;
  readonly rejected?: readonly Reject[];
  /** No record is expected in the target: a first load, or records that were inserted. One that is there all the same is written as ever. */
  readonly fresh?: boolean;
  /** Changes that the source has folded into records of this feed already: they were read, and stand in no batch. */
  readonly coalesced?: number;
}

/** Something that a person must know before a run: `error` prevents it. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  readonly code: ErrorCode;
  readonly message: string;
  /** Statements that an administrator can run to mend it. */
  readonly statements?: readonly string[];
}

export interface SourceStreamPlan {
  readonly stream: string;
  /** What a read hands over with this `StreamRef`. */
  readonly shape: Shape;
  readonly forms: readonly Form[];
  readonly problems: readonly Problem[];
  /** What `apply` would run (publication, slot). */
  readonly statements: readonly string[];
  readonly guarantee: GuaranteeParts;
  readonly rowEstimate?: number;
}

export interface SourcePlan {
  readonly streams: readonly SourceStreamPlan[];
}

export interface FetchRequest {
  readonly feed: Feed;
  readonly streams: readonly StreamRef[];
  /** Deliver what comes after it; `null`: from the beginning. */
  readonly after: Cursor | null;
  /** Per stream the wire form that the target takes; absent: cells. */
  readonly forms: ReadonlyMap<string, Form>;
  /** Follows how quickly the target writes, except of a chunk: ask anew for each batch. */
  readonly batchRows: number;
  /** The same. */
  readonly batchBytes: number;
  /** follow: hand a batch over after at most this long. */
  readonly maxDelayMs?: number;
  /**
   * - `drain`: everything that was committed before the call, then end.
   * - `follow`: the same, then wait for more until aborted.
   * - `chunk`: at most `batchRows` records from a snapshot of its own, then end (live backfill). The last batch of a finished
   *   range is followed by the end without any record on the next call.
   */
  readonly until: 'drain' | 'follow' | 'chunk';
  /** Stop reading: the iterator ends or throws its reason, promptly. */
  readonly signal: AbortSignal;
}

export interface Source {
  /** Names the data, not the address: the same after a move to another host, another for another database. */
  identity(signal: AbortSignal): Promise<string>;
  /** Told of the feeds of earlier runs before anything is planned: what the connector noted in them is `Feed.known`. */
  recall?(feeds: readonly Feed[]): void;
  /** What there is; `queries` are described beside it, under their names. */
  discover(signal: AbortSignal, queries?: readonly { readonly name: string; readonly query: string }[]): Promise<StreamInfo[]>;
  /** Preflight. Reads only. */
  plan(streams: readonly StreamRef[], signal: AbortSignal): Promise<SourcePlan>;
  apply?(plan: SourcePlan, signal: AbortSignal): Promise<void>;
  /** The changes feeds of these streams. Each stream is in exactly one. */
  feeds(streams: readonly StreamRef[]): Feed[];
  /** Everything committed from now on comes after it. Stored before the first read of a backfill. */
  startCursor(feed: Feed, streams: readonly StreamRef[], signal: AbortSignal): Promise<Cursor | null>;
  /** Disjoint feeds of kind `backfill` that together cover the stream, rows with a NULL cursor included. At most `partitions`. */
  splitBackfill?(stream: StreamRef, partitions: number, signal: AbortSignal, bounds?: KeyBounds): Promise<Feed[]>;
  fetchChanges(request: FetchRequest): AsyncIterable<Batch>;
  /** Durable up to here: the source may forget what lies before. */
  acknowledge?(feed: Feed, cursor: Cursor, signal: AbortSignal): Promise<void>;
  /** Whether a read that starts now sees everything up to `cursor`. Absent: always. */
  settled?(feed: Feed, cursor: Cursor, signal: AbortSignal): Promise<boolean>;
  /** Current records whose `fields` equal one of `values` (carriers, aligned to `fields`). What is gone is simply not there. Batches hold upserts; their cursor is null. */
  fetchBy?(stream: StreamRef, fields: readonly string[], values: readonly (readonly Cell[])[], signal: AbortSignal): AsyncIterable<Batch>;
  /** Every record of a stream as it is now, once, in any order, as upserts; their cursor is null. Absent: it is read as a backfill, or from the beginning. */
  scan?(stream: StreamRef, signal: AbortSignal): AsyncIterable<Batch>;
  /** Which of these records, by key cells in key order, a drain from `after` would deliver now. Absent: the changes themselves are read to find out. */
  undelivered?(
    request: {
      readonly feed: Feed;
      readonly stream: StreamRef;
      readonly after: Cursor | null;
      readonly keys: readonly (readonly Cell[])[];
    },
    signal: AbortSignal,
  ): Promise<readonly boolean[]>;
  /**
   * Every record whose last change, by the stream's own change method, the source dates at `sinceMs` (ms since 1970) or later, as it is now, and perhaps some
   * that changed before; as upserts, their cursor is null. Throws E_COMPARE_UNSUPPORTED for a stream whose changes have no time.
   */
  changedSince?(stream: StreamRef, sinceMs: number, signal: AbortSignal): AsyncIterable<Batch>;
  /** Hashes of records, made inside of the system. `null`: not of these fields. */
  digests?(stream: StreamRef, fields: DigestFields, signal: AbortSignal): Promise<RowDigests | null>;
  /** The fence or lock that holds deliveries back now, for people. */
  heldBack?(feed: Feed, signal: AbortSignal): Promise<{ readonly since: string; readonly by: string } | null>;
  /** How far the log of a feed reaches beyond a stored cursor. Absent, or `null`: the feed is not read from a log. */
  logState?(feed: Feed, cursor: Cursor | null, signal: AbortSignal): Promise<LogState | null>;
  /** Gives up whatever the source keeps for a feed whose checkpoint is dropped. Returns what that was, in words. Absent: it keeps nothing. */
  release?(feed: Feed, signal: AbortSignal): Promise<readonly string[]>;
  /** What it has made in the source and keeps for none of these jobs, or under this name, which is a job's or its own. Absent: it keeps nothing. */
  kept?(which: { readonly notOf: readonly string[] } | { readonly of: string }, signal: AbortSignal): Promise<readonly KeptInSource[]>;
  /** A position for people from a stored cursor. */
  explainCursor?(cursor: Cursor): string;
  /** Harmless when called twice or before anything was opened. */
  close(): Promise<void>;
}

/** A key range, inclusive at both ends: canonical text of the key's cells in key order. Absent: open. */
export interface KeyBounds {
  readonly from?: readonly string[];
  readonly to?: readonly string[];
}

/** A batch in the shape of the target. No key stands in it twice and no op is `touch`. */
export interface MappedBatch extends Batch {
  readonly stream: string;
  /** unwind: rows of these parents that are not listed, with whatever op, are deleted. */
  readonly replaceWithin?: { readonly fields: readonly number[]; readonly parents: readonly (readonly Cell[])[] };
}

/** A record fault found by the target. `index` counts within the batch. */
export interface RecordFault {
  readonly index: number;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Durable records by what became of them; `absent`: deletes of rows that were not there. */
export interface WriteCounts {
  readonly upserted: number;
  readonly unchanged: number;
  readonly deleted: number;
  readonly absent: number;
  readonly superseded: number;
}

export interface Conversion {
  readonly stream: string;
  readonly field: string;
  /** What was done: `truncated-to-ms`, `text`, `null`, … */
  readonly kind: string;
  readonly count: number;
}

export interface Commit {
  readonly checkpoints: readonly Checkpoint[];
  readonly letters: readonly Letter[];
  /** Letters whose key was delivered since the last commit. */
  readonly resolved: readonly LetterKey[];
}

export interface CommitResult {
  readonly streams: Readonly<Record<string, WriteCounts>>;
  readonly conversions?: readonly Conversion[];
  readonly lettersResolved: number;
}

/** The one writer of all feeds that write the same target records. Calls do not overlap. */
export interface Lane {
  /**
   * Repeated, for several streams, before one commit; invisible until then where there are transactions. When it throws, the lane is as
   * before the call. Record faults that the target can tell apart are returned, and those records are not written.
   */
  bulkUpsert(batch: MappedBatch, signal: AbortSignal): Promise<readonly RecordFault[]>;
  /** Durable on return. An old epoch throws E_FENCED with nothing written. A throw leaves the lane to be discarded. */
  commit(what: Commit, signal: AbortSignal): Promise<CommitResult>;
  /** Forgets what was written since the last commit. */
  discard(): Promise<void>;
  close(): Promise<void>;
}

export type OnDelete = 'delete' | 'ignore' | { readonly mark: string };

export interface DriftPolicy {
  readonly add: 'evolve' | 'ignore' | 'stop';
  readonly drop: 'keep' | 'stop';
  readonly retype: 'widen' | 'stop';
}

export type { OnLoss };

/** A stream as a job writes it. */
export interface TargetStream {
  /** The source stream's name: what batches, counts and letters are filed under. */
  readonly stream: string;
  /** Where it goes: `orders`, `archive.orders`. */
  readonly target: string;
  /** The mapped shape; its key is the key of the target. */
  readonly shape: Shape;
  readonly guard?: string;
  readonly onDelete: OnDelete;
  readonly drift: DriftPolicy;
  /** Per field, aligned to the shape. */
  readonly onLoss: readonly OnLoss[];
}

export interface TargetField {
  readonly name: string;
  /** The type in the target's own words. */
  readonly targetType: string;
  /** What may be lost, and what then happens: `µs → ms: truncate`. */
  readonly loss?: string;
  /** Planned fields that are not written, because drift says `ignore`. */
  readonly ignored?: boolean;
}

export interface TargetStreamPlan {
  readonly stream: string;
  readonly target: string;
  readonly fields: readonly TargetField[];
  readonly forms: readonly Form[];
  /** What `apply` runs, in order. Empty: the target is as it should be. */
  readonly statements: readonly string[];
  /** Whether `statements` create the target itself, so that it holds nothing yet. */
  readonly creates: boolean;
  readonly problems: readonly Problem[];
  /** Names of source streams that must be written before this one (foreign keys in the target). */
  readonly dependsOn: readonly string[];
}

export interface TargetPlan {
  readonly streams: readonly TargetStreamPlan[];
  /** What prevents the target from keeping checkpoints. Matters only where they are to be kept there. */
  readonly checkpointProblems?: readonly Problem[];
}

export interface ScanRequest {
  readonly stream: TargetStream;
  readonly fields: readonly string[];
  readonly signal: AbortSignal;
}

/** What the target makes of the values of one field. */
export interface StoredField {
  /** The type that `scan` and `fetchBy` give back. */
  readonly type: LogicalType;
  /**
   * The carrier that a read gives back for a mapped one. Pure.
   * @throws {TrueupError} of a record fault, where the value would become a letter
   */
  convert(cell: Cell): Cell;
}

export interface WrittenBy {
  readonly run: string;
  readonly epoch: number;
  /** ISO, UTC. */
  readonly at: string;
  /** Of the feed, for people. */
  readonly position?: string;
}

export interface Target {
  identity(signal: AbortSignal): Promise<string>;
  /** `state`: keyed upserts. `log`: an append-only topic, file or webhook. */
  readonly writes: 'state' | 'log';
  readonly ops: ReadonlySet<'upsert' | 'patch' | 'delete' | 'truncate'>;
  /** Whether lanes heed `replaceWithin`. Absent: arrays cannot be unwound into this target. */
  readonly replacesWithin?: true;
  /** Checkpoints in the target itself. `atomic`: rows, letters and checkpoint can be committed in one transaction. Absent: the state store keeps them. */
  readonly checkpoints?: CheckpointStore;
  /** The name a stream gets when the job does not say. Absent: its own. */
  nameFor?(stream: string): string;
  /** Connects, so that nobody has to wait for it later: called while the source is being planned. What goes wrong is told by the call that needs it, not here. */
  connectAhead?(signal: AbortSignal): void;
  /** Reads only. Throws only for the environment; everything else is a problem in the plan. */
  plan(streams: readonly TargetStream[], signal: AbortSignal): Promise<TargetPlan>;
  apply(plan: TargetPlan, signal: AbortSignal): Promise<void>;
  /**
   * `owner` is what commits are fenced by. `streams` are those of `plan`, applied. `checkpoints: false`: they are kept elsewhere, the lane writes
   * rows only and ignores what `commit` says of checkpoints and letters.
   */
  openLane(
    open: { readonly owner: Owner; readonly streams: readonly TargetStream[]; readonly checkpoints: boolean },
    signal: AbortSignal,
  ): Promise<Lane>;
  /** How the target holds mapped values: per field of `stream.shape`; `null`: it does not store the field. Absent: as they are. */
  storedAs?(stream: TargetStream, signal: AbortSignal): Promise<readonly (StoredField | null)[]>;
  /** Hashes of records, made inside of the system. `null`: not of these fields. */
  digests?(stream: TargetStream, fields: DigestFields, signal: AbortSignal): Promise<RowDigests | null>;
  /** Which commit wrote a record last, by key cells in the order of `stream.shape`. `null`: unknown. */
  writtenBy?(stream: TargetStream, key: readonly Cell[], signal: AbortSignal): Promise<WrittenBy | null>;
  /** Every record of a stream, in any order, as upserts with the fields asked for. Empty where the target does not exist. A value of another type than `storedAs` says is a `Variant`. */
  scan?(request: ScanRequest): AsyncIterable<Batch>;
  fetchBy?(
    stream: TargetStream,
    fields: readonly string[],
    values: readonly (readonly Cell[])[],
    signal: AbortSignal,
  ): AsyncIterable<Batch>;
  close(): Promise<void>;
}
