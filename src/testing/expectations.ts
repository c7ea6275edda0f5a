import { AssertionError } from 'node:assert';
import { isTrueupError } from '../errors.ts';
import type { ErrorCode, TrueupError } from '../errors.ts';
import type { Json } from '../model/json.ts';

/** The error of this code that `work` must reject with. */
export async function rejection(work: Promise<unknown>, code: ErrorCode): Promise<TrueupError> {
  const outcome = await work.then(
    () => null,
    (error: unknown) => ({ error }),
  );
  if (outcome === null) throw new AssertionError({ message: `expected ${code}, but the call succeeded`, expected: code });
  if (isTrueupError(outcome.error) && outcome.error.code === code) return outcome.error;
  throw new AssertionError({ message: `expected ${code}, got: ${String(outcome.error)}`, expected: code, actual: outcome.error });
}

/** What a value is after it was stored and read again by another process. */
export function throughJson<Value extends Json | object>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value;
}

/** Rejects when `work` takes longer. The work goes on; its outcome is ignored then. */
export async function within<Result>(ms: number, what: string, work: Promise<Result>): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new AssertionError({ message: `${what} took longer than ${ms} ms` })), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

export const NEVER: AbortSignal = new AbortController().signal;
