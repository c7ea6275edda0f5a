import type PQueue from 'p-queue';
import type { Checkpoint, CheckpointStore, Owner } from '../model/checkpoint.ts';
import type { Feed } from '../model/feed.ts';
import type { Delays } from './report/delays.ts';
import type { Surplus } from './compare/find-differences.ts';
import type { JobContext, RunSignals } from './job-context.ts';
import type { LetterBook } from './letters/letter-book.ts';
import type { PlannedStream } from './plan/plan.ts';
import type { StreamReport } from './report/report.ts';
import type { Tally } from './report/tally.ts';

/** One execution of a job, from the moment it holds the lease. */
export interface JobRun {
  readonly context: JobContext;
  readonly owner: Owner;
  readonly store: CheckpointStore;
  readonly atomic: boolean;
  readonly book: LetterBook;
  readonly signals: RunSignals;
  readonly streams: ReadonlyMap<string, StreamState>;
  /** Feeds that read and write at the same time, at most. */
  readonly slots: PQueue;
  readonly follow: boolean;
  readonly delays: Delays;
  /** Names of the streams that it was asked for; empty: all. Others are there because they share a log with one of them. */
  readonly only: readonly string[];
}

/** A stream in one run: its plan as it stands, and what is to be reported of it. */
export interface StreamState {
  planned: PlannedStream;
  readonly tally: Tally;
  readonly phases: Set<'backfill' | 'changes'>;
  /** Whether the target was made by this run, so that nothing old can stand in it. */
  readonly fresh: boolean;
  status: StreamReport['status'] | 'waiting';
  retries: number;
  caughtUp: boolean;
  /** When the last complete read of the changes began (ms since 1970). */
  readFromMs: number | null;
  before: string | null;
  after: string | null;
  /** What a comparison found in the target alone, until that is deleted. */
  surplus: Surplus | null;
  /** Records on both sides when they were last compared in this run. */
  compared: NonNullable<StreamReport['compared']> | null;
  heldBack: { readonly since: string; readonly by: string } | null;
  error: unknown;
}

/** The streams of one changes feed. They share its cursor and its life. */
export interface Group {
  readonly feed: Feed;
  /** Changes of children that records of the streams carry. Read after the changes of the records themselves, one after another. */
  readonly embeds: readonly Feed[];
  readonly streams: readonly StreamState[];
}

/** The checkpoints of a group's feeds as they are stored now, those of comparing included. */
export async function groupCheckpoints(run: JobRun, group: Group): Promise<Checkpoint[]> {
  const names = group.streams.map((stream) => stream.planned.name);
  const all = await run.store.list(run.context.job.name, run.signals.abort);
  return all.filter(
    (checkpoint) =>
      checkpoint.feed.id === group.feed.id ||
      (checkpoint.feed.kind !== 'changes' && checkpoint.feed.streams.some((name) => names.includes(name))),
  );
}

/** The streams of a group that one of its feeds carries. */
export function streamsOf(group: Group, feed: Feed): StreamState[] {
  return group.streams.filter(({ planned }) => feed.streams.includes(planned.name));
}
