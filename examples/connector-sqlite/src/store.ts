import { TrueupError } from 'trueup/sdk';
import type { AcquireRequest, Checkpoint, CheckpointStore, Letter, Owner, OwnerInfo, StoreChange } from 'trueup/sdk';
import type { Connection, Sql, Value } from './file.ts';
import { STORE_SCHEMA } from './store-schema.ts';
import { hasTable } from './table.ts';

/** Leases, checkpoints and letters in the file of the target. `atomic`: its lanes commit rows and checkpoints in one transaction. */
export function openStore(file: Connection): CheckpointStore {
  return {
    atomic: true,
    acquire: async (request, signal) => {
      const acquired = await file.write(signal, (sql) => acquire(sql, request, Date.now()));
      if ('owner' in acquired) return acquired.owner;
      const { job, run, process, expiresAt } = acquired.holder;
      throw new TrueupError(
        'E_OWNED',
        `Job '${job}' is owned by run ${run} (process ${process.pid} on ${process.host}) until ${expiresAt}.`,
      );
    },
    renew: (owner, signal) =>
      file.write(signal, (sql) => {
        fence(sql, owner);
        sql.run('update trueup_leases set expires_ms = ? + ttl_ms where job = ?', BigInt(Date.now()), owner.job);
      }),
    release: (owner, signal) =>
      file.write(signal, (sql) => {
        sql.exec(STORE_SCHEMA);
        sql.run('update trueup_leases set held = 0 where job = ? and epoch = ?', owner.job, BigInt(owner.epoch));
      }),
    owner: (job, signal) => file.read(signal, (sql) => holderOf(sql, job)),
    save: (owner, what, signal) => file.write(signal, (sql) => saveChange(sql, owner, what)),
    list: (job, signal) =>
      file.read(signal, (sql) =>
        jsonOf<Checkpoint>(
          sql,
          'trueup_checkpoints',
          'select checkpoint from trueup_checkpoints where job = coalesce(?, job) order by job, feed',
          job,
        ),
      ),
    letters: ({ job, stream, limit }, signal) =>
      file.read(signal, (sql) =>
        jsonOf<Letter>(
          sql,
          'trueup_letters',
          'select letter from trueup_letters where job = coalesce(?, job) and stream = coalesce(?, stream) order by job, stream, key limit ?',
          job ?? null,
          stream ?? null,
          BigInt(limit ?? -1),
        ),
      ),
    close: async () => file.close(),
  };
}

function jsonOf<Item>(sql: Sql, table: string, statement: string, ...values: Value[]): Item[] {
  return hasTable(sql, table) ? sql.all(statement, ...values).map(([text]) => JSON.parse(String(text)) as Item) : [];
}

type Acquired = { readonly owner: Owner } | { readonly holder: OwnerInfo };

function acquire(sql: Sql, request: AcquireRequest, nowMs: number): Acquired {
  const { job, run, process, ttlMs } = request;
  sql.exec(STORE_SCHEMA);
  const holder = holderOf(sql, job);
  if (holder !== null && isLive(holder, request, nowMs)) return { holder };
  const [epoch] = sql.first('select epoch from trueup_leases where job = ?', job) ?? [];
  const owner: Owner = { job, run, epoch: Number(epoch ?? 0) + 1, process };
  const lease = [JSON.stringify({ run, process }), BigInt(ttlMs), BigInt(nowMs), BigInt(nowMs + ttlMs)];
  sql.run('insert or replace into trueup_leases values (?, ?, 1, ?, ?, ?, ?)', job, BigInt(owner.epoch), ...lease);
  return { owner };
}

/** A lease that seems to last longer than its term was given by a clock that was set back since. */
function isLive(holder: OwnerInfo, { run, process, ttlMs, isAlive }: AcquireRequest, nowMs: number): boolean {
  const leftMs = Date.parse(holder.expiresAt) - nowMs;
  const term = Math.max(ttlMs, Date.parse(holder.expiresAt) - Date.parse(holder.acquiredAt));
  if (leftMs <= 0 || leftMs > term || holder.run === run) return false;
  return holder.process.host !== process.host || isAlive(holder.process);
}

function holderOf(sql: Sql, job: string): OwnerInfo | null {
  if (!hasTable(sql, 'trueup_leases')) return null;
  const row = sql.first('select epoch, owner, acquired_ms, expires_ms from trueup_leases where job = ? and held = 1', job);
  if (row === undefined) return null;
  const [epoch, owner, acquired, expires] = row;
  const iso = (ms: Value | undefined): string => new Date(Number(ms)).toISOString();
  return {
    job,
    epoch: Number(epoch),
    ...(JSON.parse(String(owner)) as Pick<Owner, 'run' | 'process'>),
    acquiredAt: iso(acquired),
    expiresAt: iso(expires),
  };
}

/** To run inside of the transaction that writes. @throws {TrueupError} `E_FENCED` unless `owner` holds the lease */
export function fence(sql: Sql, owner: Owner): void {
  const holder = holderOf(sql, owner.job);
  if (holder?.epoch === owner.epoch) return;
  const now = holder === null ? 'nobody owns it now' : `run ${holder.run} owns it now with epoch ${holder.epoch}`;
  throw new TrueupError(
    'E_FENCED',
    `Run ${owner.run} no longer owns job '${owner.job}' (epoch ${owner.epoch}): ${now}. Nothing was written.`,
  );
}

/** To run inside of the transaction that writes. Returns how many letters were resolved. */
export function saveChange(sql: Sql, owner: Owner, { dropFeeds = [], checkpoints = [], resolved = [], letters = [] }: StoreChange): number {
  fence(sql, owner);
  const savedAt = new Date().toISOString();
  for (const feed of dropFeeds) sql.run('delete from trueup_checkpoints where job = ? and feed = ?', owner.job, feed);
  for (const one of checkpoints)
    sql.run('insert or replace into trueup_checkpoints values (?, ?, ?)', one.job, one.feed.id, JSON.stringify({ ...one, savedAt }));
  let gone = 0;
  for (const { job, stream, key } of resolved)
    gone += sql.run('delete from trueup_letters where job = ? and stream = ? and key = ?', job, stream, key);
  for (const letter of letters) saveLetter(sql, letter);
  return gone;
}

function saveLetter(sql: Sql, letter: Letter): void {
  const { job, stream, key } = letter;
  const [before] = sql.first('select letter from trueup_letters where job = ? and stream = ? and key = ?', job, stream, key) ?? [];
  const attempts = before === undefined ? letter.attempts : (JSON.parse(String(before)) as Letter).attempts + 1;
  sql.run('insert or replace into trueup_letters values (?, ?, ?, ?)', job, stream, key, JSON.stringify({ ...letter, attempts }));
}
