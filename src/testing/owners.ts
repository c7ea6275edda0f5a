import { hostname } from 'node:os';
import type { AcquireRequest, Checkpoint, CheckpointStore, Letter, Owner, OwnerProcess } from '../model/checkpoint.ts';
import type { Cursor } from '../model/feed.ts';
import { NEVER } from './expectations.ts';

/** A process of this host, and one of another. */
export const HERE: OwnerProcess = { host: hostname(), pid: process.pid, started: 'suite' };
export const ELSEWHERE: OwnerProcess = { host: 'another-host.example', pid: 4711, started: 'suite' };

/** A lease for a minute, by a process that lives. */
export function leaseRequest(job: string, run: string, change: Partial<AcquireRequest> = {}): AcquireRequest {
  return { job, run, process: HERE, ttlMs: 60_000, isAlive: () => true, ...change };
}

export function acquire(store: CheckpointStore, job: string, run: string, change: Partial<AcquireRequest> = {}): Promise<Owner> {
  return store.acquire(leaseRequest(job, run, change), NEVER);
}

/** Takes over from an owner whose process is gone. */
export function takeOver(store: CheckpointStore, job: string, run: string): Promise<Owner> {
  return acquire(store, job, run, { isAlive: () => false });
}

export function checkpointOf(owner: Owner, feed: string, cursor: Cursor | null): Checkpoint {
  return {
    job: owner.job,
    feed: { id: feed, kind: 'changes', streams: ['orders'] },
    state: 'open',
    cursor,
    cursorVersion: 1,
    sourceIdentity: 'suite:source',
    planHash: 'b7f0',
    position: { text: 'a place', timeMs: 1_700_000_000_123 },
    run: owner.run,
    epoch: owner.epoch,
  };
}

export function letterOf(owner: Owner, key: string, change: Partial<Letter> = {}): Letter {
  return {
    job: owner.job,
    stream: 'orders',
    key,
    kind: 'record',
    code: 'E_RECORD_VALUE',
    message: 'field total: out of range',
    run: owner.run,
    at: '2026-11-24T10:00:00.000Z',
    attempts: 1,
    ...change,
  };
}
