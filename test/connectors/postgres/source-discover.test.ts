import { beforeAll, expect, it } from 'vitest';
import type { StreamInfo, StreamRef } from '../../../src/sdk.ts';
import { createDatabase, createRole, describeWithPostgres } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import { NEVER, drainOnce, openSource, streamRef } from './source-kit.ts';

const SETUP = `
create table customers (id bigint generated always as identity primary key, updated_at timestamptz not null default now(), name text);
create index on customers (updated_at, id);
create table orders (id uuid primary key, customer bigint not null references customers, parent uuid references orders, created_at timestamptz not null default now());
create table no_key (a int, b text);
create table unique_only (a int not null, b text not null, c int, unique (a, b));
create unique index on unique_only (c);
create table logs (id bigserial, at timestamptz not null, primary key (id, at)) partition by range (at);
create table logs_2026 partition of logs for values from ('2026-01-01') to ('2027-01-01');
create view recent as select id, updated_at from customers;
create view nameless as select id, name from customers;
create materialized view totals as select customer, count(*) as n from orders group by customer;
create foreign data wrapper dummy; create server elsewhere foreign data wrapper dummy; create foreign table far (id int, updated_at timestamptz) server elsewhere;
create schema "Odd.Schema";
create table "Odd.Schema"."Tä""ble ." ("Id" int primary key, "a.b" text, "sel ect" text, updated_at timestamptz not null default now());
insert into "Odd.Schema"."Tä""ble ." values (1, 'x', 'y'), (2, '\\', E'\\t');
create extension pg_stat_statements;
insert into customers (name) select 'c' || i from generate_series(1, 10) i; analyze customers`;

describeWithPostgres('connectors: postgres, discover and plan', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase('discover');
    await database.query(SETUP);
  });

  async function discovered(url = database.url): Promise<ReadonlyMap<string, StreamInfo>> {
    const source = openSource(url);
    try {
      return new Map(
        (await source.discover(NEVER, [{ name: 'mine', query: `select 1::bigint as id, now() as updated_at, 'x'::varchar(5) as s` }])).map(
          (info) => [info.name, info],
        ),
      );
    } finally {
      await source.close();
    }
  }

  async function planned(ref: StreamRef, url = database.url) {
    const source = openSource(url);
    try {
      const { streams } = await source.plan([ref], NEVER);
      return streams[0] ?? expect.fail('no plan of the stream');
    } finally {
      await source.close();
    }
  }

  it('lists tables, views, foreign and partitioned tables, and neither partitions nor what belongs to extensions', async () => {
    expect([...(await discovered()).keys()].sort()).toEqual(
      [
        'public.customers',
        'public.orders',
        'public.no_key',
        'public.unique_only',
        'public.logs',
        'public.recent',
        'public.nameless',
        'public.totals',
        'public.far',
        'Odd\\.Schema.Tä"ble \\.',
        'mine',
      ].sort(),
    );
  });

  it('tells key, estimate, what a stream depends on, and the fields with their native types', async () => {
    const all = await discovered();
    const keyOf = (name: string) => all.get(name)?.shape.key.map((index) => all.get(name)?.shape.fields[index]?.name);
    expect([keyOf('public.customers'), keyOf('public.no_key'), keyOf('public.unique_only'), keyOf('public.logs')]).toEqual([
      ['id'],
      [],
      ['a', 'b'],
      ['id', 'at'],
    ]);
    expect(all.get('public.customers')?.rowEstimate).toBe(10);
    expect(all.get('public.orders')?.dependsOn).toEqual(['public.customers']);
    expect(all.get('mine')?.shape.fields.map(({ name, type, native }) => [name, type, native?.type])).toEqual([
      ['id', 'int64', 'bigint'],
      ['updated_at', 'timestamptz', 'timestamp with time zone'],
      ['s', 'text', 'character varying(5)'],
    ]);
  });

  it('offers a change column that is certain first, else xmin, for views only what is named like one, and to compare everything last', async () => {
    const all = await discovered();
    const offers = (name: string) => all.get(name)?.changes.map(({ by, fields }) => [by, ...(fields ?? [])].join(' '));
    expect(offers('public.customers')).toEqual(['cursor updated_at id', 'xmin', 'sequence id', 'log', 'snapshot']);
    expect(offers('public.orders')).toEqual(['xmin', 'cursor created_at', 'log', 'snapshot']);
    expect(offers('public.recent')).toEqual(['cursor updated_at', 'snapshot']);
    expect(offers('public.nameless')).toEqual(['snapshot']);
    expect(offers('public.totals')).toEqual(['xmin', 'snapshot']);
  });

  it('reads names that need quotes', async () => {
    const { rows } = await drainOnce(database.url, streamRef('Odd\\.Schema.Tä"ble \\.', { key: ['Id'] }));
    expect(rows.map(({ Id, 'a.b': ab, 'sel ect': select }) => [Id, ab, select])).toEqual([
      [1, 'x', 'y'],
      [2, '\\', '\t'],
    ]);
  });

  it('shows a role the fields that it may read, and no others', async () => {
    const role = await createRole('reader');
    await database.query(`grant select (id, updated_at) on customers to ${role.name}`);
    const url = role.url(database.url);
    const all = await discovered(url);
    const readable = [...all.values()].filter(({ name, shape }) => name !== 'mine' && shape.fields.length > 0);
    expect(readable.map(({ name }) => name)).toEqual(['public.customers']);
    expect(all.has('public.orders')).toBe(true);
    expect(all.get('public.customers')?.shape.fields.map((field) => field.name)).toEqual(['id', 'updated_at']);
    expect((await planned(streamRef('public.customers'), url)).problems).toMatchObject([
      { severity: 'error', code: 'E_ACCESS', message: expect.stringContaining('name') as string },
    ]);
    const { rows } = await drainOnce(url, streamRef('public.customers', { except: ['name'] }));
    expect(rows).toHaveLength(10);
  });

  it('has nothing to say against a stream that is as it should be', async () => {
    const plan = await planned(streamRef('public.customers'));
    expect(plan.problems).toEqual([]);
    expect(plan.guarantee).toMatchObject({ lateCommits: 'delivered', deletes: 'never' });
    expect(plan.guarantee.assumes[0]).toBe('every write to public.customers sets public.customers.updated_at');
  });

  it.each<[string, string, StreamRef]>([
    ['a stream that is not there, with those that are', 'E_STREAM_UNKNOWN', streamRef('public.custmers')],
    [
      'a cursor column that is not there, with those that are',
      'E_STREAM_UNKNOWN',
      streamRef('public.customers', { changes: { by: 'cursor', field: 'changed' } }),
    ],
    ['a stream without a key', 'E_STREAM_KEY', streamRef('public.no_key', { key: [], changes: { by: 'xmin' } })],
    ['xmin of a view', 'E_CHANGES_UNSUPPORTED', streamRef('public.recent', { changes: { by: 'xmin' } })],
    ['a cursor without a column', 'E_CHANGES_UNSUPPORTED', streamRef('public.customers', { changes: { by: 'cursor' } })],
    ['a method that is not offered', 'E_CHANGES_UNSUPPORTED', streamRef('public.customers', { changes: { by: 'push' } })],
    ['a query that is no SQL', 'E_CONFIG_INVALID', streamRef('mine', { query: 'selec 1' })],
    ['a query of a table that is not there', 'E_CONFIG_INVALID', streamRef('mine', { query: 'select * from nowhere' })],
    [
      'a query with two columns of one name',
      'E_CONFIG_INVALID',
      streamRef('mine', { query: 'select 1 as id, 2 as id, now() as updated_at' }),
    ],
  ])('refuses %s', async (_, code, ref) => {
    const plan = await planned(ref);
    expect(plan.problems.find((problem) => problem.severity === 'error')).toMatchObject({ code });
  });

  it('names the columns there are beside the one that is not', async () => {
    const [problem] = (await planned(streamRef('public.customers', { changes: { by: 'cursor', field: 'changed' } }))).problems;
    expect(problem?.message).toBe("Stream 'public.customers' has no cursor column 'changed'. Columns: id, updated_at, name.");
  });

  it('warns of a missing index with the statement that makes it', async () => {
    const plan = await planned(streamRef('public.orders', { changes: { by: 'cursor', field: 'created_at' } }));
    expect(plan.problems).toMatchObject([
      { severity: 'warning', code: 'E_CHANGES_SLOW', statements: ['create index concurrently on "public"."orders" ("created_at", "id")'] },
    ]);
  });

  it('warns of stamps that are NULL, infinite or in the future, and counts them', async () => {
    await database.query(
      `create table odd (id int primary key, updated_at timestamptz); create index on odd (updated_at, id); insert into odd values (1, null), (2, null), (3, 'infinity'), (4, '2099-01-01'), (5, now())`,
    );
    const { problems } = await planned(streamRef('public.odd'));
    expect(problems.map(({ code }) => code)).toEqual(['E_CHANGES_SLOW', 'E_CHANGES_LIMITED', 'E_CHANGES_LIMITED']);
    const messages = problems.map((problem) => problem.message);
    expect(messages).toEqual([
      expect.stringMatching(/^2 rows .* have no updated_at/),
      expect.stringMatching(/^1 row .* infinite updated_at/),
      expect.stringMatching(/^1 row .* in the future/),
    ]);
  });

  it('warns of a counter that is handed out ahead, and then loses nothing by looking at everything', async () => {
    await database.query(`create sequence ahead cache 50; create table drawn (id bigint primary key default nextval('ahead'), v text)`);
    const ref = streamRef('public.drawn', { changes: { by: 'sequence', field: 'id' } });
    expect((await planned(ref)).problems).toMatchObject([
      {
        severity: 'warning',
        code: 'E_CHANGES_SLOW',
        message: expect.stringContaining('CACHE') as string,
        statements: ['alter sequence "public"."ahead" cache 1'],
      },
    ]);
    const [one, two] = [await database.connect(), await database.connect()];
    for (const client of [one, two]) await client.query(`insert into drawn default values`);
    const first = await drainOnce(database.url, ref);
    const second = await drainOnce(database.url, ref, { after: first.cursor });
    await one.query(`insert into drawn default values`);
    const { rows } = await drainOnce(database.url, ref, { after: second.cursor });
    expect(rows.map((row) => row['id'])).toEqual([2n]);
  });

  it('names the data by its cluster and database, whatever the role', async () => {
    const role = await createRole('identity');
    const [mine, theirs, other] = [
      openSource(database.url),
      openSource(role.url(database.url)),
      openSource((await createDatabase('other')).url),
    ];
    const identities = await Promise.all([mine, theirs, other].map((source) => source.identity(NEVER)));
    expect(identities[0]).toBe(identities[1]);
    expect(identities[0]).not.toBe(identities[2]);
    await Promise.all([mine, theirs, other].map((source) => source.close()));
  });
});
