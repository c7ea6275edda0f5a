import type { Socket } from 'node:net';
import { TrueupError } from '../../../src/sdk.ts';
import { quoteText } from '../quote.ts';
import { openSession } from '../session/session.ts';
import type { Server, Session } from '../session/session.ts';
import { createFrames } from './frames.ts';
import type { Frames } from './frames.ts';
import { lsnText } from './lsn.ts';
import type { Lsn } from './lsn.ts';
import { statusUpdate } from './wire.ts';

/*
 * One connection that receives the log. The socket is read by this module alone from the moment on that the server begins to send: whole chunks wait
 * until they are asked for, and beyond a limit the socket is left alone, so that the server waits.
 */

/** Bytes that may wait here (the kernel's buffers apart). */
const MAX_WAITING = 4 * 1024 * 1024;
/** How often the server hears of us while nothing else is said, at most (ms). */
const STATUS_MS = 10_000;
const CLOSE_MS = 2000;

const COPY_BOTH = 0x57; // W
const COPY_DATA = 0x64; // d
const COPY_DONE = 0x63; // c
const ERROR = 0x45; // E
const READY = 0x5a; // Z

export interface StartReplication {
  readonly slot: string;
  readonly publication: string;
  readonly from: Lsn;
  /** What the server was told to be durable. A cursor alone says nothing: whoever reads from it may only be looking. */
  readonly confirmed: Lsn;
  /** Cells as the types send them, not as text. From PostgreSQL 14 on. */
  readonly binary: boolean;
}

export interface LogStream {
  readonly session: Session;
  readonly frames: Frames;
  /** The next message of the log, its body in `frames`; its first byte, or -1 where none has arrived. @throws what ended the stream */
  take(): number;
  /** Resolves when something may have arrived, or after `ms`. Throws the reason of the signal. */
  arrived(ms: number, signal: AbortSignal): Promise<void>;
  /** Asks the server how far it has come. */
  ask(): void;
  /** Tells the server that we are here. */
  reply(): void;
  /** What was received up to here was worked off. */
  received(lsn: Lsn): void;
  /** Durable up to here: tells the server, which may forget what lies before. */
  confirm(lsn: Lsn): void;
  readonly isOpen: boolean;
  /** Says goodbye, so that the server has heard of the last confirmation. Harmless when called twice. */
  close(): Promise<void>;
}

/** Begins to receive. @throws {TrueupError} what the server says against it */
export async function startReplication(server: Server, start: StartReplication, signal: AbortSignal): Promise<LogStream> {
  const session = await openSession(server, { purpose: 'log', signal });
  const unwatch = session.watch(signal);
  try {
    const [row] = await session.query('show wal_sender_timeout');
    const stream = streamOf(session, start, statusEvery(row?.[0] ?? ''));
    await stream.begin(
      `START_REPLICATION SLOT "${start.slot}" LOGICAL ${lsnText(start.from)} (proto_version '1', ${start.binary ? `binary 'true', ` : ''}publication_names ${quoteText(`"${start.publication.replaceAll('"', '""')}"`)})`,
    );
    return stream;
  } catch (error) {
    session.destroy();
    throw session.fault(error);
  } finally {
    unwatch();
  }
}

/** A third of what the server waits for a sign of life: `1min`, `500ms`, `0` for ever. */
function statusEvery(timeout: string): number {
  const parts = /^(\d+)(ms|s|min|h|d)?$/.exec(timeout);
  const unit = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 }[parts?.[2] ?? 'ms'] ?? 1;
  const ms = Number(parts?.[1] ?? 0) * unit;
  return ms === 0 ? STATUS_MS : Math.min(STATUS_MS, Math.ceil(ms / 3));
}

interface Wire {
  readonly stream: Socket;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

function streamOf(
  session: Session,
  start: Pick<StartReplication, 'from' | 'confirmed'>,
  everyMs: number,
): LogStream & { begin(command: string): Promise<void> } {
  const wire = session.client.connection as unknown as Wire;
  const socket = wire.stream;
  const frames = createFrames();
  let state: 'starting' | 'open' | 'closing' | 'done' = 'starting';
  let failure: unknown = null;
  let wake: () => void = noop;
  let ready: () => void = noop;
  let paused = false;
  let received = start.from;
  let { confirmed } = start;

  const fail = (error: unknown): void => {
    failure ??= error;
    state = 'done';
    wake();
    ready();
  };
  const tell = (askReply = false): void => {
    if (state === 'open') wire.sendCopyFromChunk(statusUpdate(received, confirmed, { nowMs: Date.now(), askReply }));
  };
  const timer = setInterval(tell, everyMs);
  timer.unref();

  function onData(chunk: Buffer): void {
    frames.add(chunk);
    if (state === 'starting') begun();
    if (state === 'closing' && sawReady()) ready();
    if (frames.waiting > MAX_WAITING && !paused && state === 'open') {
      paused = true;
      socket.pause();
    }
    wake();
  }
  /** Nothing of the log comes before the server has switched over. What it says until then is for the client. */
  function begun(): void {
    for (let kind = frames.take(); kind !== -1; kind = frames.take()) {
      if (kind !== COPY_BOTH) continue;
      state = 'open';
      for (const listener of socket.listeners('data')) if (listener !== onData) socket.off('data', listener as (chunk: Buffer) => void);
      ready();
      return;
    }
  }

  function sawReady(): boolean {
    for (let kind = frames.take(); kind !== -1; kind = frames.take()) if (kind === READY) return true;
    return false;
  }
  /** The server answers the end of the stream once it has worked off what came before it. */
  async function goodbye(): Promise<void> {
    tell();
    state = 'closing';
    await new Promise<void>((resolve) => {
      const timeout = setTimeout(resolve, CLOSE_MS);
      ready = () => {
        clearTimeout(timeout);
        resolve();
      };
      socket.once('close', ready);
      wire.endCopyFrom();
      socket.resume();
    });
    state = 'done';
  }

  return {
    session,
    frames,
    async begin(command) {
      socket.on('data', onData);
      const started = new Promise<void>((resolve) => (ready = resolve));
      // It ends when the stream does.
      void session.query(command).then(() => fail(new TrueupError('E_CONNECTION_LOST', 'The server ended the replication.')), fail);
      await started;
      if (failure !== null) throw session.fault(failure);
    },
    take() {
      for (;;) {
        const kind = frames.take();
        if (paused && frames.waiting < MAX_WAITING / 4) {
          paused = false;
          socket.resume();
        }
        if (kind === -1) {
          if (failure !== null) throw session.fault(failure);
          return -1;
        }
        if (kind === ERROR) fail(serverError(frames.bytes, frames.start, frames.end));
        else if (kind === COPY_DONE || kind === READY) fail(new TrueupError('E_CONNECTION_LOST', 'The server ended the replication.'));
        else if (kind === COPY_DATA) return frames.bytes[frames.start] as number;
      }
    },
    async arrived(ms, signal) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const timeout = setTimeout(resolve, ms);
        const done = (): void => {
          clearTimeout(timeout);
          signal.removeEventListener('abort', done);
          wake = noop;
          resolve();
        };
        wake = done;
        signal.addEventListener('abort', done, { once: true });
      });
      signal.throwIfAborted();
    },
    ask: () => tell(true),
    reply: () => tell(),
    received: (lsn) => {
      if (lsn > received) received = lsn;
    },
    confirm: (lsn) => {
      if (lsn <= confirmed) return;
      confirmed = lsn;
      if (lsn > received) received = lsn;
      tell();
    },
    get isOpen() {
      return state === 'open' && failure === null && session.isOpen;
    },
    async close() {
      clearInterval(timer);
      if (state === 'open') await goodbye();
      await session.close();
    },
  };
}

/** What the server says went wrong, with the members that the client library gives such an error. */
function serverError(bytes: Buffer, start: number, end: number): Error {
  const fields = new Map<string, string>();
  for (let at = start; at < end && bytes[at] !== 0;) {
    const stop = bytes.indexOf(0, at + 1);
    fields.set(String.fromCharCode(bytes[at] as number), bytes.toString('utf8', at + 1, stop));
    at = stop + 1;
  }
  return Object.assign(new Error(fields.get('M') ?? 'an error without a message'), { code: fields.get('C'), severity: fields.get('S') });
}

function noop(): void {
  // nobody waits
}
