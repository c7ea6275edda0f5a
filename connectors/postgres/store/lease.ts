import { TrueupError, isTrueupError } from '../../../src/sdk.ts';
import type { AcquireRequest, Owner, OwnerInfo, OwnerProcess } from '../../../src/sdk.ts';
import type { Session } from '../session/session.ts';
import { fenced, storable } from './change.ts';
import { isMissing } from './missing.ts';
import type { StoreTables } from './schema.ts';

/*
 * Leases: who owns a job, and since which epoch. Time is the database's alone, so clocks of machines never matter. A job's row is never
 * deleted: its epoch only grows. A change of owner is one UPDATE that names the epoch and the expiry it saw, so of two that try, one wins.
 */

interface Lease {
  readonly epoch: number;
  readonly run: string;
  readonly process: OwnerProcess;
  readonly acquiredAt: string;
  /** `null`: the job is free. */
  readonly expiresAt: string | null;
  /** The same, to the microsecond: what the UPDATE compares. */
  readonly expiresExact: string | null;
  readonly expired: boolean;
  readonly lanes: readonly (readonly [pid: number, started: string])[];
}

const ISO = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`;

/** SQL for an instant as ISO text in UTC, to the millisecond. */
export function isoText(expression: string): string {
  return `to_char(${expression} at time zone 'UTC', ${ISO})`;
}

/** A renewal between the look and the UPDATE makes it look again. Each round is lost to someone else's progress, so a few suffice. */
const ROUNDS = 10;

export async function acquireLease(session: Session, tables: StoreTables, request: AcquireRequest): Promise<Owner> {
  for (let round = 0; round < ROUNDS; round++) {
    const lease = await readLease(session, tables, request.job);
    if (lease !== null && isHeld(lease, request)) throw owned(request.job, lease);
    if (lease !== null) await endLanes(session, lease);
    const epoch = lease === null ? await insertLease(session, tables, request) : await takeLease(session, tables, request, lease);
    if (epoch !== null) return { job: request.job, run: request.run, epoch, process: request.process };
  }
  throw new TrueupError('E_BUSY', `The lease of job '${request.job}' changed hands ${ROUNDS} times while it was being taken.`);
}

async function readLease(session: Session, tables: StoreTables, job: string): Promise<Lease | null> {
  const [row] = await session.query(
    `select epoch, run, host, pid, process_started, ${isoText('acquired_at')}, ${isoText('expires_at')},
       expires_at::text, (expires_at <= clock_timestamp())::int, lanes::text
     from ${tables.leases} where job = $1`,
    [storable(job)],
  );
  if (row === undefined) return null;
  const [epoch, run, host, pid, started, acquiredAt, expiresAt, expiresExact, expired, lanes] = row as readonly string[];
  return {
    epoch: Number(epoch),
    run: run as string,
    process: { host: host as string, pid: Number(pid), started: started as string },
    acquiredAt: acquiredAt as string,
    expiresAt: expiresAt ?? null,
    expiresExact: expiresExact ?? null,
    expired: expired === '1',
    lanes: JSON.parse(lanes as string) as Lease['lanes'],
  };
}

/**
 * A lease that has run out is not held even if its process lives; one whose process on this host is gone is not held either, nor one of the very run
 * that asks: the answer to its first request was lost.
 */
function isHeld(lease: Lease, { run, process, isAlive }: AcquireRequest): boolean {
  if (lease.expiresExact === null || lease.expired || lease.run === run) return false;
  return lease.process.host !== process.host || isAlive(lease.process);
}

/**
 * Ends the backends that still write for the former owner: a stalled COPY counts as active, so no timeout of the server would. By pid and start
 * time, because pids are used again. Where the role may not do it, the fence still holds; the former owner's locks then last until it gives up.
 */
async function endLanes(session: Session, lease: Lease): Promise<void> {
  for (const [pid, started] of lease.lanes) {
    try {
      await session.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and backend_start = $2::timestamptz and pid <> pg_backend_pid()`,
        [String(pid), started],
      );
    } catch (error) {
      if (!isTrueupError(error) || error.code !== 'E_ACCESS') throw error;
    }
  }
}

async function insertLease(session: Session, tables: StoreTables, request: AcquireRequest): Promise<number | null> {
  const inserted = await session.execute(
    `insert into ${tables.leases} (job, epoch, run, host, pid, process_started, acquired_at, ttl_ms, expires_at)
     values ($1, 1, $2, $3, $4, $5, clock_timestamp(), $6::float8, clock_timestamp() + $6::float8 * interval '1 millisecond') on conflict (job) do nothing`,
    [storable(request.job), ...holder(request)],
  );
  return inserted === 1 ? 1 : null;
}

async function takeLease(session: Session, tables: StoreTables, request: AcquireRequest, seen: Lease): Promise<number | null> {
  const [row] = await session.query(
    `update ${tables.leases} set epoch = epoch + 1, run = $2, host = $3, pid = $4, process_started = $5, acquired_at = clock_timestamp(), ttl_ms = $6::float8,
       expires_at = clock_timestamp() + $6::float8 * interval '1 millisecond', lanes = '[]'
     where job = $1 and epoch = $7 and expires_at is not distinct from $8::timestamptz returning epoch`,
    [storable(request.job), ...holder(request), String(seen.epoch), seen.expiresExact],
  );
  return row === undefined ? null : Number(row[0]);
}

function holder({ run, process, ttlMs }: AcquireRequest): string[] {
  return [storable(run), storable(process.host), String(process.pid), storable(process.started), String(ttlMs)];
}

export async function renewLease(session: Session, tables: StoreTables, owner: Owner): Promise<void> {
  const renewed = await session.execute(
    `update ${tables.leases} set expires_at = clock_timestamp() + ttl_ms * interval '1 millisecond' where job = $1 and epoch = $2 and expires_at is not null`,
    [storable(owner.job), String(owner.epoch)],
  );
  if (renewed === 1) return;
  const lease = await readLease(session, tables, owner.job);
  throw fenced(owner, lease === null ? 'the job has no lease' : `the lease is at epoch ${lease.epoch} of run ${lease.run}`);
}

/** Somebody else's lease is left alone. */
export async function releaseLease(session: Session, tables: StoreTables, owner: Owner): Promise<void> {
  await session.execute(`update ${tables.leases} set expires_at = null, lanes = '[]' where job = $1 and epoch = $2`, [
    storable(owner.job),
    String(owner.epoch),
  ]);
}

export async function leaseOwner(session: Session, tables: StoreTables, job: string): Promise<OwnerInfo | null> {
  const lease = await readLease(session, tables, job);
  if (lease === null || lease.expiresAt === null) return null;
  return { job, run: lease.run, epoch: lease.epoch, process: lease.process, acquiredAt: lease.acquiredAt, expiresAt: lease.expiresAt };
}

/**
 * Records this session's backend as a writer of the owner, for whoever takes the lease over: what a suspended owner has not committed would lock its rows for
 * as long as it sleeps. Returns whether it is recorded.
 *
 * @param where `must`: the lease is here, so an old epoch throws E_FENCED; `if-here`: it may as well be in another store
 */
export async function registerLane(session: Session, tables: StoreTables, owner: Owner, where: 'must' | 'if-here'): Promise<boolean> {
  if (where === 'if-here' && !(await hasLease(session, tables, owner))) return false;
  const registered = await session.execute(
    `update ${tables.leases} set lanes = (lanes::jsonb || jsonb_build_array(jsonb_build_array(pg_backend_pid(),
       (select backend_start::text from pg_stat_activity where pid = pg_backend_pid()))))::json
     where job = $1 and epoch = $2 and expires_at is not null`,
    [storable(owner.job), String(owner.epoch)],
  );
  if (registered !== 1) throw fenced(owner, 'the lease is not its own any more');
  return true;
}

/** Whether the lease that is kept here is this very run's. */
async function hasLease(session: Session, tables: StoreTables, { job, run, epoch }: Owner): Promise<boolean> {
  try {
    const lease = await readLease(session, tables, job);
    return lease !== null && lease.run === run && lease.epoch === epoch;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Takes this session's backend off the list again. */
export async function forgetLane(session: Session, tables: StoreTables, owner: Owner): Promise<void> {
  await session.execute(
    `update ${tables.leases} set lanes = coalesce((select json_agg(lane) from json_array_elements(lanes) lane where (lane->>0)::int8 <> pg_backend_pid()), '[]')
     where job = $1 and epoch = $2`,
    [storable(owner.job), String(owner.epoch)],
  );
}

function owned(job: string, lease: Lease): TrueupError {
  return new TrueupError(
    'E_OWNED',
    `Job '${job}' is owned by run ${lease.run}: process ${lease.process.pid} on host ${lease.process.host}, since ${lease.acquiredAt}; its lease lasts until ${lease.expiresAt} unless it is renewed.`,
  );
}
