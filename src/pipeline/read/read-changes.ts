import type { FetchRequest } from '../../model/contracts.ts';
import type { FeedRun } from '../feed-run.ts';
import type { RunSignals } from '../job-context.ts';
import type { Group, JobRun, StreamState } from '../job-run.ts';
import { pumpFeed } from '../loop.ts';
import { withFeed } from '../run-feed.ts';

/** Records of a chunk of a live backfill, in batches: it is written as one piece between two drains of the changes. */
const CHUNK_BATCHES = 5;
/** Records that stay bytes, in batches of cells: nothing is made of each of them, so the bytes alone are the limit of most. */
const WIRE_BATCHES = 4;
/** And no more than these, over all feeds that are read at the same time: each holds three of its batches, one that is read, one that waits and one that is written. */
const WIRE_BYTES = 8 * 1024 * 1024;
const LEAST_WIRE_BYTES = 1024 * 1024;

/**
 * Reads the changes of a group to their end, or follows them.
 *
 * @param signals those of the run, or with an earlier stop
 */
export async function readChanges(run: JobRun, group: Group, follow: boolean, signals: RunSignals = run.signals): Promise<void> {
  if (signals.stop.aborted) return;
  notePhase(group.streams, 'changes');
  const { context } = run;
  const readFromMs = context.now();
  const work = { feed: group.feed, streams: group.streams, following: follow, signals };
  const drain = async (): Promise<void> => {
    const after = await withFeed(run, work, async (feedRun) => {
      for (const stream of group.streams) stream.before ??= feedRun.checkpoint.position.text;
      await pumpFeed(feedRun, fetchFeed(feedRun, follow ? 'follow' : 'drain'));
      return feedRun.checkpoint.position.text;
    });
    for (const stream of group.streams) stream.after = after;
  };
  // A feed that follows holds its place for good, so it takes none of those that others wait for.
  if (follow) await drain();
  else await run.slots.add(drain);
  if (signals.stop.aborted) return;
  const heldBack = (await context.source.heldBack?.(group.feed, run.signals.abort)) ?? null;
  for (const stream of group.streams) Object.assign(stream, { caughtUp: true, readFromMs, heldBack });
  if (heldBack !== null)
    for (const { planned } of group.streams)
      context.onEvent({ kind: 'held-back', job: context.job.name, stream: planned.name, ...heldBack });
}

/** Reads the changes of children that the records of a group carry, to their end, one feed after another: each of them touches records that another has written. */
export async function readEmbedded(run: JobRun, group: Group, signals: RunSignals = run.signals): Promise<void> {
  for (const feed of group.embeds) {
    const streams = group.streams.filter(({ planned }) => feed.streams.includes(planned.name));
    if (!signals.stop.aborted)
      await run.slots.add(() =>
        withFeed(run, { feed, streams, following: false, signals }, (feedRun) => pumpFeed(feedRun, fetchFeed(feedRun, 'drain'))),
      );
    if (signals.stop.aborted) for (const stream of streams) stream.caughtUp = false;
  }
}

function batchesAtOnce(until: FetchRequest['until'], forms: FetchRequest['forms']): number {
  if (until === 'chunk') return CHUNK_BATCHES;
  return forms.values().every((form) => form !== 'cells') ? WIRE_BATCHES : 1;
}

/** What a feed delivers from its checkpoint on. */
export function fetchFeed(feedRun: FeedRun, until: FetchRequest['until']): ReturnType<FeedRun['context']['source']['fetchChanges']> {
  const { context, feed, checkpoint, signals, streams } = feedRun;
  const { maxDelayMs } = context.job;
  const refs = [...streams.values()].map(({ planned }) => (feed.where === undefined ? planned.ref : { ...planned.ref, where: feed.where }));
  const forms = new Map([...streams.values()].map(({ planned }) => [planned.name, planned.form]));
  const times = batchesAtOnce(until, forms);
  const mostBytes = (): number =>
    times === WIRE_BATCHES ? Math.max(WIRE_BYTES / Math.max(1, feedRun.feedsAtOnce()), LEAST_WIRE_BYTES) : Infinity;
  // A chunk is asked for as a whole, so what it may hold stays.
  const size = until === 'chunk' ? { ...context.job.batch } : feedRun.batchSize;
  return context.source.fetchChanges({
    feed,
    streams: refs,
    after: checkpoint.cursor,
    forms,
    get batchRows() {
      return size.rows * times;
    },
    get batchBytes() {
      return Math.min(size.bytes, mostBytes());
    },
    ...(until === 'follow' ? { maxDelayMs } : {}),
    until,
    signal: signals.stop,
  });
}

export function notePhase(streams: readonly StreamState[], phase: 'backfill' | 'changes'): void {
  for (const stream of streams) stream.phases.add(phase);
}
