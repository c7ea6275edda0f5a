import { TrueupError } from '../errors.ts';
import type { Quota } from '../model/limiter.ts';
import { fullBucket, refilled, waitForToken } from './token-bucket.ts';
import type { Rate } from './token-bucket.ts';

export interface TurnLimits {
  /** Turns at the same time; `null`: any number. */
  readonly concurrency: number | null;
  /** `null`: as often as they are asked for. */
  readonly rate: Rate | null;
}

/** Hands out turns, first come first served. Rate and concurrency are one queue, so that nobody is overtaken between them. */
export interface TurnQueue {
  /** Resolves with what gives the turn back. @param maxWaitMs a pause that lasts longer is not waited for */
  take(signal: AbortSignal, maxWaitMs: number): Promise<() => void>;
  pause(ms: number): void;
  slowDown(quota: Quota): void;
}

interface Waiting {
  readonly maxWaitMs: number;
  grant(): void;
  fail(error: Error): void;
}

/** Beyond this somebody asks without waiting for answers. */
const MAX_WAITING = 100_000;
/** Of a quota that is known whole, this share is spent freely; the rest is spread over the time that is left. */
const FREE_SHARE = 0.9;
/** The same where only the rest is told. */
const FREE_ABOVE = 10;

/** @param name of the connection, for messages */
export function createTurnQueue(name: string, { concurrency, rate }: TurnLimits, now: () => number = () => performance.now()): TurnQueue {
  const waiting = new Set<Waiting>();
  let bucket = rate === null ? null : fullBucket(rate, now());
  let running = 0;
  let pausedUntil = 0;
  let pace: { readonly everyMs: number; readonly untilMs: number; nextMs: number } | null = null;
  let timer: NodeJS.Timeout | null = null;

  /** Until the first in the queue may begin (ms); `null`: when a turn is given back. */
  const waitMs = (): number | null => {
    if (concurrency !== null && running >= concurrency) return null;
    const at = now();
    if (pace !== null && pace.untilMs <= at) pace = null;
    if (rate !== null && bucket !== null) bucket = refilled(bucket, rate, at);
    const forToken = rate !== null && bucket !== null ? waitForToken(bucket, rate) : 0;
    return Math.max(0, pausedUntil - at, forToken, (pace?.nextMs ?? 0) - at);
  };
  const pump = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    for (const one of waiting) {
      const ms = waitMs();
      if (ms === null) return;
      if (ms > 0) {
        timer = setTimeout(pump, Math.min(Math.ceil(ms), 2 ** 31 - 1));
        return;
      }
      waiting.delete(one);
      running += 1;
      if (bucket !== null) bucket = { ...bucket, tokens: bucket.tokens - 1 };
      if (pace !== null) pace.nextMs = now() + pace.everyMs;
      one.grant();
    }
  };
  const giveBack = (): (() => void) => {
    let given = false;
    return () => {
      if (given) return;
      given = true;
      running -= 1;
      pump();
    };
  };

  const pause = (ms: number): void => {
    pausedUntil = Math.max(pausedUntil, now() + ms);
    const leftMs = pausedUntil - now();
    for (const one of waiting) if (leftMs > one.maxWaitMs) one.fail(tooLong(name, leftMs));
  };

  return {
    pause,
    take(signal, maxWaitMs) {
      if (signal.aborted) return Promise.reject(signal.reason as Error);
      const pausedMs = pausedUntil - now();
      if (pausedMs > maxWaitMs) return Promise.reject(tooLong(name, pausedMs));
      if (waiting.size >= MAX_WAITING)
        return Promise.reject(new TrueupError('E_BUG', `connection '${name}': ${MAX_WAITING} requests wait for their turn already`));
      return new Promise((resolve, reject) => {
        const abort = (): void => one.fail(signal.reason as Error);
        const one: Waiting = {
          maxWaitMs,
          fail(error) {
            signal.removeEventListener('abort', abort);
            waiting.delete(one);
            reject(error);
          },
          grant() {
            signal.removeEventListener('abort', abort);
            resolve(giveBack());
          },
        };
        signal.addEventListener('abort', abort, { once: true });
        waiting.add(one);
        pump();
      });
    },
    slowDown({ remaining, limit, resetMs }) {
      if (remaining <= 0) return pause(resetMs);
      const free = limit === undefined ? FREE_ABOVE : limit * (1 - FREE_SHARE);
      if (remaining > free || resetMs <= 0) pace = null;
      else {
        const everyMs = resetMs / remaining;
        pace = { everyMs, untilMs: now() + resetMs, nextMs: pace?.nextMs ?? now() + everyMs };
      }
    },
  };
}

function tooLong(name: string, ms: number): TrueupError {
  const text = `connection '${name}': the server asked not to be asked for another ${Math.ceil(ms / 1000)} s`;
  return new TrueupError('E_BUSY', text, { retryAfterMs: Math.ceil(ms) });
}
