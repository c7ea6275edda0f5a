/** Holds writers back between two statements. Closing waits until everybody has come to it; who waits for something else meanwhile counts as well. */
export interface Gate {
  /** Writers call it between two statements. */
  pass(): Promise<void>;
  /** What a writer waits for, without doing anything to the database. */
  waiting<T>(what: Promise<T>): Promise<T>;
  enter(): void;
  leave(): void;
  close(): Promise<void>;
  open(): void;
}

export function createGate(): Gate {
  let opened: PromiseWithResolvers<void> | null = null;
  let inside = 0;
  let idle = 0;
  let quiet = Promise.withResolvers<void>();
  const look = () => {
    if (idle >= inside) quiet.resolve();
  };
  const waiting = async <T>(what: Promise<T>): Promise<T> => {
    idle += 1;
    look();
    try {
      return await what;
    } finally {
      idle -= 1;
    }
  };
  const pass = async (): Promise<void> => {
    while (opened !== null) await waiting(opened.promise);
  };
  return {
    pass,
    waiting: async (what) => {
      const result = await waiting(what);
      await pass();
      return result;
    },
    enter: () => void (inside += 1),
    leave() {
      inside -= 1;
      look();
    },
    async close() {
      opened ??= Promise.withResolvers<void>();
      quiet = Promise.withResolvers<void>();
      look();
      await quiet.promise;
    },
    open() {
      opened?.resolve();
      opened = null;
    },
  };
}
