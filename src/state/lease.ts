import { setTimeout as sleep } from 'node:timers/promises';
import { TrueupError, isTrueupError } from '../errors.ts';
import type { CheckpointStore, Owner } from '../model/checkpoint.ts';

export interface KeepLeaseOptions {
  readonly ttlMs: number;
  /** Called once, with E_FENCED when another owner has the lease, or when it could not be renewed before it ran out. */
  onLost(error: TrueupError): void;
  /** Ends the keeping. It does not release the lease. */
  readonly signal: AbortSignal;
  /** A clock that only goes forward, in ms. Default: `performance.now`. */
  readonly now?: () => number;
}

/**
 * Renews a lease every third of its term until aborted or lost. A renewal that fails for a passing reason is tried again, until the term since
 * the last success is over; so is one that is not answered, which a connection may be that broke without a word. Never rejects, and keeps no process alive. Resolves when it has ended.
 */
export async function keepLease(store: Pick<CheckpointStore, 'renew'>, owner: Owner, options: KeepLeaseOptions): Promise<void> {
  const { ttlMs, onLost, signal, now = () => performance.now() } = options;
  let expiresAt = now() + ttlMs;
  let waitMs = ttlMs / 3;
  let tries = 0;
  while (!signal.aborted) {
    if (!(await waited(waitMs, signal))) return;
    const startedAt = now();
    const failure = await renewed(store, owner, {
      signal,
      withinMs: patience({ ttlMs, leftMs: expiresAt - startedAt, tries: (tries += 1) }),
    });
    if (signal.aborted) return;
    if (failure === null) {
      expiresAt = startedAt + ttlMs;
      waitMs = ttlMs / 3;
      tries = 0;
      continue;
    }
    const lost = lossOf(failure, owner, now() >= expiresAt);
    if (lost !== null) return onLost(lost);
    waitMs = ttlMs / 20;
  }
}

/**
 * How long a renewal may take: a sixth of the term, and with each that was not answered a sixth more, for a store that is only slow. When the lease has
 * run out (this process was stopped, the machine slept) there is one more chance, because the store knows whether somebody took over.
 */
function patience({ ttlMs, leftMs, tries }: { readonly ttlMs: number; readonly leftMs: number; readonly tries: number }): number {
  return leftMs <= 0 ? ttlMs / 3 : Math.min((ttlMs / 6) * tries, leftMs);
}

/** Why the renewal failed, or `null`. */
async function renewed(
  store: Pick<CheckpointStore, 'renew'>,
  owner: Owner,
  { signal, withinMs }: { signal: AbortSignal; withinMs: number },
): Promise<unknown> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(withinMs))]);
  const { promise: expired, resolve } = Promise.withResolvers<unknown>();
  const expire = (): void => resolve(limit.reason);
  limit.addEventListener('abort', expire, { once: true });
  if (limit.aborted) expire();
  try {
    const renewal = store.renew(owner, limit).then(
      () => null,
      (error: unknown) => error ?? new Error('renewal failed'),
    );
    return await Promise.race([renewal, expired]);
  } finally {
    limit.removeEventListener('abort', expire);
  }
}

function lossOf(failure: unknown, owner: Owner, isExpired: boolean): TrueupError | null {
  if (isTrueupError(failure) && failure.fault === 'fenced') return failure;
  if (!isExpired) return null;
  return new TrueupError('E_FENCED', `The lease of run ${owner.run} on job '${owner.job}' ran out before it could be renewed.`, {
    cause: failure,
    hint: 'Look at the connection to the checkpoint store, and for what kept this process from running.',
  });
}

/** False: aborted. */
async function waited(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal, ref: false });
    return true;
  } catch {
    return false;
  }
}
