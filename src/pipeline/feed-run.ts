import type { Unwinder } from '../mapping/compile-unwind.ts';
import type { Mapper } from '../mapping/mapped.ts';
import type { Checkpoint, Owner } from '../model/checkpoint.ts';
import type { Lane, MappedBatch } from '../model/contracts.ts';
import type { Feed } from '../model/feed.ts';
import type { Shape } from '../model/shape.ts';
import type { BatchSize } from './read/batch-size.ts';
import type { Delays } from './report/delays.ts';
import type { JobContext, RunSignals } from './job-context.ts';
import type { LetterBook, PendingLetters } from './letters/letter-book.ts';
import type { PlannedStream } from './plan/plan.ts';
import type { Tally } from './report/tally.ts';

/** A stream while a feed that carries it is read and written. */
export interface StreamRun {
  readonly planned: PlannedStream;
  readonly mapper: Mapper;
  /** `null`: no arrays are unwound. */
  readonly unwinder: Unwinder | null;
  readonly tally: Tally;
  /** The last shape object that was compared with the plan's. */
  shape: Shape;
}

/** Records that were written to the lane and not committed yet. */
export interface WrittenPart {
  readonly stream: StreamRun;
  readonly batch: MappedBatch;
  /** The letter key of the record at an index of `batch`. */
  keyAt(index: number): string;
  /** How some of its records are written once more, where that is more than `batch`. Faults that are not among the letters yet are passed on. */
  rewrite?(lane: Lane, from: number, to: number, signal: AbortSignal): Promise<void>;
  /** Told of each record that was set aside when the part was written once more. */
  onAside?(index: number): void;
}

/** One feed on its way from source to target: a lane, and what has happened since its last commit. */
export interface FeedRun {
  readonly context: JobContext;
  readonly owner: Owner;
  readonly feed: Feed;
  /** The last durable one. */
  checkpoint: Checkpoint;
  readonly streams: ReadonlyMap<string, StreamRun>;
  readonly lane: Lane;
  /** Whether rows, letters and checkpoint commit in one transaction of the lane. */
  readonly atomic: boolean;
  readonly book: LetterBook;
  readonly pending: PendingLetters;
  readonly signals: RunSignals;
  /** Whether a record that does not pass `where` may stand in the target from an earlier run, and must be deleted there. */
  readonly exits: boolean;
  /** Whether none of the records is expected in the target: a first load. */
  readonly fresh: boolean;
  /** Commit after every batch, the checkpoint only where the source allows: after a fault that showed only at commit. */
  readonly eager: boolean;
  /** Parts since the last commit; `null`: of more than one batch, which is too much to keep. */
  uncommitted: WrittenPart[] | null;
  /** Feeds of the job that are being read just now, this one among them. */
  feedsAtOnce(): number;
  readonly batchSize: BatchSize;
  /** Whether the feed waits for more when it has delivered everything. */
  readonly following: boolean;
  readonly delays: Delays;
  /** When they were last told (ms since 1970). */
  delaysToldAt: number;
  /** Whether anything was committed: ends a series of retries. */
  progressed: boolean;
  /** When records that wait for their parents were last tried (ms since 1970). */
  lettersTriedAt: number;
  /** When a checkpoint without records was last saved (ms since 1970). */
  idleCommitAt: number;
}

/** Thrown inside a feed when the source hands over other fields than planned. Not a fault: the stream is planned again. */
export class ShapeChanged extends Error {
  override readonly name = 'ShapeChanged';
  readonly stream: string;

  constructor(stream: string) {
    super(`the fields of stream '${stream}' changed`);
    this.stream = stream;
  }
}
