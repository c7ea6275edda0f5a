import { TrueupError } from '../errors.ts';
import type { CheckpointStore, Owner, StateStore } from '../model/checkpoint.ts';
import { sqliteBreakers } from './sqlite-breakers.ts';
import { listCheckpoints, listLetters, saveChange } from './sqlite-checkpoints.ts';
import { openSqliteFile } from './sqlite-file.ts';
import type { SqliteFile } from './sqlite-file.ts';
import { acquireLease, leaseHolder, releaseLease, renewLease } from './sqlite-leases.ts';
import type { Acquired } from './sqlite-leases.ts';
import { sqliteRuns } from './sqlite-runs.ts';

export interface SqliteStateOptions {
  /** Milliseconds since 1970. Default: the clock of this machine. */
  readonly now?: () => number;
}

/**
 * The state in one SQLite file, which several processes of one machine may share. Opens on first use, makes the folder where it is missing, and
 * writes each change durably (WAL, fsync at every commit). Not for network file systems: machines that share their work use Postgres.
 *
 * @param path absolute path of the file; `:memory:` keeps everything in this process
 */
export function openSqliteState(path: string, { now = Date.now }: SqliteStateOptions = {}): StateStore {
  const file = openSqliteFile(path);
  return { ...storeOf(file, now), runs: sqliteRuns(file), breakers: sqliteBreakers(file) };
}

/** Leases, checkpoints and letters in an open file. */
export function storeOf(file: SqliteFile, now: () => number): CheckpointStore {
  const savedAt = (): string => new Date(now()).toISOString();
  return {
    atomic: false,
    acquire: async (request, signal) => ownerOrThrow(await file.write(signal, (sql) => acquireLease(sql, request, now()))),
    renew: (owner, signal) => file.write(signal, (sql) => renewLease(sql, owner, now())),
    release: (owner, signal) => file.write(signal, (sql) => releaseLease(sql, owner)),
    owner: (job, signal) => file.read(signal, (sql) => leaseHolder(sql, job)),
    save: (owner, what, signal) => file.write(signal, (sql) => saveChange(sql, owner, what, savedAt())),
    list: (job, signal) => file.read(signal, (sql) => listCheckpoints(sql, job)),
    letters: (filter, signal) => file.read(signal, (sql) => listLetters(sql, filter)),
    close: async () => file.close(),
  };
}

/** State that ends with the process: for programs and tests that need no file. */
export function openMemoryState(options: SqliteStateOptions = {}): StateStore {
  return openSqliteState(':memory:', options);
}

function ownerOrThrow(acquired: Acquired): Owner {
  if ('owner' in acquired) return acquired.owner;
  const { job, run, process, expiresAt } = acquired.holder;
  throw new TrueupError('E_OWNED', `Job '${job}' is owned by run ${run} (process ${process.pid} on ${process.host}) until ${expiresAt}.`);
}
