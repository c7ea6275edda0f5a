import { isTrueupError } from '../../../src/sdk.ts';
import type { Server, Session } from './session.ts';
import { openSession } from './session.ts';

/**
 * One session that is opened on first use, used by one caller at a time, and opened anew after a fault may have broken it. For short
 * statements from several callers that need no session of their own.
 */
export interface SessionSlot {
  use<T>(signal: AbortSignal, work: (session: Session) => Promise<T>): Promise<T>;
  /** Waits for what is in use. Harmless when called twice; a later `use` opens a session again. */
  close(): Promise<void>;
}

export function sessionSlot(server: Server): SessionSlot {
  let session: Session | null = null;
  let last: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work, work);
    last = result.catch(() => undefined);
    return result;
  };
  const openWatched = async (signal: AbortSignal) => {
    const opened = (await spareToWrite(server, signal)) ?? (await openSession(server, { purpose: 'write', signal }));
    // Ended by the server between two uses (a restart, an administrator): the next use opens another.
    opened.client.once('end', () => {
      if (session === opened) session = null;
    });
    return opened;
  };
  const drop = async () => {
    const dropped = session;
    session = null;
    await dropped?.close();
  };
  return {
    use: (signal, work) =>
      inTurn(async () => {
        signal.throwIfAborted();
        session ??= await openWatched(signal);
        const current = session;
        try {
          return await current.run(signal, () => work(current));
        } catch (error) {
          // Whether the session survived is not worth finding out: faults are rare and opening one costs milliseconds.
          await drop();
          throw error;
        }
      }),
    close: () => inTurn(drop),
  };
}

/** The session that the last reader left, as one that writes; `null`: there is none, or none that lives. */
async function spareToWrite({ spare }: Server, signal: AbortSignal): Promise<Session | null> {
  const session = spare.take();
  if (session === null) return null;
  try {
    await session.run(signal, () => session.query('reset default_transaction_read_only'));
    return session;
  } catch (error) {
    await session.close();
    if (!isTrueupError(error) || error.code !== 'E_CONNECTION_LOST') throw error;
    return null;
  }
}
