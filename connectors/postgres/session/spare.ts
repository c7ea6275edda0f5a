/** How long a session waits for its next use. */
const IDLE_MS = 5000;

interface Closeable {
  readonly isOpen: boolean;
  close(): Promise<void>;
}

/** One session for reading that its last user has left in order: opening one costs milliseconds and a process of the server. */
export interface SpareSession<Session extends Closeable> {
  /** The session, which belongs to the caller from here on; `null`: there is none. */
  take(): Session | null;
  /** Takes a session that is in no transaction and has no settings of its own. */
  give(session: Session): Promise<void>;
  /** What is given from here on is closed at once. Harmless when called twice. */
  close(): Promise<void>;
}

export function spareSession<Session extends Closeable>(): SpareSession<Session> {
  let spare: Session | null = null;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const take = () => {
    clearTimeout(timer);
    const taken = spare;
    spare = null;
    return taken;
  };
  return {
    take: () => {
      const taken = take();
      // Ended by the server in between.
      return taken?.isOpen === true ? taken : null;
    },
    give: async (session) => {
      if (closed || spare !== null || !session.isOpen) return session.close();
      spare = session;
      timer = setTimeout(() => void take()?.close(), IDLE_MS).unref();
    },
    close: async () => {
      closed = true;
      await take()?.close();
    },
  };
}
