import { TrueupError } from '../../src/sdk.ts';
import type { AcquireRequest, Checkpoint, Letter, LetterKey, Owner, OwnerInfo, StoreChange } from '../../src/sdk.ts';

/** A holder, and for how long each renewal extends the lease. */
export interface Lease extends OwnerInfo {
  readonly ttlMs: number;
}

/** What a checkpoint store holds. */
export interface Control {
  readonly leases: Map<string, Lease>;
  /** The last epoch of each job: it only grows, released leases included. */
  readonly epochs: Map<string, number>;
  /** By job and feed id. */
  readonly checkpoints: Map<string, Checkpoint>;
  /** By job, stream and key. */
  readonly letters: Map<string, Letter>;
}

export function openControl(): Control {
  return { leases: new Map(), epochs: new Map(), checkpoints: new Map(), letters: new Map() };
}

export function acquire(control: Control, request: AcquireRequest, nowMs: number): Owner {
  const { job, run, process, ttlMs } = request;
  const holder = control.leases.get(job);
  if (holder !== undefined && isLive(holder, request, nowMs)) {
    throw new TrueupError(
      'E_OWNED',
      `Job '${job}' is owned by run ${holder.run} (process ${holder.process.pid} on ${holder.process.host}) until ${holder.expiresAt}.`,
    );
  }
  const epoch = (control.epochs.get(job) ?? 0) + 1;
  control.epochs.set(job, epoch);
  control.leases.set(job, { job, run, epoch, process, ttlMs, acquiredAt: iso(nowMs), expiresAt: iso(nowMs + ttlMs) });
  return { job, run, epoch, process };
}

function isLive(holder: OwnerInfo, request: AcquireRequest, nowMs: number): boolean {
  if (nowMs >= Date.parse(holder.expiresAt) || holder.run === request.run) return false;
  return holder.process.host !== request.process.host || request.isAlive(holder.process);
}

export function renew(control: Control, owner: Owner, nowMs: number): void {
  const lease = fence(control, owner);
  control.leases.set(owner.job, { ...lease, expiresAt: iso(nowMs + lease.ttlMs) });
}

/** Harmless for an owner that was taken over: the lease is another's then. */
export function release(control: Control, owner: Owner): void {
  if (control.leases.get(owner.job)?.epoch === owner.epoch) control.leases.delete(owner.job);
}

/** Throws E_FENCED unless `owner` holds the lease. A lease that ran out still holds while nobody took it over. */
export function fence(control: Control, owner: Owner): Lease {
  const lease = control.leases.get(owner.job);
  if (lease?.epoch === owner.epoch) return lease;
  const now = lease === undefined ? 'nobody owns it now' : `run ${lease.run} owns it now with epoch ${lease.epoch}`;
  throw new TrueupError(
    'E_FENCED',
    `Run ${owner.run} no longer owns job '${owner.job}' (epoch ${owner.epoch}): ${now}. Nothing was written.`,
  );
}

/** Writes everything or, fenced, nothing. Returns how many letters were resolved. */
export function save(control: Control, owner: Owner, change: StoreChange, nowMs: number): number {
  fence(control, owner);
  const { checkpoints, dropFeeds, letters, resolved } = structuredClone(change);
  for (const feed of dropFeeds ?? []) control.checkpoints.delete(checkpointId(owner.job, feed));
  for (const checkpoint of checkpoints ?? [])
    control.checkpoints.set(checkpointId(owner.job, checkpoint.feed.id), { ...checkpoint, savedAt: iso(nowMs) });
  const count = (resolved ?? []).filter((key) => control.letters.delete(letterId(key))).length;
  for (const letter of letters ?? []) {
    const earlier = control.letters.get(letterId(letter));
    control.letters.set(letterId(letter), earlier === undefined ? letter : { ...letter, attempts: earlier.attempts + 1 });
  }
  return count;
}

function checkpointId(job: string, feed: string): string {
  return JSON.stringify([job, feed]);
}

function letterId(key: LetterKey): string {
  return JSON.stringify([key.job, key.stream, key.key]);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
