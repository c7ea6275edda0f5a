/**
 * Memory for records in flight, shared by all feeds of a process. A feed that holds nothing is always let in, whatever it
 * asks for, so that one record larger than the budget still passes and nobody waits for ever.
 */
export interface ByteBudget {
  /** Resolves once `bytes` may be held. `holding`: how much the asking feed holds already. */
  acquire(bytes: number, holding: number, signal: AbortSignal): Promise<void>;
  release(bytes: number): void;
}

interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

export function createByteBudget(limitBytes: number): ByteBudget {
  let used = 0;
  const waiters: Waiter[] = [];

  function admitWaiters(): void {
    for (let next = waiters[0]; next !== undefined && used + next.bytes <= limitBytes; next = waiters[0]) {
      waiters.shift();
      used += next.bytes;
      next.admit();
    }
  }

  return {
    acquire(bytes, holding, signal) {
      if (signal.aborted) return Promise.reject(signal.reason as Error);
      if (holding === 0 || (waiters.length === 0 && used + bytes <= limitBytes)) {
        used += bytes;
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => {
        const abort = (): void => {
          waiters.splice(waiters.indexOf(waiter), 1);
          reject(signal.reason as Error);
        };
        const waiter: Waiter = {
          bytes,
          admit: () => {
            signal.removeEventListener('abort', abort);
            resolve();
          },
        };
        waiters.push(waiter);
        signal.addEventListener('abort', abort, { once: true });
      });
    },
    release(bytes) {
      used -= bytes;
      admitWaiters();
    },
  };
}
