import { PLAIN_LINES, TrueupError } from '../../src/sdk.ts';
import type { Batch, ConnectorContext, Feed, FetchRequest, Source, StreamRef } from '../../src/sdk.ts';
import { parseRange, rangeJson, readRange, requireOne, splitRange } from './read/backfill.ts';
import type { BatchLimits } from './read/batches.ts';
import { explainCursor, parseBackfillCursor, parseChangesCursor, writeCursor } from './read/cursor.ts';
import { discoverStreams } from './discover.ts';
import { readDrain, readFollow, startCursorOf } from './read/drain.ts';
import { readBy } from './read/fetch-by.ts';
import { readIdentity } from './identity.ts';
import type { MongoOptions } from './options.ts';
import { logFeed, recallNotes } from './log/log-feed.ts';
import { parseLogCursor, writeLogCursor } from './log/cursor.ts';
import { readLogState } from './log/log-state.ts';
import { readLog } from './log/read-log.ts';
import { startOfLog } from './log/start.ts';
import { readChangedInLog, readUndeliveredLog } from './log/undelivered.ts';
import { openKnowledge } from './read/reading.ts';
import type { Knowledge } from './read/reading.ts';
import { openSession } from './session.ts';
import { planStreams } from './source-plan.ts';
import type { SourceContext, StreamContext } from './stream-context.ts';
import { readChangedSince, readUndelivered } from './read/undelivered.ts';

/** Documents of a batch where the contract names no size. */
const LOOKUP_LIMITS: BatchLimits = { batchRows: 10_000, batchBytes: 8 * 1024 * 1024 };
/** Of a whole collection, whose documents somebody looks at and lets go: few enough at a time that their memory is given back cheaply. */
const SCAN_LIMITS: BatchLimits = { batchRows: 1000, batchBytes: 1024 * 1024 };
/** follow: how often it looks, within what `maxDelayMs` allows. */
const POLL_MS = { standard: 500, min: 50, max: 5000 };
const WHOLE = { range: {}, from: null, chunk: false } as const;

export function openMongoSource(options: MongoOptions, context: ConnectorContext): Source {
  const session = openSession(options, context);
  const knowledge = openKnowledge(session);
  const shared: SourceContext = { session, knowledge };
  const on = (ref: StreamRef, signal: AbortSignal, limits: BatchLimits = LOOKUP_LIMITS): StreamContext => ({
    ...shared,
    ref,
    signal,
    limits,
  });

  return {
    identity: (signal) => readIdentity(session, signal),
    discover: (signal, queries = []) => {
      if (queries.length > 0) throw noQueries(queries[0]?.name ?? '');
      return discoverStreams(session, knowledge, signal);
    },
    plan: async (streams, signal) => ({ streams: await planStreams(shared, streams, signal) }),
    recall: (feeds) => feeds.forEach((feed) => recallNotes(knowledge, feed)),
    feeds: (streams) => [
      ...streams.filter((ref) => !isLogged(ref)).map((ref) => polledFeed(knowledge, ref)),
      ...logFeed(knowledge, streams.filter(isLogged)),
    ],
    startCursor: async (_feed, streams, signal) => {
      if (streams.some(isLogged)) return writeLogCursor(await startOfLog(session, streams, signal));
      const ref = requireOne(streams, 'A feed');
      return ref.changes.by === 'snapshot' ? null : writeCursor(await startCursorOf(on(ref, signal), cursorField(ref)));
    },
    splitBackfill: async (ref, partitions, signal, bounds = {}) => {
      const ranges = await splitRange(on(ref, signal), partitions, bounds);
      return ranges.map((range, index): Feed => ({
        id: `backfill:${ref.name}:${index + 1}`,
        kind: 'backfill',
        streams: [ref.name],
        range: rangeJson(range),
      }));
    },
    fetchChanges: (request) =>
      guarded(request.signal, () =>
        request.feed.kind !== 'backfill' && request.streams.some(isLogged)
          ? readLog(shared, { ...request, limits: request }, parseLogCursor(request.after))
          : fetch(on(requireOne(request.streams, 'A feed'), request.signal, limitsOf(request)), request),
      ),
    scan: (ref, signal) => guarded(signal, () => readRange(on(ref, signal, SCAN_LIMITS), { ...WHOLE, cursors: false })),
    fetchBy: (ref, fields, values, signal) => guarded(signal, () => readBy(on(ref, signal), { fields, values })),
    undelivered: async ({ stream, after, keys }, signal) => {
      if (stream.changes.by === 'snapshot') return keys.map(() => true);
      if (isLogged(stream)) return readUndeliveredLog(on(stream, signal), { after: parseLogCursor(after), keys });
      return readUndelivered(on(stream, signal), cursorField(stream), { after: parseChangesCursor(after), keys });
    },
    changedSince: (ref, sinceMs, signal) =>
      guarded(signal, () =>
        isLogged(ref) ? readChangedInLog(on(ref, signal), sinceMs) : readChangedSince(on(ref, signal), cursorField(ref), sinceMs),
      ),
    logState: async (_feed, cursor, signal) => readLogState(session, parseLogCursor(cursor), signal),
    explainCursor,
    close: () => session.close(),
  };
}

function isLogged({ changes }: StreamRef): boolean {
  return changes.by === 'log';
}

function polledFeed(knowledge: Knowledge, { name }: StreamRef): Feed {
  const known = knowledge.note(name);
  return { id: `changes:${name}`, kind: 'changes', streams: [name], ...(known === null ? {} : { known }) };
}

/** What was read ahead is of no use any more once the signal aborts. */
async function* guarded(signal: AbortSignal, read: () => AsyncIterable<Batch>): AsyncGenerator<Batch> {
  signal.throwIfAborted();
  for await (const batch of read()) {
    signal.throwIfAborted();
    yield batch;
  }
}

function fetch(context: StreamContext, { feed, after, until, maxDelayMs }: FetchRequest): AsyncIterable<Batch> {
  // Whoever asks for the changes of a snapshot gets everything: the comparison with the target is the engine's.
  if (feed.kind === 'backfill' || context.ref.changes.by === 'snapshot')
    return readRange(context, {
      range: parseRange(feed),
      from: parseBackfillCursor(after)?.id ?? null,
      chunk: until === 'chunk',
      cursors: true,
    });
  const from = parseChangesCursor(after);
  if (until !== 'follow') return readDrain(context, cursorField(context.ref), from);
  const pollMs = Math.min(Math.max((maxDelayMs ?? POLL_MS.standard * 2) / 2, POLL_MS.min), POLL_MS.max);
  return readFollow(context, cursorField(context.ref), { from, pollMs });
}

function limitsOf(request: FetchRequest): BatchLimits {
  return {
    get batchRows() {
      return request.batchRows;
    },
    get batchBytes() {
      return request.batchBytes;
    },
    asLines: request.streams.every(({ name }) => request.forms.get(name) === PLAIN_LINES),
  };
}

function cursorField({ name, changes }: StreamRef): string {
  if (changes.by === 'cursor' && changes.field !== undefined) return changes.field;
  throw new TrueupError(
    'E_CHANGES_UNSUPPORTED',
    `Stream '${name}': the mongodb connector delivers changes by cursor, by snapshot and by log, not by '${changes.by}'.`,
  );
}

function noQueries(name: string): TrueupError {
  return new TrueupError(
    'E_CONFIG_INVALID',
    `Stream '${name}': the mongodb connector has no query streams. Make a view of the query and name that.`,
  );
}
