import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { TestDatabase } from '../servers/postgres.ts';

/*
 * The mixed load that makes naive readers lose rows: transactions of up to several seconds beside quick ones, savepoints, rollbacks, prepared
 * transactions, stamps by now() (the begin of the transaction) and by clock_timestamp(). Table `t` is inserted and updated, `s` only inserted.
 */

export interface LoadCounts {
  transactions: number;
  long: number;
  savepoints: number;
  rollbacks: number;
  prepared: number;
}

export const LOAD_TABLES = `
create table t (id bigserial primary key, v int not null default 0, updated_at timestamptz not null);
create index on t (updated_at, id);
create table s (id bigserial primary key, v int not null default 0)`;

export interface Load {
  readonly counts: LoadCounts;
  /** Ends all writers; what they had open is committed or rolled back. */
  stop(): Promise<void>;
}

export interface LoadOptions {
  /** Writers with transactions; every second one stamps by now(). Beside them three that autocommit. */
  readonly writers: number;
  readonly longestMs: number;
}

export async function startLoad(database: TestDatabase, { writers, longestMs }: LoadOptions): Promise<Load> {
  const counts: LoadCounts = { transactions: 0, long: 0, savepoints: 0, rollbacks: 0, prepared: 0 };
  const stop = new AbortController();
  const running: Promise<void>[] = [];
  for (let index = 0; index < writers; index++)
    running.push(
      writer(
        {
          client: await database.connect(),
          counts,
          longestMs,
          name: `${database.name}_${index}`,
          stamp: index % 2 === 0 ? 'now()' : 'clock_timestamp()',
        },
        stop.signal,
      ),
    );
  for (let index = 0; index < 3; index++) running.push(autocommitter(await database.connect(), counts, stop.signal));
  return {
    counts,
    stop: async () => {
      stop.abort();
      await Promise.all(running);
    },
  };
}

interface Writer {
  readonly client: pg.Client;
  readonly counts: LoadCounts;
  readonly longestMs: number;
  readonly name: string;
  readonly stamp: string;
}

const chance = (share: number) => Math.random() < share;

async function writer(one: Writer, stop: AbortSignal): Promise<void> {
  for (let serial = 0; !stop.aborted; serial++) {
    await transaction(one, serial);
    await sleep(Math.random() * 20);
  }
}

async function transaction({ client, counts, longestMs, name, stamp }: Writer, serial: number): Promise<void> {
  const long = chance(0.04);
  counts.transactions += 1;
  if (long) counts.long += 1;
  await client.query('begin');
  const statements = 1 + Math.floor(Math.random() * 5);
  for (let index = 0; index < statements; index++) {
    await statement(client, counts, stamp);
    await sleep(long ? (Math.random() * longestMs) / statements : Math.random() * 4);
  }
  if (chance(0.1)) {
    counts.rollbacks += 1;
    await client.query('rollback');
  } else if (chance(0.08)) {
    counts.prepared += 1;
    await client.query(`prepare transaction '${name}_${serial}'`);
    await sleep(Math.random() * 60);
    await client.query(`commit prepared '${name}_${serial}'`);
  } else {
    await client.query('commit');
  }
}

async function statement(client: pg.Client, counts: LoadCounts, stamp: string): Promise<void> {
  const inSavepoint = chance(0.3);
  if (inSavepoint) {
    counts.savepoints += 1;
    await client.query('savepoint a');
  }
  if (chance(0.6)) await client.query(`insert into t (v, updated_at) values (1, ${stamp})`);
  else
    await client.query(
      `update t set v = v + 1, updated_at = ${stamp} where id = (select id from t where id > (random() * (select max(id) from t))::bigint order by id limit 1 for update skip locked)`,
    );
  await client.query('insert into s default values');
  if (inSavepoint) await client.query(chance(0.3) ? 'rollback to savepoint a' : 'release savepoint a');
}

async function autocommitter(client: pg.Client, counts: LoadCounts, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    counts.transactions += 1;
    await client.query('insert into t (v, updated_at) values (1, clock_timestamp())');
    await client.query('insert into s default values');
    await sleep(Math.random() * 30);
  }
}
