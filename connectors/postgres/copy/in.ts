import type { Connection, Submittable } from 'pg';
import type { Session } from '../session/session.ts';

/** CopyData, CopyDone and CopyFail. */
export const TYPE = { data: 0x64, done: 0x63, fail: 0x66 };
/** What waits for the server in our memory: enough that it never waits for us, and no more, as it turns into old garbage. */
const AHEAD_BYTES = 128 * 1024;

/** What is sent: rows, which become messages here, or messages as another server's COPY sent them (`copyMessages`), whole ones, in pieces cut anywhere. */
export type CopyInput = { readonly rows: Iterable<Uint8Array> } | { readonly messages: Iterable<Uint8Array> };

/**
 * Sends `input` through COPY FROM STDIN, no faster than the server takes it. Resolves when the server has it all; throws what it threw.
 * To be called inside of `session.run`, which turns the error into a fault and cuts the connection on abort.
 */
export async function copyInto(session: Session, copy: string, input: CopyInput): Promise<void> {
  const writing = startWriting(copy);
  session.client.query(writing);
  await writing.ready;
  try {
    if ('rows' in input) {
      for (const chunk of input.rows) {
        if (writing.failed) break;
        await writing.send([message(TYPE.data, chunk.length), chunk]);
      }
      // What the server refuses half-way is sent to its end all the same: nothing else may follow half a message, and the server drops it.
    } else for (const piece of input.messages) await writing.send([piece]);
  } catch (error) {
    // The chunks themselves failed: the server is told, so that the session stays usable.
    await writing.end(failMessage(error)).catch(() => undefined);
    throw error;
  }
  await writing.end(message(TYPE.done, 0));
}

/** What stands before `length` bytes of a message. */
export function message(type: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(5);
  header[0] = type;
  header.writeUInt32BE(length + 4, 1);
  return header;
}

function failMessage(error: unknown): Buffer {
  const text = Buffer.from(`${(error instanceof Error ? error.message : String(error)).replaceAll('\0', '')}\0`);
  return Buffer.concat([message(TYPE.fail, text.length), text]);
}

interface Writing extends Submittable {
  /** Resolves when the server waits for rows. */
  readonly ready: Promise<void>;
  readonly failed: boolean;
  /** Resolves once there is room for more; at once when the server has failed. */
  send(chunks: readonly Uint8Array[]): Promise<void>;
  /** Ends the rows, resolves when the server is ready for the next statement. Rejects with what the server said. */
  end(last: Buffer): Promise<void>;
  // What pg calls.
  handleError(error: Error): void;
  handleCopyInResponse(): void;
  handleCommandComplete(): void;
  handleReadyForQuery(): void;
}

function startWriting(text: string): Writing {
  let connection: Connection | null = null;
  let failure: Error | null = null;
  let wake: () => void = () => undefined;
  const ready = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  done.promise.catch(() => undefined); // awaited at the end, whenever it failed

  return {
    ready: ready.promise,
    get failed() {
      return failure !== null;
    },
    submit: (on) => {
      connection = on;
      on.query(text);
    },
    send: async (chunks) => {
      if (connection === null || connection.stream.destroyed) return;
      const { stream } = connection;
      stream.cork();
      for (const chunk of chunks) stream.write(chunk);
      stream.uncork();
      if (stream.writableLength < AHEAD_BYTES) return;
      const drained = () => wake();
      stream.once('drain', drained);
      // A connection that ends never drains; a server that refuses the rows reads on.
      stream.once('close', drained);
      await new Promise<void>((resolve) => (wake = resolve));
      stream.removeListener('drain', drained).removeListener('close', drained);
    },
    end: async (last) => {
      if (connection?.stream.destroyed === false) connection.stream.write(last);
      await done.promise;
    },
    handleError: (error) => {
      failure ??= error;
      ready.reject(error);
      done.reject(error);
    },
    handleCopyInResponse: () => ready.resolve(),
    handleCommandComplete: () => undefined,
    handleReadyForQuery: () => done.resolve(),
  };
}
