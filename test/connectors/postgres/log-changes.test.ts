import { expect, it } from 'vitest';
import { OPS } from '../../../src/sdk.ts';
import type { Batch, Cursor, Source, StreamRef } from '../../../src/sdk.ts';
import { createDatabase, createRole, describeWithPostgres } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import { beginLog } from './log-kit.ts';
import { NEVER, cursorAfter, drainOnce, fetchRequest, openSource, streamRef } from './source-kit.ts';

const log = (name: string, more: Partial<StreamRef> = {}): StreamRef => streamRef(name, { changes: { by: 'log' }, job: 'test', ...more });

/** `[op, …cells]` of each change. */
function changesOf(batches: readonly Batch[]): unknown[][] {
  return batches.flatMap(({ records, ops }) => records.rows().map((row, index) => [OPS[ops?.[index] ?? 0], ...row]));
}

interface Logged {
  readonly database: TestDatabase;
  /** What has happened since the last call. */
  next(): Promise<unknown[][]>;
}

async function logged(setup: string, refs: StreamRef[]): Promise<Logged> {
  const database = await createDatabase('log');
  await database.query(setup);
  let cursor: Cursor = await beginLog(database.url, refs);
  return {
    database,
    async next() {
      const source = openSource(database.url);
      try {
        const batches = await Array.fromAsync(
          source.fetchChanges({ ...fetchRequest(source, refs[0] as StreamRef), streams: refs, after: cursor }),
        );
        cursor = cursorAfter(batches, cursor) as Cursor;
        return changesOf(batches);
      } finally {
        await source.close();
      }
    },
  };
}

const BIG = `repeat('0123456789', 1000)`;

describeWithPostgres('connectors: postgres, changes from the log', () => {
  it('a large value that was not changed is left out, and its record is a patch; with a new key the record is looked up', async () => {
    const { database, next } = await logged(
      `create table t (id int primary key, v int, big text); alter table t alter column big set storage external`,
      [log('public.t')],
    );
    await database.query(`insert into t values (1, 1, ${BIG}), (2, 1, 'small')`);
    expect((await next()).map(([op, id]) => [op, id])).toEqual([
      ['upsert', '1'],
      ['upsert', '2'],
    ]);
    await database.query(`update t set v = 2; update t set id = 3 where id = 1; update t set big = ${BIG} || 'x' where id = 2`);
    const changes = await next();
    expect(changes.slice(0, 4)).toEqual([
      ['patch', '1', '2', undefined],
      ['upsert', '2', '2', 'small'],
      ['delete', '1', undefined, undefined],
      ['touch', '3', undefined, undefined],
    ]);
    expect(changes[4]?.[3]).toHaveLength(10_001);
  });

  it('with the whole row as its identity nothing is left out', async () => {
    const { database, next } = await logged(
      `create table t (id int primary key, v int, big text); alter table t alter column big set storage external; alter table t replica identity full`,
      [log('public.t')],
    );
    await database.query(`insert into t values (1, 1, ${BIG}); update t set v = 2; update t set id = 2; delete from t`);
    expect((await next()).map(([op, id, v, big]) => [op, id, v, String(big).length])).toEqual([
      ['upsert', '1', '1', 10_000],
      ['upsert', '1', '2', 10_000],
      ['delete', '1', undefined, 9],
      ['upsert', '2', '2', 10_000],
      ['delete', '2', undefined, 9],
    ]);
  });

  it('rows are named by the index that is their identity', async () => {
    const { database, next } = await logged(
      `create table t (a int not null, b int not null, v int); create unique index by_b on t (b, a); alter table t replica identity using index by_b`,
      [log('public.t', { key: ['a', 'b'] })],
    );
    await database.query(`insert into t values (1, 2, 3); update t set v = 4; update t set a = 9; delete from t`);
    expect(await next()).toEqual([
      ['upsert', '1', '2', '3'],
      ['upsert', '1', '2', '4'],
      ['delete', '1', '2', undefined],
      ['upsert', '9', '2', '4'],
      ['delete', '9', '2', undefined],
    ]);
  });

  it('partitions are told under the name of their table', async () => {
    const { database, next } = await logged(
      `create table t (id int, v text, primary key (id)) partition by range (id);
       create table t1 partition of t for values from (0) to (10); create table t2 partition of t for values from (10) to (20)`,
      [log('public.t')],
    );
    await database.query(`insert into t values (1, 'a'), (11, 'b'); update t set id = 12 where id = 1; delete from t where id = 11`);
    expect(await next()).toEqual([
      ['upsert', '1', 'a'],
      ['upsert', '11', 'b'],
      ['delete', '1', undefined],
      ['upsert', '12', 'a'],
      ['delete', '11', undefined],
    ]);
  });

  it('values are the same text as those of a polled read', async () => {
    const database = await createDatabase('log');
    await database.query(
      `create table t (id int primary key, at timestamptz, day date, took interval, f real, d float8, n numeric(12,4), raw bytea, tags text[], doc jsonb, js json,
        c char(5), b bool, u uuid, x xml, r int4range, net inet, m money, p point, bits bit(3), mood text collate "C")`,
    );
    const ref = log('public.t');
    const after = await beginLog(database.url, [ref]);
    await database.query(
      `insert into t values (1, '2026-02-03 04:05:06.123456+05', '2026-02-03', '1 mon -2 days 03:04:05.6', 0.1, 1e-300, 12.3400, '\\xdeadbeef', '{a,"b\\"c",NULL}', '{"a": 1.10}',
        '{"a" : 1}', 'ab', true, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '<a/>', '[1,5)', '10.0.0.1/8', 12.5, '(1,2)', '101', E'tab\\t\\\\ line\\n é'); insert into t (id) values (2)`,
    );
    const byLog = await drainOnce(database.url, ref, { after });
    const polled = await drainOnce(database.url, { ...ref, changes: { by: 'xmin' } });
    expect(changesOf(byLog.batches)).toEqual(changesOf(polled.batches));
    expect(byLog.rows).toEqual(polled.rows);
    expect(byLog.batches[0]?.shape).toEqual(polled.batches[0]?.shape);
  });

  it('columns that come and go in the middle: rows that are older than the table are looked up', async () => {
    const { database, next } = await logged('create table t (id int primary key, a text, b text)', [log('public.t')]);
    await database.query(`insert into t values (1, 'a', 'b')`);
    await database.query('alter table t drop column b, add column c int');
    await database.query(`insert into t values (2, 'a', 3); delete from t where id = 1`);
    expect(await next()).toEqual([
      ['touch', '1', undefined, undefined],
      ['upsert', '2', 'a', '3'],
      ['delete', '1', undefined, undefined],
    ]);
  });

  it('a slot that is gone, was read by another, or was made anew is a lost position, never a gap', async () => {
    const ref = log('public.t');
    const database = await createDatabase('log');
    await database.query('create table t (id int primary key)');
    const after = (await beginLog(database.url, [ref])) as { readonly slot: string } & Exclude<Cursor, null>;
    await database.query('insert into t values (1)');
    const [{ lsn } = { lsn: '' }] = await database.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn');
    await database.query(`select pg_replication_slot_advance($1, $2::pg_lsn)`, [after.slot, lsn]);
    await expect(drainOnce(database.url, ref, { after })).rejects.toMatchObject({
      code: 'E_POSITION_LOST',
      message: expect.stringContaining('read from it'),
    });
    await database.query('select pg_drop_replication_slot($1)', [after.slot]);
    await expect(drainOnce(database.url, ref, { after })).rejects.toMatchObject({
      code: 'E_POSITION_LOST',
      message: expect.stringContaining('not there'),
    });
    await beginLog(database.url, [ref]);
    await expect(drainOnce(database.url, ref, { after })).rejects.toMatchObject({ code: 'E_POSITION_LOST' });
  });

  it('a table that was published anew, or made anew, is a lost position: what happened to it meanwhile was not told', async () => {
    const ref = log('public.t');
    const database = await createDatabase('log');
    await database.query('create table t (id int primary key); create table other (id int primary key)');
    const after = await beginLog(database.url, [ref]);
    const [{ pubname } = { pubname: '' }] = await database.query<{ pubname: string }>('select pubname from pg_publication');
    await database.query(
      `alter publication ${pubname} add table other; alter publication ${pubname} drop table t; insert into t values (1)`,
    );
    await expect(drainOnce(database.url, ref, { after })).rejects.toMatchObject({
      code: 'E_POSITION_LOST',
      message: expect.stringContaining('not published'),
    });
    await database.query(`alter publication ${pubname} add table t`);
    await expect(drainOnce(database.url, ref, { after })).rejects.toMatchObject({
      code: 'E_POSITION_LOST',
      message: expect.stringContaining('anew'),
    });
  });

  it('a slot waits for whoever is writing, and names the one that lasts', async () => {
    const database = await createDatabase('log');
    await database.query('create table t (id int primary key)');
    const writer = await database.connect({ application_name: 'the writer' });
    await writer.query('begin; insert into t values (1)');
    const source = openSource(database.url, { log: { slotTimeout: '500ms' } });
    const ref = log('public.t');
    await source.apply?.(await source.plan([ref], NEVER), NEVER);
    const [feed] = source.feeds([ref]);
    await expect(source.startCursor(feed!, [ref], NEVER)).rejects.toMatchObject({
      code: 'E_BUSY',
      message: expect.stringContaining('the writer'),
    });
    await writer.query('commit');
    await expect(source.startCursor(feed!, [ref], NEVER)).resolves.toMatchObject({ kind: 'log' });
    await source.close();
  });

  it('says what is missing, with the statements: privileges, identity, publication', async () => {
    const database = await createDatabase('log');
    const role = await createRole('reader');
    await database.query(`create table t (id int primary key); create table nokey (id int not null, v int); create unlogged table u (id int primary key);
      create view v as select 1 as id; grant select on all tables in schema public to ${role.name}`);
    const source: Source = openSource(role.url(database.url));
    const { streams } = await source.plan(
      [log('public.t'), log('public.nokey', { key: ['id'] }), log('public.u'), log('public.v', { key: ['id'] })],
      NEVER,
    );
    const said = streams.map(({ problems }) => problems.map(({ message }) => message).join('\n'));
    expect(said[0]).toMatch(/lacks REPLICATION[\s\S]*may not make publication/);
    expect(streams[0]?.problems.flatMap(({ statements = [] }) => statements)).toContain(`alter role "${role.name}" replication`);
    expect(said[1]).toMatch(/names rows that are updated or deleted by nothing/);
    expect(said[2]).toMatch(/UNLOGGED/);
    expect(said[3]).toMatch(/only tables are in the log/);
    await source.close();
  });

  it('which records are still to come can be seen without moving on', async () => {
    const ref = log('public.t');
    const { database } = await logged('create table t (id int primary key, v int)', [ref]);
    const source = openSource(database.url);
    await database.query('insert into t select n, 0 from generate_series(1, 5) n');
    const batches = await Array.fromAsync(source.fetchChanges(fetchRequest(source, ref)));
    await source.close();
    const other = openSource(database.url);
    const after = cursorAfter(batches);
    await database.query('update t set v = 1 where id = 2; delete from t where id = 3; insert into t values (6, 1)');
    const feed = other.feeds([ref])[0]!;
    const ask = () => other.undelivered!({ feed, stream: ref, after, keys: [[1], [2], [3], [6], [7]] }, NEVER);
    expect(await ask()).toEqual([false, true, true, true, false]);
    expect(await ask()).toEqual([false, true, true, true, false]);
    await other.release?.(feed, NEVER);
    await expect(ask()).rejects.toMatchObject({ code: 'E_POSITION_LOST' });
    expect(await database.query('select from pg_publication')).toEqual([]);
    await other.close();
  });
});
