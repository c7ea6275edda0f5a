import { TrueupError } from '../../../src/sdk.ts';
import type { Batch, Cursor, FetchRequest } from '../../../src/sdk.ts';
import { BINARY_FORM } from '../copy/binary.ts';
import { TEXT_FORM } from '../copy/text.ts';
import type { WireForm } from '../read/reading.ts';
import { withReading } from '../session/session.ts';
import type { Server } from '../session/session.ts';
import { parseLogCursor } from './cursor.ts';
import { openLogCatalog } from './log-catalog.ts';
import type { LogCatalog } from './log-catalog.ts';
import type { Lsn } from './lsn.ts';
import { readPublished, refuseOtherTables } from './published.ts';
import type { Published } from './published.ts';
import { drainTarget, findPosition } from './position.ts';
import { CellsNeeded, limitsOf, readLog } from './read-log.ts';
import { startReplication } from './replication.ts';
import type { LogStream } from './replication.ts';
import { fullXid, readVisibility, sees } from './snapshots.ts';
import type { LogNames } from './names.ts';

/** Transactions that may be remembered before those that everybody sees are forgotten. */
const MAX_REMEMBERED = 10_000;

/** The log as one job reads it: one slot, one connection at a time. */
export interface LogFeed {
  fetch(request: FetchRequest): AsyncGenerator<Batch>;
  acknowledge(cursor: Cursor): void;
  /** Whether a snapshot that is taken from now on sees everything that was delivered by this process. */
  settled(signal: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
}

/** A connection whose reader has come to the end of a drain: the next read goes on where it stands. */
interface Held {
  readonly stream: LogStream;
  readonly catalog: LogCatalog;
  readonly timeline: string;
  readonly published: Published;
  /** Cells are as the types send them. */
  readonly binary: boolean;
  /** `null`: nobody knows where it stands; it is only there to confirm what is still being written. */
  readonly at: Lsn | null;
  /** Names of the streams, and in which forms they are handed over. */
  readonly streams: string;
}

export function openLogFeed(server: Server, names: LogNames): LogFeed {
  let held: Held | null = null;
  /** Low 32 bits of the transactions that were delivered and may not be visible to everybody. */
  let recent = new Set<number>();

  /** Whether the log holds what cannot be read as the types send it: it is read as text then, for as long as this process lives. */
  let plain = false;

  const streamsOf = (request: FetchRequest): string => JSON.stringify([request.streams, ...request.forms, plain]);
  const begin = async (request: FetchRequest): Promise<Held & { readonly at: Lsn }> => {
    const cursor = request.after === null ? null : parseLogCursor(request.after);
    const before = held;
    held = null;
    if (before !== null && before.at !== null && before.at === cursor?.at && before.stream.isOpen && before.streams === streamsOf(request))
      return { ...before, at: before.at };
    await before?.stream.close();
    const { at, confirmed, timeline } = await findPosition(server, names.slot, cursor, request.signal);
    const published = await readPublished(server, names.publication, request.streams, request.signal);
    if (cursor !== null) refuseOtherTables(cursor.published, published, request.streams);
    const forms = plain ? new Map<string, WireForm>() : wireForms(request);
    const catalog = await openLogCatalog(server, request.streams, forms, request.signal);
    const binary = isBinary(forms);
    const stream = await startReplication(server, { ...names, from: at, confirmed, binary }, request.signal);
    return { stream, catalog, timeline, published, at, binary, streams: streamsOf(request) };
  };
  const forget = async (signal: AbortSignal): Promise<void> => {
    if (recent.size === 0) return;
    const now = await withReading(server, signal, readVisibility);
    recent = new Set([...recent].filter((xid) => !sees(now, fullXid(xid, now))));
  };

  return {
    async *fetch(request) {
      const { signal, until } = request;
      const from = await begin(request);
      held = { ...from, at: null };
      let ended = false;
      const stopBeating = until === 'follow' ? beat(server, signal) : () => {};
      try {
        const target = until === 'follow' ? null : await drainTarget(server, signal);
        const at = yield* readLog({
          ...from,
          slot: names.slot,
          from: from.at,
          target,
          slabs: server.slabs,
          limits: limitsOf(request),
          maxDelayMs: request.maxDelayMs ?? Number.POSITIVE_INFINITY,
          signal,
          onTransaction: (xid) => void recent.add(xid),
        });
        held = { ...from, at };
        ended = true;
        if (recent.size > MAX_REMEMBERED) await forget(signal);
      } catch (error) {
        if (!(error instanceof CellsNeeded)) throw error;
        plain = true;
        throw new TrueupError('E_CONNECTION_LOST', 'The log is read again, as text: it holds rows of an older shape of their table.');
      } finally {
        stopBeating();
        // What was handed over is still being written: the connection stays for its confirmation, unless it is the one that failed.
        if (!ended && !signal.aborted) await shut();
      }
    },
    acknowledge(cursor) {
      if (held?.stream.isOpen === true) held.stream.confirm(parseLogCursor(cursor).at);
    },
    async settled(signal) {
      await forget(signal);
      return recent.size === 0;
    },
    close: shut,
  };

  async function shut(): Promise<void> {
    const closing = held;
    held = null;
    await closing?.stream.close();
  }
}

/**
 * In which forms rows can be handed on as they are in the log: as bytes of the types where every stream is taken so, else as text where that was agreed.
 * One connection sends all of them in the same way.
 */
function wireForms({ streams, forms }: FetchRequest): Map<string, WireForm> {
  const agreed = streams.map(({ name }) => [name, forms.get(name)] as const);
  if (agreed.every(([, form]) => form === BINARY_FORM)) return new Map(streams.map(({ name }) => [name, BINARY_FORM]));
  return new Map(agreed.flatMap(([name, form]) => (form === TEXT_FORM ? [[name, TEXT_FORM] as const] : [])));
}

function isBinary(forms: ReadonlyMap<string, WireForm>): boolean {
  return [...forms.values()].includes(BINARY_FORM);
}

/** Writes into the log at every heartbeat. One that fails is of no concern: the stream itself notices what is wrong. */
function beat(server: Server, signal: AbortSignal): () => void {
  const { heartbeat } = server.options;
  if (heartbeat === 0) return () => {};
  const timer = setInterval(() => {
    void withReading(server, signal, (session) =>
      session.query(`select pg_catalog.pg_logical_emit_message(true, 'trueup-heartbeat', '')`),
    ).catch(() => {});
  }, heartbeat);
  return () => clearInterval(timer);
}
