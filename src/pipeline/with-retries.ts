import { isTrueupError } from '../errors.ts';
import { delay, retryDecision } from '../resilience/retry.ts';
import type { JobContext, RunSignals } from './job-context.ts';

/** Faults that were retried as often as the job allows. */
const triedOut = new WeakSet<object>();

/** Notes that a fault has had its retries: nobody who gets it later begins again because of it. */
export function noteTriedOut(error: unknown): void {
  if (typeof error === 'object' && error !== null) triedOut.add(error);
}

/** What an event says of the fault that is retried. */
export function retryCause(error: unknown): { readonly code: string; readonly message: string } {
  return isTrueupError(error) ? { code: error.code, message: error.message } : { code: 'E_BUG', message: String(error) };
}

/**
 * Work that may be begun again from its beginning: tried as often as the job's retries allow while its faults pass by themselves, so that nobody waits
 * for ever for a server that is not there. @param stream for the event that tells of a retry; empty: the job
 */
export async function withRetries<T>(context: JobContext, signals: RunSignals, work: () => Promise<T>, stream = ''): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (signals.stop.aborted || (typeof error === 'object' && error !== null && triedOut.has(error))) throw error;
      const decision = retryDecision(error, attempt, context.job.retries, context.random());
      if (decision.kind === 'stop') {
        noteTriedOut(error);
        throw error;
      }
      context.onEvent({ kind: 'retry', job: context.job.name, stream, attempt, delayMs: decision.delayMs, ...retryCause(error) });
      await delay(decision.delayMs, signals.stop);
    }
  }
}
