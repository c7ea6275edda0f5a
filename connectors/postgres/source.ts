import type { Batch, ConnectorContext, Feed, FetchRequest, Source, StreamRef } from '../../src/sdk.ts';
import { TrueupError } from '../../src/sdk.ts';
import { parseRange, rangeJson, readRange, splitRange } from './backfill.ts';
import { explainCursor, parseBackfillCursor, parseChangesCursor, writeCursor } from './cursor.ts';
import { discoverStreams } from './discover.ts';
import { readDrain, startCursorOf } from './drain.ts';
import { readBlocker } from './fence.ts';
import { readBy } from './fetch-by.ts';
import { readFollow } from './follow.ts';
import type { PostgresOptions } from './options.ts';
import { readIdentity } from './server-facts.ts';
import { resolveServer, withSession } from './session.ts';
import type { Session } from './session.ts';
import { planStreams } from './source-plan.ts';
import { openStreamReader } from './stream-reader.ts';
import type { SourceContext, StreamReader } from './stream-reader.ts';

/** Rows of a batch where the contract names no size. */
const LOOKUP_LIMITS = { batchRows: 10_000, batchBytes: 8 * 1024 * 1024 };
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
  /** When a transaction was first seen whose begin the role may not see. */
  const noticed = new Map<string, string>();
  const once = <T>(signal: AbortSignal, work: (session: Session) => Promise<T>) => withSession(server, { purpose: 'read', signal }, work);
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
    feeds: (streams) => streams.map((ref): Feed => ({ id: `changes:${ref.name}`, kind: 'changes', streams: [ref.name] })),
    startCursor: (_feed, streams, signal) =>
      using(only(streams), signal, async (reader) => writeCursor(await startCursorOf({ context, reader, limits: LOOKUP_LIMITS }))),
    splitBackfill: (ref, partitions, signal, bounds = {}) =>
      using(ref, signal, async (reader) => {
        const ranges = await splitRange(reader, partitions, bounds);
        return ranges.map((range, index): Feed => ({
          id: `backfill:${ref.name}:${index + 1}`,
          kind: 'backfill',
          streams: [ref.name],
          range: rangeJson(range),
        }));
      }),
    fetchChanges: (request) => reading(only(request.streams), request.signal, (reader) => fetch(context, reader, request)),
    fetchBy: (ref, fields, values, signal) => reading(ref, signal, (reader) => readBy({ reader, fields, values, limits: LOOKUP_LIMITS })),
    heldBack: (_feed, signal) =>
      once(signal, async (session) => {
        const blocker = await readBlocker(session, context.pids, HELD_BACK_MS);
        if (blocker === null) return null;
        const since = blocker.since ?? noticed.get(blocker.by) ?? new Date().toISOString();
        noticed.set(blocker.by, since);
        return { since, by: blocker.by };
      }),
    explainCursor,
    close: async () => {
      await Promise.all([...readers].map(shut));
    },
  };
}

function fetch(context: SourceContext, reader: StreamReader, request: FetchRequest): AsyncIterable<Batch> {
  const { feed, after, until, batchRows, batchBytes, signal } = request;
  const limits = { batchRows, batchBytes };
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
