import type { Cursor, Feed, Source, StreamRef } from '../../../src/sdk.ts';
import { parseStreamName } from '../quote.ts';
import { readServerFacts } from '../session/server-facts.ts';
import { withReading } from '../session/session.ts';
import type { Server } from '../session/session.ts';
import { writeLogCursor } from './cursor.ts';
import { awaitWriters } from './log-apply.ts';
import { openLogFeed } from './log-feed.ts';
import type { LogFeed } from './log-feed.ts';
import { lsnText } from './lsn.ts';
import { makeSlot } from './make-slot.ts';
import { LOG_FEED, logNames, namesOf } from './names.ts';
import { readPublished } from './published.ts';

/** What of a source is about its log. */
export interface LogSource extends Pick<Source, 'fetchChanges' | 'close'> {
  feed(streams: readonly StreamRef[]): Feed;
  startCursor(feed: Feed, streams: readonly StreamRef[], signal: AbortSignal): Promise<Cursor>;
  acknowledge(feed: Feed, cursor: Cursor): Promise<void>;
  settled(feed: Feed, signal: AbortSignal): Promise<boolean>;
  /** Before the first look at a stream that is to be loaded. */
  beforeLoad(ref: StreamRef, signal: AbortSignal): Promise<void>;
}

export function openLogSource(server: Server): LogSource {
  /** By slot. */
  const feeds = new Map<string, LogFeed>();
  /** Slots that were made by this process. Whoever was writing then has ended. */
  const made = new Set<string>();
  const opened = (feed: Feed, streams: readonly StreamRef[] = []): LogFeed => {
    const names = namesOf(server, feed, streams);
    const known = feeds.get(names.slot) ?? openLogFeed(server, names);
    feeds.set(names.slot, known);
    return known;
  };

  return {
    feed: (streams) => ({
      id: LOG_FEED,
      kind: 'changes',
      streams: streams.map(({ name }) => name),
      known: { ...logNames(server, streams[0]) },
    }),
    async startCursor(feed, streams, signal) {
      const { slot, publication } = namesOf(server, feed, streams);
      const published = await readPublished(server, publication, streams, signal);
      await opened(feed, streams).close();
      const lsn = await makeSlot(server, slot, signal);
      made.add(slot);
      const { timeline } = await withReading(server, signal, readServerFacts);
      return writeLogCursor({ kind: 'log', lsn: lsnText(lsn), timeline, slot, published });
    },
    fetchChanges: (request) => opened(request.feed, request.streams).fetch(request),
    acknowledge: async (feed, cursor) => opened(feed).acknowledge(cursor),
    settled: (feed, signal) => opened(feed).settled(signal),
    async beforeLoad(ref, signal) {
      const relation = parseStreamName(ref.name, server.options.schema);
      if (relation !== null && !made.has(logNames(server, ref).slot)) await awaitWriters(server, relation, signal);
    },
    async close() {
      await Promise.all([...feeds.values()].map((feed) => feed.close()));
      feeds.clear();
    },
  };
}
