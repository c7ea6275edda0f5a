/*
 * A peer that is gone without a word (a proxy that lost its server, a router that drops packets) keeps a connection open and silent for ever, and
 * TCP does not notice when somebody on the way still answers for it. A server may rightly be silent, too: a long sort. So it is asked.
 */

/** How long a statement may run without a byte in either direction before the server is asked (ms). */
const SILENCE_MS = 20_000;
const LOOK_MS = 5_000;

export interface Watched {
  /** Bytes that have passed in both directions so far. */
  bytes(): number;
  /** Whether an answer is waited for. */
  isBusy(): boolean;
  /** Asks on a connection of its own whether the backend is still there. Rejects when nobody answers. */
  ask(): Promise<boolean>;
  onLost(): void;
}

/** Watches until the returned function is called. Keeps no process alive. */
export function watchSilence({ bytes, isBusy, ask, onLost }: Watched): () => void {
  let seen = bytes();
  let silentSince = performance.now();
  let asking = false;
  const look = async () => {
    const now = performance.now();
    if (!isBusy() || bytes() !== seen) {
      seen = bytes();
      silentSince = now;
      return;
    }
    if (asking || now - silentSince < SILENCE_MS) return;
    asking = true;
    const before = seen;
    const isThere = await ask().catch(() => false);
    asking = false;
    silentSince = performance.now();
    if (!isThere && isBusy() && bytes() === before) onLost();
  };
  const timer = setInterval(() => void look(), LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
