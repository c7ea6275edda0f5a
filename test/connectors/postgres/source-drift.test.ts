import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Batch, Cell, StreamRef } from '../../../src/sdk.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import { fetchRequest, openSource, rowsOf, streamRef } from './source-kit.ts';

async function filled(): Promise<TestDatabase> {
  const database = await createDatabase('drift');
  await database.query(
    `create table t (id int primary key, a text, b int, updated_at timestamptz not null); insert into t select i, 'a' || i, i, now() from generate_series(1, 40) i`,
  );
  return database;
}

/** Reads with a new snapshot after every batch. After the second the table is changed: DDL waits for the snapshot that reads, and the next snapshot for the DDL. */
async function readWhile(database: TestDatabase, ref: StreamRef, change: string): Promise<Batch[]> {
  const source = openSource(database.url, { fence: { maxSnapshot: '0ms' } });
  const other = await database.connect();
  const batches: Batch[] = [];
  let changing: Promise<unknown> = Promise.resolve();
  try {
    for await (const batch of source.fetchChanges(fetchRequest(source, ref, { batchRows: 10 }))) {
      batches.push(batch);
      if (batches.length !== 2) continue;
      changing = other.query(change);
      await Promise.race([changing, untilItWaits(database)]);
    }
    return batches;
  } finally {
    await source.close();
    await changing;
  }
}

async function untilItWaits(database: TestDatabase): Promise<void> {
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  while ((await database.query(waiting)).length === 0) await sleep(20);
}

const names = (batch: Batch | undefined) => batch?.shape.fields.map((field) => field.name);

describeWithPostgres('connectors: postgres, a table that changes while it is read', () => {
  it('gives the same shape, to identity, in every snapshot while nothing changes', async () => {
    const batches = await readWhile(await filled(), streamRef('public.t'), 'select 1');
    expect(new Set(batches.map((batch) => batch.shape)).size).toBe(1);
    expect(rowsOf(batches)).toHaveLength(40);
  });

  it('reads a column that was added, in a new shape', async () => {
    const batches = await readWhile(await filled(), streamRef('public.t'), `alter table t add c text not null default 'new'`);
    expect(names(batches[1])).toEqual(['id', 'a', 'b', 'updated_at']);
    expect(names(batches[2])).toEqual(['id', 'a', 'b', 'updated_at', 'c']);
    expect(new Set(batches.map((batch) => batch.shape)).size).toBe(2);
    expect(rowsOf(batches.slice(2)).every((row) => row['c'] === 'new')).toBe(true);
  });

  it('leaves out a column that was dropped, in a new shape, when every column was asked for', async () => {
    const batches = await readWhile(await filled(), streamRef('public.t'), 'alter table t drop a');
    expect(names(batches[2])).toEqual(['id', 'b', 'updated_at']);
    const ids = rowsOf(batches).map((row) => row['id']);
    expect(new Set(ids).size).toBe(40);
  });

  it('decodes by the new type after a column was retyped', async () => {
    const batches = await readWhile(await filled(), streamRef('public.t'), 'alter table t alter b type bigint');
    const value = (batch: Batch | undefined): Cell => rowsOf(batch === undefined ? [] : [batch])[0]?.['b'];
    expect([typeof value(batches[0]), typeof value(batches[2])]).toEqual(['number', 'bigint']);
  });

  it.each([
    ['a planned column is dropped', { fields: ['id', 'a'] }, 'alter table t drop a', 'a'],
    ['the cursor column is renamed', {}, 'alter table t rename updated_at to changed_at', 'updated_at'],
    ['a key column is renamed', {}, 'alter table t rename id to key', 'id'],
    ['the table is dropped', {}, 'drop table t', 'public.t'],
  ])('stops with E_PLAN_CHANGED and the name when %s', async (_, ref, change, name) => {
    const reading = readWhile(await filled(), streamRef('public.t', ref), change);
    await expect(reading).rejects.toMatchObject({ code: 'E_PLAN_CHANGED' });
    await expect(reading).rejects.toThrow(name);
  });

  it('never reads what is excepted, and always reads the key', async () => {
    const database = await filled();
    const source = openSource(database.url);
    const batches = await Array.fromAsync(
      source.fetchChanges(fetchRequest(source, streamRef('public.t', { fields: ['b'], except: ['a'] }))),
    );
    expect(names(batches[0])).toEqual(['b', 'id']);
    const all = await Array.fromAsync(source.fetchChanges(fetchRequest(source, streamRef('public.t', { except: ['a'] }))));
    expect(names(all[0])).toEqual(['id', 'b', 'updated_at']);
    await source.close();
  });
});
