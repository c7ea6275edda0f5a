import { TrueupError } from '../errors.ts';
import type { AcquireRequest, Owner, OwnerInfo } from '../model/checkpoint.ts';
import type { Sql, SqlRow } from './sqlite-file.ts';

/*
 * Each function is to run inside one write transaction. Times are the caller's clock, in ms since 1970.
 */

/** `holder`: who owns the job and keeps it. Not thrown in here, because the transaction must commit what it noted about the lease. */
export type Acquired = { readonly owner: Owner } | { readonly holder: OwnerInfo };

export function acquireLease(sql: Sql, request: AcquireRequest, nowMs: number): Acquired {
  const { job, run, process, ttlMs } = request;
  const row = sql.get('select * from leases where job = ?', job);
  if (row !== undefined && isLive(row, request, nowMs)) {
    boundLease(sql, row, nowMs);
    return { holder: toOwnerInfo(row) };
  }
  const epoch = Number(row?.['epoch'] ?? 0) + 1;
  sql.run(
    `insert into leases (job, epoch, held, run, host, pid, started, ttl_ms, acquired_ms, expires_ms) values (?, ?, 1, ?, ?, ?, ?, ?, ?, ?)
     on conflict (job) do update set epoch = excluded.epoch, held = 1, run = excluded.run, host = excluded.host, pid = excluded.pid, started = excluded.started,
       ttl_ms = excluded.ttl_ms, acquired_ms = excluded.acquired_ms, expires_ms = excluded.expires_ms`,
    job,
    epoch,
    run,
    process.host,
    process.pid,
    process.started,
    ttlMs,
    nowMs,
    nowMs + ttlMs,
  );
  return { owner: { job, run, epoch, process } };
}

function isLive(row: SqlRow, request: AcquireRequest, nowMs: number): boolean {
  if (row['held'] === 0 || nowMs >= Number(row['expires_ms']) || row['run'] === request.run) return false;
  const { process } = toOwnerInfo(row);
  return process.host !== request.process.host || request.isAlive(process);
}

/** When the clock was set back, a lease would seem to last for as long as it jumped; it may not last longer than its term from now on. */
function boundLease(sql: Sql, row: SqlRow, nowMs: number): void {
  const longest = nowMs + Number(row['ttl_ms']);
  if (Number(row['expires_ms']) > longest) sql.run('update leases set expires_ms = ? where job = ?', longest, String(row['job']));
}

export function renewLease(sql: Sql, owner: Owner, nowMs: number): void {
  const changed = sql.run(
    'update leases set expires_ms = ? + ttl_ms where job = ? and epoch = ? and held = 1',
    nowMs,
    owner.job,
    owner.epoch,
  );
  if (changed === 0) throw fenced(sql, owner);
}

/** Harmless for an owner that was taken over: the lease is another's then. */
export function releaseLease(sql: Sql, owner: Owner): void {
  sql.run('update leases set held = 0 where job = ? and epoch = ?', owner.job, owner.epoch);
}

export function leaseHolder(sql: Sql, job: string): OwnerInfo | null {
  const row = sql.get('select * from leases where job = ? and held = 1', job);
  return row === undefined ? null : toOwnerInfo(row);
}

/** Throws E_FENCED unless `owner` holds the lease. A lease that ran out still holds while nobody took it over. */
export function fenceLease(sql: Sql, owner: Owner): void {
  if (sql.get('select 1 from leases where job = ? and epoch = ? and held = 1', owner.job, owner.epoch) === undefined)
    throw fenced(sql, owner);
}

function fenced(sql: Sql, owner: Owner): TrueupError {
  const holder = leaseHolder(sql, owner.job);
  const now = holder === null ? 'nobody owns it now' : `run ${holder.run} owns it now with epoch ${holder.epoch}`;
  return new TrueupError(
    'E_FENCED',
    `Run ${owner.run} no longer owns job '${owner.job}' (epoch ${owner.epoch}): ${now}. Nothing was written.`,
  );
}

function toOwnerInfo(row: SqlRow): OwnerInfo {
  return {
    job: String(row['job']),
    run: String(row['run']),
    epoch: Number(row['epoch']),
    process: { host: String(row['host']), pid: Number(row['pid']), started: String(row['started']) },
    acquiredAt: new Date(Number(row['acquired_ms'])).toISOString(),
    expiresAt: new Date(Number(row['expires_ms'])).toISOString(),
  };
}
