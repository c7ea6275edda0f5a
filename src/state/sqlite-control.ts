import type { CheckpointStore, Owner, StoreChange } from '../model/checkpoint.ts';
import { saveChange } from './sqlite-checkpoints.ts';
import { openSqliteFile } from './sqlite-file.ts';
import type { Sql } from './sqlite-file.ts';
import { storeOf } from './sqlite-state.ts';

/** What a target remembers of its own beside the checkpoints: texts by name. */
export interface Notes {
  get(name: string): string | null;
  set(name: string, text: string): void;
}

/**
 * Leases, checkpoints and letters in a SQLite file that a target keeps beside what it writes, for targets without a place for them. What the target does
 * within `commit` is inside of the transaction: nobody else commits meanwhile, and an owner that was taken over is refused before it.
 */
export interface SqliteControl {
  readonly store: CheckpointStore;
  /**
   * Durable on return. What `work` throws undoes it. `work` must not wait for anything.
   *
   * @param owner `null`: the lease is kept elsewhere, and nothing is fenced or saved
   * @throws {TrueupError} `E_FENCED`, before `work`
   */
  commit<Result>(
    owner: Owner | null,
    what: StoreChange,
    signal: AbortSignal,
    work: (notes: Notes) => Result,
  ): Promise<{ readonly result: Result; readonly lettersResolved: number }>;
  /** Harmless when called twice. */
  close(): Promise<void>;
}

const NOTES = 'create table if not exists notes (name text primary key, text text not null) strict, without rowid';

/** Opens on first use, and makes the folder where it is missing. Not for network file systems. */
export function openSqliteControl(path: string, now: () => number = Date.now): SqliteControl {
  const file = openSqliteFile(path);
  const close = async (): Promise<void> => file.close();
  return {
    store: { ...storeOf(file, now), atomic: true, close: async () => {} },
    commit: (owner, what, signal, work) =>
      file.write(signal, (sql) => {
        const lettersResolved = owner === null ? 0 : saveChange(sql, owner, what, new Date(now()).toISOString());
        return { result: work(notesOf(sql)), lettersResolved };
      }),
    close,
  };
}

function notesOf(sql: Sql): Notes {
  sql.run(NOTES);
  return {
    get: (name) => (sql.get('select text from notes where name = ?', name)?.['text'] as string | undefined) ?? null,
    set: (name, text) =>
      void sql.run('insert into notes (name, text) values (?, ?) on conflict (name) do update set text = excluded.text', name, text),
  };
}
