import type { Batch, FetchRequest } from '../../../src/sdk.ts';
import { TrueupError, isTrueupError } from '../../../src/sdk.ts';
import { readRange } from '../read/backfill.ts';
import type { BatchLimits, Open } from '../read/batches.ts';
import type { RawValue } from '../bson/read.ts';
import { parseExtendedJson } from '../bson/ejson-read.ts';
import { openSession } from '../session.ts';
import type { Session } from '../session.ts';
import { progress } from '../stream-context.ts';
import type { SourceContext, StreamContext } from '../stream-context.ts';
import { openChangeStream } from './change-stream.ts';
import type { Answer, ChangeStream } from './change-stream.ts';
import { timeMs, timestampOf } from './cluster-time.ts';
import type { ClusterTime } from './cluster-time.ts';
import { cursorAtTime, cursorAtToken, positionText, timeOfCursor, writeLogCursor } from './cursor.ts';
import type { LogCursor } from './cursor.ts';
import { eventBatches, positionOf } from './event-batches.ts';
import type { EventBatches } from './event-batches.ts';
import { readEvent } from './event.ts';
import type { LogEvent } from './event.ts';
import { lostPosition } from './lost.ts';
import { oneHostUrl } from './one-host.ts';
import { startOfLog } from './start.ts';
import { imagesOf } from './stages.ts';

export type LogRequest = Pick<FetchRequest, 'streams' | 'until' | 'signal'> & { readonly limits: BatchLimits };

/** How long the server waits for something to happen (ms): while following, and where a drain waits for a majority to have what was written before it. */
const WAIT_MS = { follow: 1000, drain: 50, atOnce: 1 };
/** follow: how often the place of a stream is told in which nothing happens. */
const PROGRESS_MS = 1000;
/** A drain ends once a majority has everything that was written before it. Without one it would wait for ever. */
const MAJORITY_MS = 30_000;

/** One read of the log, and how far it has come. */
interface Reading {
  readonly context: SourceContext;
  readonly request: LogRequest;
  readonly open: Map<string, Open>;
  readonly batches: EventBatches;
  readonly scope: string | null;
  /** What change streams are opened on. */
  readonly streamed: Session;
  /** Everything up to here is to be delivered; `null`: whatever comes. */
  readonly end: ClusterTime | null;
  /** Where it goes on when the stream is opened again. */
  at: LogCursor;
  /** The last that was told. */
  told: LogCursor;
  toldAtMs: number;
  /** The last event of a transaction of which more may come. */
  unfinished: LogEvent | null;
  /** Whether events travel without documents: one of them was too large. */
  lean: boolean;
}

/**
 * What happened to these streams after `from`, in order: events of the server's change stream. Ends, when it is to, once everything that was written before the call was
 * delivered, and leaves a cursor there.
 *
 * @param from `null`: from the beginning, that is all there is now and then what happens
 */
export async function* readLog(context: SourceContext, request: LogRequest, from: LogCursor | null): AsyncGenerator<Batch> {
  const { streams, signal } = request;
  const start = from ?? (await startOfLog(context.session, streams, signal));
  const read = await openReading(context, request, start);
  try {
    if (from === null) {
      for (const ref of streams) yield* whole(read, ref.name);
      yield told(read, start);
    }
    for (let isOver = false; !isOver;) isOver = yield* readStream(read);
  } finally {
    if (read.streamed !== context.session) await read.streamed.close();
  }
}

async function openReading(context: SourceContext, request: LogRequest, start: LogCursor): Promise<Reading> {
  const { session, knowledge } = context;
  const { streams, signal, until, limits } = request;
  const facts = await session.facts(signal);
  if (facts.applied === null || facts.heardOf === null)
    throw new TrueupError('E_CHANGES_UNSUPPORTED', `${session.where.address} is no replica set, and only those keep a log of changes.`);
  // What was taken at a time stands right before the next one. Beyond that, this is not the history that the position belongs to.
  if (timeOfCursor(start) > facts.heardOf + 1n)
    throw lostPosition(session, start, `the clock of the set stands at ${positionText(facts.heardOf)}`);
  const open = new Map<string, Open>();
  for (const ref of streams) open.set(ref.name, { reading: await knowledge.reading(ref, signal) });
  const [only] = streams;
  const scope = streams.length === 1 && only !== undefined ? only.name : null;
  const batches: EventBatches = {
    knowledge,
    limits,
    open,
    cursorAfter: (event) => writeLogCursor(cursorAtToken(event.token, event.time, scope)),
  };
  const end = until === 'follow' ? null : facts.applied;
  const { options } = session;
  const streamed =
    facts.kind === 'sharded' ? openSession({ ...options, url: oneHostUrl(options.url, Math.random()) }, session.context) : session;
  return { context, request, open, batches, scope, streamed, end, at: start, told: start, toldAtMs: 0, unfinished: null, lean: false };
}

/** Reads until the end (`true`), or until the stream must be opened again. */
async function* readStream(read: Reading): AsyncGenerator<Batch, boolean> {
  let stream: ChangeStream | null = null;
  try {
    stream = await openAt(read);
    return yield* answers(read, stream);
  } catch (error) {
    if (!isTrueupError(error)) throw error;
    if (error.code === 'E_POSITION_LOST') throw lostPosition(read.context.session, read.at, 'the oplog does not reach back so far', error);
    if (error.code !== 'E_RECORD_TOO_LARGE' || read.lean) throw error;
    read.lean = true;
    return false;
  } finally {
    await stream?.close();
  }
}

async function* answers(read: Reading, stream: ChangeStream): AsyncGenerator<Batch, boolean> {
  let moved = performance.now();
  let isFirst = true;
  for (let answer = stream.first; ; answer = await stream.next(waitOf(read, isFirst))) {
    const before = timeOfCursor(read.at);
    yield* deliver(read, answer);
    if (answer.isOver) return false;
    if (isPast(read, answer, isFirst)) {
      if (!isTold(read)) yield told(read, read.at);
      return true;
    }
    if (answer.events.length > 0 || answer.time > before) moved = performance.now();
    else if (read.end !== null && performance.now() - moved > MAJORITY_MS) throw noMajority(read);
    isFirst = false;
  }
}

function waitOf({ end, unfinished }: Reading, isFirst: boolean): number {
  if (unfinished !== null || (end !== null && isFirst)) return WAIT_MS.atOnce;
  return end === null ? WAIT_MS.follow : WAIT_MS.drain;
}

/** At the very time of the end there may be more to come, until an answer is empty; that of opening is none. */
function isPast({ end, unfinished }: Reading, { events, time }: Answer, isFirst: boolean): boolean {
  if (end === null || unfinished !== null || time < end) return false;
  return time > end || (events.length === 0 && !isFirst);
}

async function openAt(read: Reading): Promise<ChangeStream> {
  const { context, request, scope, streamed, at, lean } = read;
  const { session } = context;
  const { streams, signal, limits } = request;
  const { stage, stages } = imagesOf(streams, session.options, await session.facts(signal), lean);
  const isOwn = at.token !== null && at.scope === scope;
  const start = isOwn
    ? { startAfter: parseExtendedJson(at.token as string, 'a resume token') }
    : { startAtOperationTime: timestampOf(timeOfCursor(at)) };
  return openChangeStream({ session: streamed, scope, start, images: stage, stages, size: limits.batchRows, signal });
}

async function* deliver(read: Reading, answer: Answer): AsyncGenerator<Batch> {
  const { scope, open } = read;
  const names = new Set(open.keys());
  const all = answer.events.map((raw: RawValue) => readEvent(raw, names));
  const { end } = read;
  // What was written after the call is left to the next: somebody who goes on writing would keep this one going.
  const events = end === null ? all : all.filter(({ time }) => time <= end);
  const { unfinished } = read;
  // The next event tells that the transaction is over; so does an answer without any.
  if (unfinished !== null && events[0]?.transaction !== unfinished.transaction) {
    read.unfinished = null;
    yield told(read, cursorAtToken(unfinished.token, unfinished.time, scope));
  }
  yield* segments(read, events, answer);
  const last = events.at(-1);
  if (last !== undefined && !isWhole(last, answer)) read.unfinished = last;
  read.at = end !== null && events.length < all.length ? cursorAtTime(end + 1n) : cursorAtToken(answer.token, answer.time, scope);
  const isDue = end === null && performance.now() - read.toldAtMs > PROGRESS_MS;
  if (last === undefined && isDue && !isTold(read)) yield told(read, read.at);
}

function isTold({ told: last, at }: Reading): boolean {
  return last.token === at.token && last.time === at.time;
}

/** Whether no more of the event's transaction can come. */
function isWhole({ transaction, time }: LogEvent, answer: Answer): boolean {
  return transaction === null || answer.time > time;
}

/** The events between two collections that are read as a whole. */
async function* segments(read: Reading, events: readonly LogEvent[], answer: Answer): AsyncGenerator<Batch> {
  const pending: LogEvent[] = [];
  for (const event of events) {
    const reloaded = event.changes.filter(({ kind }) => kind === 'reload');
    if (reloaded.length === 0) {
      pending.push(event);
      continue;
    }
    yield* sent(read, pending.splice(0), true);
    yield* sent(read, [{ ...event, changes: event.changes.map((change) => ({ ...change, kind: 'truncate' }) as const) }], false);
    for (const { stream } of reloaded) yield* whole(read, stream);
    yield told(read, cursorAtToken(event.token, event.time, read.scope));
  }
  const last = pending.at(-1);
  if (last !== undefined) yield* sent(read, pending, isWhole(last, answer));
}

async function* sent(read: Reading, events: readonly LogEvent[], endsWhole: boolean): AsyncGenerator<Batch> {
  for (const batch of eventBatches(read.batches, events, endsWhole)) {
    read.request.signal.throwIfAborted();
    yield batch;
  }
}

/** All documents of a collection as they are now; what is written meanwhile is delivered after them. */
async function* whole(read: Reading, name: string): AsyncGenerator<Batch> {
  const { context, request } = read;
  const ref = request.streams.find((one) => one.name === name);
  if (ref === undefined) return;
  const of: StreamContext = { ...context, ref, signal: request.signal, limits: request.limits };
  yield* readRange(of, { range: {}, from: null, chunk: false, cursors: false });
  // What the documents taught of their fields holds for the events after them.
  read.open.set(name, { reading: await context.knowledge.reading(ref, request.signal) });
}

/** Progress without records. */
function told(read: Reading, cursor: LogCursor): Batch {
  read.told = cursor;
  read.toldAtMs = performance.now();
  const [{ reading }] = [...read.open.values()] as [Open];
  const time = timeOfCursor(cursor);
  return progress(reading, writeLogCursor(cursor), positionOf({ time, timeMs: timeMs(time) }));
}

function noMajority({ context, end }: Reading): TrueupError {
  return new TrueupError(
    'E_TIMEOUT',
    `${context.session.where.address}: a majority of the members did not get what was written up to ${positionText(end ?? 0n)} within ${MAJORITY_MS / 1000} s. Are enough of them up?`,
  );
}
