import { chmodSync, closeSync, existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { TrueupError } from '../errors.ts';
import type { HeldSecret, Vault } from '../model/vault.ts';
import { isBusy, stateError } from './sqlite-errors.ts';

const WAIT_MS = 120_000;
const OWNER_ONLY = 0o600;

/**
 * Secrets in a SQLite file of their own, which only this user may read. Whoever works with one holds the file's write lock until it is kept: a process that dies lets
 * go of it. The file and its folder are made on first use.
 */
export function openSqliteVault(path: string): Vault {
  return {
    async withSecret(name, signal, work) {
      const database = await lockedFile(path, signal);
      try {
        const kept = database.prepare('select secret from secrets where name = ?').get(name)?.['secret'];
        const secret: HeldSecret = {
          read: () => (typeof kept === 'string' ? kept : null),
          keep: (text) => {
            database
              .prepare('insert into secrets (name, secret) values (?, ?) on conflict (name) do update set secret = excluded.secret')
              .run(name, text);
          },
        };
        const result = await work(secret);
        database.exec('commit');
        return result;
      } catch (error) {
        throw stateError(path, error);
      } finally {
        // What was not committed is rolled back.
        database.close();
      }
    },
  };
}

async function lockedFile(path: string, signal: AbortSignal): Promise<DatabaseSync> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    signal.throwIfAborted();
    const database = openOnce(path);
    try {
      database.exec('begin immediate');
      database.exec('create table if not exists secrets (name text primary key, secret text not null) strict');
      return database;
    } catch (error) {
      database.close();
      if (!isBusy(error)) throw stateError(path, error);
      if (performance.now() > deadline)
        throw new TrueupError('E_TIMEOUT', `The file of secrets ${path} is held by another process for more than ${WAIT_MS / 1000} s.`);
    }
    await sleep(20 + Math.random() * 40, undefined, { signal });
  }
}

/** The file is made with its mode before anything is written: SQLite would let others read it. */
function openOnce(path: string): DatabaseSync {
  try {
    const folder = dirname(path);
    if (!existsSync(folder)) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(join(folder, '.gitignore'), '*\n');
    }
    closeSync(openSync(path, 'a', OWNER_ONLY));
    chmodSync(path, OWNER_ONLY);
    const database = new DatabaseSync(path, { timeout: 0 });
    database.exec('pragma synchronous = full');
    return database;
  } catch (error) {
    throw stateError(path, error);
  }
}
