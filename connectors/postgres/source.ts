import type { Batch, ConnectorContext, Feed, FetchRequest, Source, StreamRef } from '../../src/sdk.ts';
import { TrueupError } from '../../src/sdk.ts';
import { readChangedSince } from './changes/changed-since.ts';
import { readBlocker } from './session/blocker.ts';
import { parseRange, rangeJson, readRange, splitRange } from './read/backfill.ts';
import { explainCursor, parseBackfillCursor, parseChangesCursor, writeCursor } from './changes/cursor.ts';
import { BINARY_FORM } from './copy/binary.ts';
import { TEXT_FORM } from './copy/text.ts';
import { openDigests } from './digest/digests.ts';
import { discoverStreams } from './discover.ts';
import { readDrain, startCursorOf } from './changes/drain.ts';
import { readBy } from './read/fetch-by.ts';
import { readFollow } from './changes/follow.ts';
import { explainLogCursor, isLogCursor, parseLogCursor } from './log/cursor.ts';
import { applyLog } from './log/log-apply.ts';
import { undeliveredInLog } from './log/peek.ts';
import { openLogSource } from './log/log-source.ts';
import { keptSlots } from './log/kept.ts';
import { readLogState, releaseLog } from './log/log-state.ts';
import { LOG_FEED, isLogged, namesOf } from './log/names.ts';
import type { PostgresOptions } from './options.ts';
import { parseStreamName } from './quote.ts';
import { readAll } from './read/read-all.ts';
import { readIdentity } from './session/server-facts.ts';
import { resolveServer, withReading } from './session/session.ts';
import type { Session } from './session/session.ts';
import { planStreams } from './source-plan.ts';
import { openStreamReader } from './read/stream-reader.ts';
import type { SourceContext, StreamReader } from './read/stream-reader.ts';
import { readUndelivered } from './changes/undelivered.ts';

/** Rows of a batch where the contract names no size. */
const LOOKUP_LIMITS = { batchRows: 10_000, batchBytes: 8 * 1024 * 1024 };
/** Of a whole stream, whose records somebody looks at and lets go: few enough at a time that their memory is given back cheaply. */
const SCAN_LIMITS = { batchRows: 1000, batchBytes: 1024 * 1024 };
/** Of changes: whoever writes them has something to begin with while the others are read. */
const FIRST_BYTES = 512 * 1024;
const WIRE_FORMS = [TEXT_FORM, BINARY_FORM] as const;
/** From this age on an open transaction is worth telling of. */
const HELD_BACK_MS = 1000;
/** follow: how often it looks, within what `maxDelayMs` allows. */
const POLL_MS = { standard: 500, min: 50, max: 5000 };

export function openPostgresSource(options: PostgresOptions, context: ConnectorContext): Source {
  return postgresSource({ server: resolveServer(options, context), pids: new Set() });
}

export function postgresSource(context: SourceContext): Source {
  const { server } = context;
  const readers = new Set<StreamReader>();
  const log = openLogSource(server);
  /** When a transaction was first seen whose begin the role may not see. */
  const noticed = new Map<string, string>();
  const once = <T>(signal: AbortSignal, work: (session: Session) => Promise<T>) => withReading(server, signal, work);
  const open = (ref: StreamRef, signal: AbortSignal): StreamReader => {
    const reader = openStreamReader(context, ref, signal);
    readers.add(reader);
    return reader;
  };
  const shut = async (reader: StreamReader) => {
    readers.delete(reader);
    await reader.close();
  };
  const using = async <T>(ref: StreamRef, signal: AbortSignal, work: (reader: StreamReader) => Promise<T>): Promise<T> => {
    const reader = open(ref, signal);
    try {
      return await work(reader);
    } finally {
      await shut(reader);
    }
  };
  async function* reading(
    ref: StreamRef,
    signal: AbortSignal,
    read: (reader: StreamReader) => AsyncIterable<Batch>,
  ): AsyncGenerator<Batch> {
    const reader = open(ref, signal);
    try {
      for await (const batch of read(reader)) {
        signal.throwIfAborted(); // what was read ahead is of no use any more
        yield batch;
      }
    } finally {
      await shut(reader);
    }
  }

  return {
    identity: (signal) => once(signal, readIdentity),
    discover: (signal, queries = []) => once(signal, (session) => discoverStreams(session, queries)),
    plan: async (streams, signal) => ({ streams: await once(signal, (session) => planStreams(session, server, streams)) }),
    apply: (plan, signal) => applyLog(server, plan, signal),
    feeds: (streams) => {
      const logged = streams.filter(isLogged);
      const polled = streams.filter((ref) => !isLogged(ref));
      const feeds = polled.map((ref): Feed => ({ id: `changes:${ref.name}`, kind: 'changes', streams: [ref.name] }));
      return logged.length === 0 ? feeds : [...feeds, log.feed(logged)];
    },
    startCursor: (feed, streams, signal) =>
      streams.every(isLogged)
        ? log.startCursor(feed, streams, signal)
        : using(only(streams), signal, async (reader) => writeCursor(await startCursorOf({ context, reader, limits: LOOKUP_LIMITS }))),
    splitBackfill: async (ref, partitions, signal, bounds = {}) => {
      if (isLogged(ref)) await log.beforeLoad(ref, signal);
      return using(ref, signal, async (reader) => {
        const ranges = await splitRange(reader, partitions, bounds);
        return ranges.map((range, index): Feed => ({
          id: `backfill:${ref.name}:${index + 1}`,
          kind: 'backfill',
          streams: [ref.name],
          range: rangeJson(range),
        }));
      });
    },
    fetchChanges: (request) =>
      request.feed.kind === 'changes' && request.streams.every(isLogged)
        ? log.fetchChanges(request)
        : reading(only(request.streams), request.signal, (reader) => fetch(context, reader, request)),
    acknowledge: async (feed, cursor) => {
      if (isLogCursor(cursor)) await log.acknowledge(feed, cursor);
    },
    settled: async (feed, cursor, signal) => !isLogCursor(cursor) || (await log.settled(feed, signal)),
    changedSince: (ref, sinceMs, signal) => reading(ref, signal, (reader) => readChangedSince(reader, sinceMs, SCAN_LIMITS)),
    scan: (ref, signal) => reading(ref, signal, (reader) => readAll(reader, SCAN_LIMITS)),
    fetchBy: (ref, fields, values, signal) => reading(ref, signal, (reader) => readBy({ reader, fields, values, limits: LOOKUP_LIMITS })),
    undelivered: ({ feed, stream, after, keys }, signal) =>
      isLogCursor(after)
        ? undeliveredInLog({ server, names: namesOf(server, feed, [stream]), stream, after: parseLogCursor(after), keys }, signal)
        : using(stream, signal, (reader) => readUndelivered(reader, parseChangesCursor(after), keys)),
    digests: (ref, fields, signal) =>
      openDigests(
        (asked, within) => {
          const reader = open(asked, within);
          return { reader, close: () => shut(reader) };
        },
        ref,
        fields,
        signal,
      ),
    heldBack: ({ id, streams: [stream = ''] }, signal) =>
      // The log delivers in the order of commits: nothing that is open holds back what has committed.
      id === LOG_FEED
        ? Promise.resolve(null)
        : once(signal, async (session) => {
            const relation = parseStreamName(stream, server.options.schema);
            const blocker = await readBlocker(session, { ownPids: context.pids, minAgeMs: HELD_BACK_MS, stream, relation });
            if (blocker === null) return null;
            const since = blocker.since ?? noticed.get(blocker.by) ?? new Date().toISOString();
            noticed.set(blocker.by, since);
            return { since, by: blocker.by };
          }),
    logState: async (feed, cursor, signal) => (feed.id === LOG_FEED ? readLogState(server, feed, cursor, signal) : null),
    release: async (feed, signal) => (feed.id === LOG_FEED ? releaseLog(server, feed, signal) : []),
    kept: (which, signal) => keptSlots(server, which, signal),
    explainCursor: (cursor) => (isLogCursor(cursor) ? explainLogCursor(cursor) : explainCursor(cursor)),
    close: async () => {
      await log.close();
      await Promise.all([...readers].map(shut));
      await server.spare.close();
    },
  };
}

function fetch(context: SourceContext, reader: StreamReader, request: FetchRequest): AsyncIterable<Batch> {
  const { feed, after, until, signal, forms } = request;
  const limits = {
    get batchRows() {
      return request.batchRows;
    },
    get batchBytes() {
      return request.batchBytes;
    },
    wire: WIRE_FORMS.find((form) => form === forms.get(reader.stream)),
    ...(until === 'drain' && feed.kind === 'changes' ? { firstBytes: FIRST_BYTES } : {}),
  };
  if (feed.kind === 'backfill') {
    const maxSnapshotMs = context.server.options.fence.maxSnapshot;
    return readRange({ reader, range: parseRange(feed), limits, maxSnapshotMs, chunk: until === 'chunk' }, parseBackfillCursor(after));
  }
  const cursor = parseChangesCursor(after);
  if (until !== 'follow') return readDrain({ context, reader, limits }, cursor);
  const pollMs = Math.min(Math.max((request.maxDelayMs ?? POLL_MS.standard * 2) / 2, POLL_MS.min), POLL_MS.max);
  return readFollow({ context, reader, limits, pollMs, signal }, cursor);
}

/** Every stream has a feed of its own. */
function only(streams: readonly StreamRef[]): StreamRef {
  const [ref] = streams;
  if (ref === undefined || streams.length > 1)
    throw new TrueupError('E_BUG', `A feed of the postgres connector has one stream, got ${streams.length}.`);
  return ref;
}
