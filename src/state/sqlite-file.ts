import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { TrueupError } from '../errors.ts';
import { stateError, isBusy } from './sqlite-errors.ts';
import { APPLICATION_ID, MIGRATIONS } from './sqlite-schema.ts';

export type SqlRow = Record<string, SQLOutputValue>;

/** SQLite itself waits this long for another process, with the event loop blocked; beyond it we wait without blocking. */
const BLOCKING_WAIT_MS = 50;
const WAIT_MS = 20_000;

/** Statements inside one transaction. Prepared once per file. */
export interface Sql {
  all(sql: string, ...values: SQLInputValue[]): SqlRow[];
  get(sql: string, ...values: SQLInputValue[]): SqlRow | undefined;
  /** How many rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number;
}

export interface SqliteFile {
  /** Runs `work` in one transaction that writes; several processes take turns. Durable on return. */
  write<Result>(signal: AbortSignal, work: (sql: Sql) => Result): Promise<Result>;
  /** One statement, or several that need no common snapshot. */
  read<Result>(signal: AbortSignal, work: (sql: Sql) => Result): Promise<Result>;
  close(): void;
}

/** Opens on first use. Makes the folder, with a `.gitignore` in it, and brings the schema up to date. `:memory:` is no file and needs none. */
export function openSqliteFile(path: string): SqliteFile {
  let opened: { readonly database: DatabaseSync; readonly sql: Sql } | null = null;
  let closed = false;

  async function attempt<Result>(signal: AbortSignal, work: (database: DatabaseSync, sql: Sql) => Result): Promise<Result> {
    const deadline = performance.now() + WAIT_MS;
    while (true) {
      signal.throwIfAborted();
      if (closed) throw new TrueupError('E_BUG', `The state file ${path} was used after it was closed.`);
      try {
        opened ??= openDatabase(path);
        return work(opened.database, opened.sql);
      } catch (error) {
        if (!isBusy(error) || performance.now() > deadline) throw stateError(path, error);
      }
      await sleep(5 + Math.random() * 20, undefined, { signal, ref: true });
    }
  }

  return {
    write: (signal, work) => attempt(signal, (database, sql) => inTransaction(database, () => work(sql))),
    read: (signal, work) => attempt(signal, (_database, sql) => work(sql)),
    close: () => {
      closed = true;
      opened?.database.close();
      opened = null;
    },
  };
}

function openDatabase(path: string): { database: DatabaseSync; sql: Sql } {
  if (path !== ':memory:') makeFolder(dirname(path));
  const database = new DatabaseSync(path, { timeout: BLOCKING_WAIT_MS });
  try {
    checkFile(database, path);
    database.exec('pragma journal_mode = wal; pragma synchronous = full;');
    migrate(database, path);
    return { database, sql: preparedSql(database) };
  } catch (error) {
    database.close();
    throw error;
  }
}

function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, '.gitignore'), '*\n');
}

/** Before anything is written: a file of another program, or of a newer trueup, is left alone. */
function checkFile(database: DatabaseSync, path: string): void {
  const version = pragma(database, 'user_version');
  if (version > MIGRATIONS.length) {
    throw new TrueupError(
      'E_STATE',
      `The state file ${path} has schema version ${version}, written by a newer trueup; this one knows versions up to ${MIGRATIONS.length}.`,
      {
        hint: 'Update trueup, or use another state file.',
      },
    );
  }
  const isEmpty = database.prepare('select 1 from sqlite_schema limit 1').get() === undefined;
  if (!isEmpty && pragma(database, 'application_id') !== APPLICATION_ID) {
    throw new TrueupError('E_STATE', `${path} is a SQLite file of another program, not a state file of trueup.`, {
      hint: 'Name another file with `state:` in the config.',
    });
  }
}

function migrate(database: DatabaseSync, path: string): void {
  if (pragma(database, 'user_version') === MIGRATIONS.length) return;
  inTransaction(database, () => {
    // Another process may have been faster, or newer.
    checkFile(database, path);
    const version = pragma(database, 'user_version');
    for (const step of MIGRATIONS.slice(version)) database.exec(step);
    database.exec(`pragma application_id = ${APPLICATION_ID}; pragma user_version = ${MIGRATIONS.length};`);
  });
}

function pragma(database: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(database.prepare(`pragma ${name}`).get()?.[name]);
}

/** `immediate` takes the write lock at once, so that nothing was read that another process changes before the write. */
function inTransaction<Result>(database: DatabaseSync, work: () => Result): Result {
  database.exec('begin immediate');
  try {
    const result = work();
    database.exec('commit');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('rollback');
    throw error;
  }
}

function preparedSql(database: DatabaseSync): Sql {
  const prepared = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const statement = prepared.get(sql) ?? database.prepare(sql);
    prepared.set(sql, statement);
    return statement;
  };
  return {
    all: (sql, ...values) => prepare(sql).all(...values),
    get: (sql, ...values) => prepare(sql).get(...values),
    run: (sql, ...values) => Number(prepare(sql).run(...values).changes),
  };
}
