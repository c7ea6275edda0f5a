import type { Batch, Cursor, Feed, FetchRequest, Source, SourcePlan, StreamInfo, StreamRef } from '../../src/sdk.ts';
import { batches, progress } from './batches.ts';
import type { Found } from './batches.ts';
import { cellsText } from './cells.ts';
import { explainCursor, readLogCursor } from './cursor.ts';
import type { MemoryDatabase } from './database.ts';
import { memoryLookup } from './lookup.ts';
import { logChanges } from './read-log.ts';
import { rangeRows, splitRanges } from './read-ranges.ts';
import { fieldChanges } from './read-rows.ts';
import { discover, planStream } from './source-plan.ts';
import { openViews } from './view.ts';
import type { View } from './view.ts';

/** What a read has to deliver now, and where the feed stands when all of it was. `null`: there is no such place beyond the last record. */
interface Delivery {
  readonly found: Iterable<Found>;
  readonly end: Cursor | null;
  readonly distinctKeys: boolean;
  /** The database version of the snapshot. */
  readonly version: number;
}

export function openMemorySource(database: MemoryDatabase): Source {
  const viewOf = openViews();
  const view = (stream: StreamRef): View => viewOf(database.collection(stream.name).shape, stream);

  function deliver({ feed, streams }: Pick<FetchRequest, 'feed' | 'streams'>, after: Cursor | null): Delivery {
    const { version } = database;
    const stream = streams[0] as StreamRef;
    if (feed.kind === 'changes' && stream.changes.by === 'log') {
      const found = logChanges({ database, view: viewOf, feed, streams }, readLogCursor(after).log, version);
      return { found, end: { log: version }, distinctKeys: false, version };
    }
    const read = { database, view: view(stream), feed, after };
    // Whoever asks for the changes of a snapshot gets everything: the comparison with the target is the engine's.
    if (feed.kind === 'backfill' || stream.changes.by === 'snapshot')
      return { found: rangeRows(read), end: null, distinctKeys: true, version };
    const { found, end } = fieldChanges(read);
    return { found, end: { ...end }, distinctKeys: true, version };
  }

  async function* fetchChanges(request: FetchRequest): AsyncGenerator<Batch> {
    const { streams, until, signal } = request;
    const limits = {
      get rows() {
        return request.batchRows;
      },
      get bytes() {
        return request.batchBytes;
      },
      recordBytes: Math.min(...streams.map((stream) => stream.maxRecordBytes)),
    };
    let { after } = request;
    while (true) {
      signal.throwIfAborted();
      const { found, end, distinctKeys, version } = deliver(request, after);
      for (const batch of batches(found, limits, distinctKeys)) {
        signal.throwIfAborted();
        yield batch;
        if (until === 'chunk') return;
        after = batch.cursor ?? after;
      }
      if (end !== null && JSON.stringify(end) !== JSON.stringify(after)) {
        yield progress(view(streams[0] as StreamRef).shape, end, { text: explainCursor(end) });
        after = end;
      }
      if (until !== 'follow') return;
      await database.changedSince(version, signal);
    }
  }

  /** The keys of what a drain has to deliver; `null`: all, since the stream was truncated. */
  function pendingKeys(request: Pick<FetchRequest, 'feed' | 'streams'>, stream: StreamRef, after: Cursor | null): Set<string> | null {
    const keys = new Set<string>();
    for (const found of deliver(request, after).found) {
      if (found.stream !== stream.name) continue;
      if (found.op === 'truncate') return null;
      keys.add(cellsText(found.shape.key.map((index) => found.row[index])));
    }
    return keys;
  }

  return {
    identity: async () => database.identity,
    discover: async (): Promise<StreamInfo[]> => discover(database),
    plan: async (streams): Promise<SourcePlan> => ({ streams: streams.map((stream) => planStream(database, viewOf, stream)) }),
    feeds: changesFeeds,
    startCursor: async (feed, streams): Promise<Cursor> => {
      const stream = streams[0] as StreamRef;
      if (stream.changes.by === 'log') return { log: database.version };
      return { ...fieldChanges({ database, view: view(stream), feed, after: null }).end };
    },
    splitBackfill: async (stream, partitions, _signal, bounds = {}): Promise<Feed[]> => {
      const feed: Feed = { id: `backfill:${stream.name}`, kind: 'backfill', streams: [stream.name] };
      const ranges = splitRanges({ database, view: view(stream), feed, after: null }, partitions, bounds);
      return ranges.map((range, index) => ({ ...feed, id: `${feed.id}:${index + 1}`, range }));
    },
    fetchChanges,
    ...memoryLookup(database, view),
    undelivered: async ({ feed, stream, after, keys }, signal) => {
      signal.throwIfAborted();
      const pending = pendingKeys({ feed, streams: [stream] }, stream, after);
      return keys.map((key) => pending?.has(cellsText(key)) ?? true);
    },
    explainCursor,
    close: async () => {},
  };
}

/** The log is one feed for all of its streams, every other stream a feed of its own. */
function changesFeeds(streams: readonly StreamRef[]): Feed[] {
  const logged = streams.filter((stream) => stream.changes.by === 'log').map((stream) => stream.name);
  const polled = streams.filter((stream) => stream.changes.by !== 'log').map((stream) => stream.name);
  const feeds = polled.map((name): Feed => ({ id: `changes:${name}`, kind: 'changes', streams: [name] }));
  return logged.length === 0 ? feeds : [...feeds, { id: 'changes:log', kind: 'changes', streams: logged }];
}
