import type { Duplex } from 'node:stream';
import type { Submittable } from 'pg';
import type { Session } from '../session/session.ts';
import { takeOver } from '../session/socket.ts';

/*
 * COPY TO STDOUT as it comes from the socket. The server sends one CopyData message per row, and COPY FROM STDIN takes the very same messages, so
 * rows that nobody looks into go from socket to socket untouched; only the lengths are read, to know where a message ends.
 */

/** Type and length of a message. */
export const HEADER_BYTES = 5;
const COPY_DATA = 0x64;
/** CopyOutResponse, and what a server may send at any time: ParameterStatus, NoticeResponse, NotificationResponse. */
const PASSED_OVER: ReadonlySet<number> = new Set([0x48, 0x53, 0x4e, 0x41]);

/** Makes items of runs of CopyData messages, which are cut anywhere but inside of a header and belong to it for the duration of the call. */
export type TakeRun<Item> = (run: Buffer, put: (item: Item) => void) => void;

/** The rows themselves of a SELECT, in chunks that are cut anywhere. Ending the iteration early ends the session. */
export async function* copyOut(session: Session, select: string): AsyncGenerator<Buffer> {
  const strip = headerStripper();
  yield* copyItems<Buffer>(session, `copy (${select}) to stdout`, (run, put) => {
    const rows = strip(run);
    if (rows.length > 0) put(Buffer.from(rows));
  });
}

/**
 * What `take` makes of the rows of a `copy … to stdout`. Nothing is read while an item waits, so memory is bounded by what an item weighs. Ending the iteration early ends the session.
 */
export async function* copyItems<Item>(session: Session, copy: string, take: TakeRun<Item>): AsyncGenerator<Item> {
  const reading = startReading(copy, take);
  session.client.query(reading);
  let ended = false;
  try {
    for (let next = await reading.next(); next !== null; next = await reading.next()) yield next.item;
    ended = true;
  } catch (error) {
    // A fault of the server's leaves the session in order; one of `take` does not.
    ended = reading.ended;
    throw ended ? session.fault(error) : error;
  } finally {
    if (!ended) session.destroy();
  }
}

/** Takes the headers out of chunks of CopyData messages, which may be cut anywhere, in place. */
export function headerStripper(): (chunk: Buffer) => Buffer {
  /** Of the message at hand: what is missing, and of a header that is cut how much there is of it. */
  let left = 0;
  let seen = 0;
  let length = 0;
  return (chunk) => {
    let to = 0;
    for (let at = 0; at < chunk.length;) {
      if (left > 0) {
        const size = Math.min(left, chunk.length - at);
        chunk.copyWithin(to, at, at + size);
        to += size;
        at += size;
        left -= size;
      } else if (seen === 0 && chunk.length - at >= HEADER_BYTES) {
        left = chunk.readUInt32BE(at + 1) - 4;
        at += HEADER_BYTES;
      } else {
        length = seen === 0 ? 0 : length * 256 + (chunk[at] as number);
        seen++;
        at++;
        if (seen < HEADER_BYTES) continue;
        left = length - 4;
        seen = 0;
      }
    }
    return chunk.subarray(0, to);
  };
}

interface Reading<Item> extends Submittable {
  /** `null`: the server has sent all, and is ready for the next statement. */
  next(): Promise<{ readonly item: Item } | null>;
  /** Whether the server has ended the statement, for better or worse. */
  readonly ended: boolean;
  // What pg calls.
  handleError(error: Error): void;
  handleCommandComplete(): void;
  handleReadyForQuery(): void;
}

/** pg's own reader would make an object of every message: it is set aside until the rows have ended. */
function startReading<Item>(text: string, takeRun: TakeRun<Item>): Reading<Item> {
  const items: Item[] = [];
  let ended = false;
  let paused = false;
  let failure: { readonly error: unknown } | null = null;
  let wake: () => void = () => undefined;
  let stream: Duplex | null = null;
  let taken: { giveBack(rest: Buffer): void } | null = null;
  const messages = dataMessages();
  const put = (item: Item): void => void items.push(item);

  const take = (chunk: Buffer): void => {
    if (failure !== null) return;
    try {
      const { runs, rest } = messages(chunk);
      for (const run of runs) takeRun(run, put);
      if (rest !== null) taken?.giveBack(rest);
      else if (items.length > 0) {
        paused = true;
        stream?.pause();
      }
    } catch (error) {
      failure = { error };
    }
    wake();
  };
  const end = (error?: Error): void => {
    if (error !== undefined) failure ??= { error };
    ended = true;
    wake();
  };
  return {
    get ended() {
      return ended;
    },
    submit: (on) => {
      stream = on.stream;
      taken = takeOver(stream, take);
      on.query(text);
    },
    next: async () => {
      for (;;) {
        if (items.length > 0) return { item: items.shift() as Item };
        if (failure !== null) throw failure.error;
        if (ended) return null;
        if (paused) stream?.resume();
        paused = false;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    handleError: end,
    handleCommandComplete: () => undefined,
    handleReadyForQuery: () => end(),
  };
}

interface Taken {
  /** Runs of CopyData messages; a message may begin in one chunk and end in a later one. */
  readonly runs: readonly Buffer[];
  /** From the message on that ends the rows (CopyDone, an error); `null`: they go on. */
  readonly rest: Buffer | null;
}

/** Tells the CopyData messages in what a socket hands over. */
export function dataMessages(): (chunk: Buffer) => Taken {
  /** A header that is cut. */
  let cut: Buffer | null = null;
  /** Of the message at hand, and whether it is one that is passed over. */
  let left = 0;
  let passing = false;
  return (given) => {
    const chunk = cut === null ? given : Buffer.concat([cut, given]);
    cut = null;
    const runs: Buffer[] = [];
    let from = 0;
    let at = 0;
    const flush = (to: number) => {
      if (to > from) runs.push(chunk.subarray(from, to));
    };
    while (at < chunk.length) {
      if (left === 0) {
        if (passing) from = at;
        passing = false;
        if (chunk.length - at < HEADER_BYTES) {
          cut = Buffer.from(chunk.subarray(at));
          break;
        }
        const type = chunk[at] as number;
        if (type !== COPY_DATA) {
          flush(at);
          from = at;
          if (!PASSED_OVER.has(type)) return { runs, rest: chunk.subarray(at) };
          passing = true;
        }
        left = 1 + chunk.readUInt32BE(at + 1);
      }
      const size = Math.min(left, chunk.length - at);
      at += size;
      left -= size;
    }
    if (!passing) flush(at);
    return { runs, rest: null };
  };
}
