/** Time as the scheduler sees it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after a time, or at once when the signal aborts. Never rejects, and leaves no timer behind. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end);
    }),
};

/** A timer counts seconds of its own. It is asked this often whether the clock was set or the machine slept. */
const LOOK_EVERY_MS = 30_000;

/** Waits for an instant. `turned-back`: the clock was set back meanwhile, so what was planned by it has to be planned again. */
export async function sleepUntil(clock: Clock, instantMs: number, signal: AbortSignal): Promise<'due' | 'stopped' | 'turned-back'> {
  while (!signal.aborted) {
    const startMs = clock.now();
    if (startMs >= instantMs) return 'due';
    await clock.sleep(Math.min(instantMs - startMs, LOOK_EVERY_MS), signal);
    if (!signal.aborted && clock.now() < startMs) return 'turned-back';
  }
  return 'stopped';
}
