import { TrueupError } from '../errors.ts';
import type { HttpRequest } from './http-contract.ts';
import { backoffCeiling } from './retry.ts';
import type { RetryLimits } from './retry.ts';

/** The server was not ready to take the request at all: it may be sent again, whatever it does. */
const NOT_TAKEN: ReadonlySet<number> = new Set([408, 425, 429]);
/** Something failed on the way, perhaps after the work was done. */
const FAILED: ReadonlySet<number> = new Set([500, 502, 503, 504]);

export interface TryEnd {
  readonly fault: TrueupError;
  /** Whether sending it again is safe, idempotent or not. */
  readonly safe: boolean;
  /** Whether the fault tells of a system that is ill, and not only busy. Counts towards the circuit breaker. */
  readonly ill: boolean;
}

/** A status as the end of a try, or `null` when it is an answer. @param waitMs what the server asked for */
export function statusEnd(status: number, where: string, waitMs: number | null): TryEnd | null {
  if (!NOT_TAKEN.has(status) && !FAILED.has(status)) return null;
  const asked = waitMs === null ? '' : `, and asks to wait ${Math.ceil(waitMs / 1000)} s`;
  const fault = new TrueupError(
    'E_BUSY',
    `${where}: the server answers ${status}${asked}`,
    waitMs === null ? {} : { retryAfterMs: waitMs },
  );
  return { fault, safe: NOT_TAKEN.has(status) || (status === 503 && waitMs !== null), ill: FAILED.has(status) };
}

/**
 * When to send again, or `null` to give up. Exponential back-off with full jitter, never before the time that the server asked for.
 * @param attempt tries made (1, 2, …) @param random in [0, 1)
 */
export function retryDelayMs(end: TryEnd, attempt: number, limits: RetryLimits, idempotent: boolean, random: number): number | null {
  if (attempt >= limits.attempts || (!end.safe && !idempotent)) return null;
  const askedMs = end.fault.details.retryAfterMs ?? 0;
  if (askedMs > limits.maxDelayMs) return null;
  return askedMs + Math.round((askedMs > 0 ? Math.min(1000, limits.maxDelayMs) : backoffCeiling(attempt, limits.maxDelayMs)) * random);
}

/** By RFC 9110, unless the request says otherwise. */
export function isIdempotent({ method, headers, idempotent }: HttpRequest): boolean {
  return idempotent ?? (/^(?:GET|HEAD|OPTIONS|PUT|DELETE)$/.test(method.toUpperCase()) || headers?.['idempotency-key'] !== undefined);
}
