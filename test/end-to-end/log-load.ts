import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { TestDatabase } from '../servers/postgres.ts';

/*
 * A load that only a log can follow: parents and children are inserted, updated, deleted and moved to other keys, in quick transactions and in long ones, with
 * savepoints and rollbacks to them, rollbacks, and prepared transactions. Large values stay unchanged by most updates.
 */

export const LOG_LOAD_TABLES = `
create table parents (id bigint primary key, v int not null, big text, at timestamptz not null default now());
create table children (parent bigint not null, line int not null, note text, primary key (parent, line));
alter table parents alter column big set storage external;
insert into parents select n, 0, repeat(md5(n::text), 100) from generate_series(1, 20000) n;
insert into children select n, l, 'child ' || l from generate_series(1, 20000) n, generate_series(1, 2) l;
analyze parents; analyze children`;

export interface LogLoadCounts {
  transactions: number;
  deletes: number;
  moves: number;
  rollbacks: number;
  savepoints: number;
  prepared: number;
  long: number;
}

export interface LogLoad {
  readonly counts: LogLoadCounts;
  /** Ends all writers; what they had open is committed or rolled back. */
  stop(): Promise<void>;
}

export async function startLogLoad(database: TestDatabase, writers: number, longestMs: number): Promise<LogLoad> {
  const counts: LogLoadCounts = { transactions: 0, deletes: 0, moves: 0, rollbacks: 0, savepoints: 0, prepared: 0, long: 0 };
  const stop = new AbortController();
  const running = await Promise.all(
    Array.from({ length: writers }, async (_, index) => {
      const client = await database.connect();
      return { done: writer({ client, counts, longestMs, name: `${database.name}_${index}` }, stop.signal) };
    }),
  );
  return {
    counts,
    stop: async () => {
      stop.abort();
      await Promise.all(running.map(({ done }) => done));
    },
  };
}

interface Writer {
  readonly client: pg.Client;
  readonly counts: LogLoadCounts;
  readonly longestMs: number;
  readonly name: string;
}

const chance = (share: number): boolean => Math.random() < share;

async function writer(one: Writer, stop: AbortSignal): Promise<void> {
  for (let serial = 0; !stop.aborted; serial += 1) {
    try {
      await transaction(one, serial);
    } catch (error) {
      // Two writers met: the server chose one of them.
      if ((error as { readonly code?: string }).code !== '40P01') throw error;
      await one.client.query('rollback');
    }
    await sleep(Math.random() * 10);
  }
}

async function transaction({ client, counts, longestMs, name }: Writer, serial: number): Promise<void> {
  const long = chance(0.03);
  if (long) counts.long += 1;
  counts.transactions += 1;
  await client.query('begin');
  const statements = 1 + Math.floor(Math.random() * 6);
  for (let index = 0; index < statements; index += 1) {
    await statement(client, counts);
    if (long) await sleep((Math.random() * longestMs) / statements);
  }
  if (chance(0.1)) {
    counts.rollbacks += 1;
    await client.query('rollback');
  } else if (chance(0.06)) {
    counts.prepared += 1;
    await client.query(`prepare transaction '${name}_${serial}'`);
    await sleep(Math.random() * 60);
    await client.query(`commit prepared '${name}_${serial}'`);
  } else await client.query('commit');
}

/** A key that is likely there, and one that is likely not. */
const there = (): number => 1 + Math.floor(Math.random() * 20_000);
const elsewhere = (): number => 20_001 + Math.floor(Math.random() * 1e9);

async function statement(client: pg.Client, counts: LogLoadCounts): Promise<void> {
  const inSavepoint = chance(0.25);
  if (inSavepoint) {
    counts.savepoints += 1;
    await client.query('savepoint a');
  }
  const what = Math.random();
  if (what < 0.35) {
    const id = elsewhere();
    await client.query('insert into parents values ($1::bigint, 1, repeat(md5($1::bigint::text), 100)) on conflict do nothing', [id]);
    await client.query(`insert into children select $1::bigint, l, 'new' from generate_series(1, 3) l on conflict do nothing`, [id]);
  } else if (what < 0.65) await client.query('update parents set v = v + 1, at = clock_timestamp() where id = $1', [there()]);
  else if (what < 0.7) await client.query('update parents set big = repeat(md5(random()::text), 100), v = v + 1 where id = $1', [there()]);
  else if (what < 0.78) await client.query(`update children set note = note || '+' where parent = $1`, [there()]);
  else if (what < 0.84) {
    counts.moves += 1;
    await client.query('update parents set id = $2::bigint, v = v + 1 where id = $1', [there(), elsewhere()]);
  } else {
    counts.deletes += 1;
    const id = there();
    await client.query('delete from children where parent = $1', [id]);
    await client.query('delete from parents where id = $1', [id]);
  }
  if (inSavepoint) await client.query(chance(0.3) ? 'rollback to savepoint a' : 'release savepoint a');
}
