import { setTimeout as after } from 'node:timers/promises';

/** Rejects with the signal's reason. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await after(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}
