import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { TrueupError } from 'trueup/sdk';
import { faultOf, isBusy } from './faults.ts';

/** What SQLite holds in one place of one row. Integers are bigints, so that all 64 bits arrive. */
export type Value = null | bigint | number | string | Uint8Array;

/** SQLite itself waits for a lock with the event loop blocked, so it waits briefly; beyond that this file waits. */
const BLOCKING_WAIT_MS = 20;

/** One connection. Statements are prepared once. */
export class Sql {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: BLOCKING_WAIT_MS });
  }

  all(text: string, ...values: Value[]): Value[][] {
    return this.#prepare(text).all(...values) as unknown as Value[][];
  }

  first(text: string, ...values: Value[]): Value[] | undefined {
    return this.#prepare(text).get(...values) as unknown as Value[] | undefined;
  }

  /** One row after another, for those who may stop early. Others wait for their lock as long as this goes on. */
  iterate(text: string, ...values: Value[]): Iterable<Value[]> {
    return this.#prepare(text).iterate(...values) as unknown as Iterable<Value[]>;
  }

  /** How many rows it changed. */
  run(text: string, ...values: Value[]): number {
    return Number(this.#prepare(text).run(...values).changes);
  }

  exec(text: string): void {
    this.#database.exec(text);
  }

  /** `immediate` takes the write lock at once, so that nothing was read that another changes before the write. */
  transaction<Result>(work: () => Result, kind: 'immediate' | 'deferred' = 'immediate'): Result {
    this.#database.exec(`begin ${kind}`);
    try {
      const result = work();
      this.#database.exec('commit');
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('rollback');
      throw error;
    }
  }

  close(): void {
    this.#prepared.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #prepare(text: string): StatementSync {
    const known = this.#prepared.get(text);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(text);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    this.#prepared.set(text, statement);
    return statement;
  }
}

/** A database file, opened on first use. */
export interface SqliteFile {
  readonly path: string;
  /** Reads only. A file that is not there is an empty database, and is not made. */
  read<Result>(signal: AbortSignal, work: (sql: Sql) => Result): Promise<Result>;
  /** Runs `work` in one transaction, durable on return. Makes the file where it is missing. */
  write<Result>(signal: AbortSignal, work: (sql: Sql) => Result): Promise<Result>;
  /** As `read`, on a connection of one's own: temporary tables stay until it is closed. */
  connect(): Connection;
  close(): void;
}

export interface Connection {
  read<Result>(signal: AbortSignal, work: (sql: Sql) => Result): Promise<Result>;
  write<Result>(signal: AbortSignal, work: (sql: Sql) => Result): Promise<Result>;
  close(): void;
}

export interface FileOptions {
  readonly path: string;
  /** How long to wait for the lock of another process (ms). */
  readonly waitMs: number;
  /** `false`: a file that is missing is an error. */
  readonly create: boolean;
}

export function openFile(options: FileOptions): SqliteFile {
  const shared = openConnection(options);
  return { path: options.path, ...shared, connect: () => openConnection(options) };
}

function openConnection({ path, waitMs, create }: FileOptions): Connection {
  let opened: Sql | null = null;
  let closed = false;
  const open = (make: boolean): Sql => {
    if (closed) throw new TrueupError('E_BUG', `The SQLite file ${path} was used after it was closed.`);
    if (opened !== null) return opened;
    const isThere = existsSync(path);
    if (!isThere && !create)
      throw new TrueupError('E_ACCESS', `There is no SQLite file ${path}.`, { hint: 'Correct `path` of the connection.' });
    if (!isThere && !make) return new Sql(':memory:');
    return (opened = new Sql(path));
  };
  const patiently = async <Result>(signal: AbortSignal, work: () => Result): Promise<Result> => {
    const deadline = performance.now() + waitMs;
    while (true) {
      signal.throwIfAborted();
      try {
        return work();
      } catch (error) {
        if (!isBusy(error) || performance.now() > deadline) throw faultOf(path, error);
      }
      await sleep(5 + Math.random() * 20, undefined, { signal });
    }
  };
  return {
    read: (signal, work) => patiently(signal, () => work(open(false))),
    write: (signal, work) =>
      patiently(signal, () => {
        const sql = open(true);
        return sql.transaction(() => work(sql));
      }),
    close: () => {
      closed = true;
      opened?.close();
      opened = null;
    },
  };
}
