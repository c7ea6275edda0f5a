import { deserialize, serialize } from 'node:v8';
import type { Sql, Value } from './file.ts';

/** One thing to do at the commit. */
export type Step =
  | { readonly do: 'upsert'; readonly stream: string; readonly columns: readonly string[]; readonly values: readonly Value[] }
  | { readonly do: 'delete'; readonly stream: string; readonly key: readonly Value[] }
  | { readonly do: 'truncate'; readonly stream: string }
  | {
      readonly do: 'within';
      readonly stream: string;
      readonly columns: readonly string[];
      readonly parents: readonly (readonly Value[])[];
      /** Of the rows that the batch has: these are none of its business. */
      readonly keys: readonly (readonly Value[])[];
    };

/*
 * Rows wait for their commit in a temporary table, which belongs to the connection and locks nothing. SQLite has one writer: a lane that wrote into the
 * tables themselves would keep everybody out until its commit, the run that takes over from it among them.
 */

export function openStage(sql: Sql): void {
  sql.exec('create temp table if not exists stage (n integer primary key, step blob not null)');
}

export function clearStage(sql: Sql): void {
  sql.exec('delete from temp.stage');
}

export function stageSteps(sql: Sql, steps: readonly Step[]): void {
  sql.transaction(() => {
    for (const step of steps) sql.run('insert into temp.stage (step) values (?)', serialize(step));
  }, 'deferred');
}

/** In the order in which they came, one at a time: only one of them is in memory. */
export function* stagedSteps(sql: Sql): Generator<Step> {
  for (const [step] of sql.iterate('select step from temp.stage order by n')) yield deserialize(step as Uint8Array) as Step;
}
