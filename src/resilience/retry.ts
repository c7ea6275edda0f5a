import { faultOf, isTrueupError } from '../errors.ts';

export interface RetryLimits {
  /** Tries in all, the first included. */
  readonly attempts: number;
  /** Longest wait between two tries: what asks for more is not tried again. */
  readonly maxDelayMs: number;
}

export type RetryDecision = { readonly kind: 'retry'; readonly delayMs: number } | { readonly kind: 'stop' };

const FIRST_DELAY_MS = 500;

/**
 * Whether to try again after an error, and when. Only the environment's faults pass by themselves; a refused password, a bad value or a bug does not.
 * Exponential back-off with jitter, so that many feeds that failed together do not come back together; never before the time that the fault itself names.
 *
 * @param attempt tries made since the last progress, this one included (1, 2, …)
 * @param random in [0, 1)
 */
export function retryDecision(error: unknown, attempt: number, limits: RetryLimits, random: number): RetryDecision {
  const fault = faultOf(error);
  if ((fault !== 'environment' && fault !== 'unreachable') || attempt >= limits.attempts) return { kind: 'stop' };
  const wantedMs = isTrueupError(error) ? (error.details.retryAfterMs ?? 0) : 0;
  if (wantedMs > limits.maxDelayMs) return { kind: 'stop' };
  const ceiling = backoffCeiling(attempt, limits.maxDelayMs);
  // Never at once: half of the ceiling is certain, the other half is chance.
  return { kind: 'retry', delayMs: Math.max(wantedMs, Math.round(ceiling / 2 + (ceiling / 2) * random)) };
}

/** Longest wait after a try, doubled with each of them (ms). */
export function backoffCeiling(attempt: number, maxDelayMs: number): number {
  return Math.min(maxDelayMs, FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 30));
}

/** Waits, or throws the signal's reason as soon as it is aborted. */
export function delay(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason as Error);
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal.addEventListener('abort', abort, { once: true });
  });
}
