import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Field, Target, TargetStream } from '../../../src/sdk.ts';
import { createDatabase, createRole, describeWithPostgres } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import { acquireRequest, batchOf, field, never, nothing, openOwnedLane, openTarget, prepare, shapeOf, streamOf } from './target-kit.ts';

describeWithPostgres('the plan of the postgres target', () => {
  let database: TestDatabase;
  let target: Target;

  beforeEach(async () => {
    database = await createDatabase('plan');
    target = openTarget(database.url);
  });
  afterEach(async () => {
    await target.close();
    await database.drop();
  });

  const id = field('id', 'int64', { nullable: false, native: 'bigint' });
  const withFields = (fields: readonly Field[], given: Partial<TargetStream> = {}) => streamOf(shapeOf([id, ...fields]), given);
  const planOf = async (stream: TargetStream) => (await target.plan([stream], never)).streams[0]!;
  const codes = async (stream: TargetStream) =>
    (await planOf(stream)).problems.filter(({ severity }) => severity === 'error').map(({ code }) => code);
  const columnType = async (name: string) => {
    const rows = await database.query(
      `select format_type(atttypid, atttypmod) as type from pg_attribute where attrelid = 'dst'::regclass and attname = $1`,
      [name],
    );
    return rows[0]?.['type'] as string | undefined;
  };

  it('makes schema and table by logical types where the source is another system', async () => {
    const stream = streamOf(
      shapeOf(
        [
          field('a', 'text', { nullable: false }),
          field('b', 'int32', { nullable: false }),
          field('c', { list: 'decimal' }),
          field('d', { struct: [] }),
          field('e', 'variant'),
        ],
        [1, 0],
      ),
      { target: 'Archive.odd\\.name' },
    );
    expect((await planOf(stream)).statements).toEqual([
      'create schema if not exists "Archive"',
      'create table if not exists "Archive"."odd.name" ("a" text not null, "b" integer not null, "c" numeric[], "d" jsonb, "e" jsonb, primary key ("b", "a"))',
    ]);
    await prepare(target, [stream]);
    expect(await planOf(stream)).toMatchObject({ statements: [], problems: [], creates: false });
  });

  it('reads only, and applies twice and at the same time', async () => {
    const stream = withFields(
      [
        field('mood', 'text', {
          native: 'odd.mood',
          define: ['create schema if not exists "odd"', `create type "odd"."mood" as enum ('a')`],
        }),
      ],
      { target: 's.t' },
    );
    const plan = await target.plan([stream], never);
    expect(await database.query(`select from pg_namespace where nspname in ('s', 'odd', 'trueup')`)).toEqual([]);
    const others = [1, 2, 3].map(() => openTarget(database.url));
    await Promise.all(others.map((other) => other.apply(plan, never)));
    await target.apply(plan, never);
    expect(await planOf(stream)).toMatchObject({ statements: [], problems: [] });
    await Promise.all(others.map((other) => other.close()));
  });

  it('adds a column that the stream has gained, leaves it out, or stops, as the policy says', async () => {
    await database.query('create table dst (id bigint primary key)');
    const gained = withFields([field('note', 'text')]);
    const drift = { add: 'stop', drop: 'keep', retype: 'widen' } as const;
    expect((await planOf({ ...gained, drift })).problems).toMatchObject([
      { code: 'E_DRIFT', statements: ['alter table "public"."dst" add column if not exists "note" text'] },
    ]);
    const ignoring = { ...gained, drift: { ...drift, add: 'ignore' } } as const;
    expect(await planOf(ignoring)).toMatchObject({
      problems: [],
      statements: [],
      fields: [{ name: 'id' }, { name: 'note', ignored: true }],
    });
    const { lane } = await openOwnedLane(target, [ignoring]);
    await lane.bulkUpsert(batchOf(ignoring, [[1n, 'left out']]), never);
    await lane.commit(nothing, never);
    await lane.close();
    await prepare(target, [gained]);
    expect(await columnType('note')).toBe('text');
    expect(await database.query('select id::int, note from dst')).toEqual([{ id: 1, note: null }]);
  });

  it.each([
    ['integer', 'bigint', 'int64'],
    ['character varying(10)', 'character varying(20)', 'text'],
    ['character varying(10)', 'text', 'text'],
    ['numeric(10,2)', 'numeric(12,4)', 'decimal'],
    ['numeric(10,2)', 'numeric', 'decimal'],
    ['real', 'double precision', 'float64'],
    ['timestamp(3) without time zone', 'timestamp without time zone', 'timestamp'],
  ] as const)('widens %s to %s', async (narrow, wide, type) => {
    await database.query(`create table dst (id bigint primary key, v ${narrow})`);
    const stream = withFields([field('v', type, { native: wide })]);
    const stopping = await planOf({ ...stream, drift: { add: 'evolve', drop: 'keep', retype: 'stop' } });
    expect(stopping.problems).toMatchObject([{ severity: 'error', code: 'E_DRIFT' }]);
    await prepare(target, [stream]);
    expect(await columnType('v')).toBe(wide);
  });

  it.each([
    ['numeric(10,2)', 'numeric(10,4)', 'decimal'],
    ['text', 'character varying(5)', 'text', 'fits'],
    ['bigint', 'integer', 'int32', 'fits'],
    ['integer', 'text', 'text'],
    ['integer', 'numeric(10,2)', 'decimal'],
    ['boolean', 'integer', 'int32'],
    ['jsonb', 'json', 'json'],
    ['json', 'jsonb', 'json', 'fits'],
    ['text', 'inet', 'unknown', 'fits'],
    ['inet', 'text', 'text'],
    ['cidr', 'inet', 'unknown'],
    ['name', 'text', 'text'],
    ['timestamp without time zone', 'timestamp with time zone', 'timestamptz'],
  ] as const)('looks whether a column of %s holds every %s', async (column, native, type, fits?: string) => {
    await database.query(`create table dst (id bigint primary key, v ${column})`);
    expect(await codes(withFields([field('v', type, { native })]))).toEqual(fits === undefined ? ['E_DRIFT'] : []);
  });

  it('converts where a policy says what may be lost, and counts it', async () => {
    await database.query(`create table dst (id bigint primary key, price numeric(10,1), tag varchar(3), day date)`);
    const stream = withFields([field('price', 'decimal'), field('tag', 'text'), field('day', 'text')], {
      onLoss: ['error', 'truncate', 'null', 'error'],
    });
    const plan = await planOf(stream);
    expect(plan.problems).toEqual([]);
    expect(plan.fields.map(({ loss }) => loss)).toEqual([
      undefined,
      'digits beyond a scale of 1: truncate',
      'more than 3 characters: null',
      expect.stringContaining('error'),
    ]);
    const { lane } = await openOwnedLane(target, [stream]);
    const faults = await lane.bulkUpsert(
      batchOf(stream, [
        [1n, '1.19', 'abcd', '2026-01-02'],
        [2n, '1.10', '😀😀😀', null],
        [3n, '1', 'x', 'no day'],
      ]),
      never,
    );
    expect(faults).toMatchObject([{ index: 2, code: 'E_RECORD_VALUE' }]);
    const result = await lane.commit(nothing, never);
    expect(result.conversions).toEqual([
      { stream: 'src', field: 'price', kind: 'truncated', count: 1 },
      { stream: 'src', field: 'tag', kind: 'null', count: 1 },
    ]);
    expect(await database.query('select id::int, price::text, tag, day::text from dst order by id')).toEqual([
      { id: 1, price: '1.1', tag: null, day: '2026-01-02' },
      { id: 2, price: '1.1', tag: '😀😀😀', day: null },
    ]);
    await lane.close();
  });

  it('refuses values one by one that Postgres would cut or round silently', async () => {
    await database.query(
      `create table dst (id bigint primary key, v varchar(3), n numeric(5,1), r real, t timestamp(0), a numeric(3,0)[])`,
    );
    const stream = withFields([
      field('v', 'text'),
      field('n', 'decimal'),
      field('r', 'float64'),
      field('t', 'timestamp'),
      field('a', { list: 'decimal' }),
    ]);
    expect(await codes(stream)).toEqual([]);
    const { lane } = await openOwnedLane(target, [stream]);
    const faults = await lane.bulkUpsert(
      batchOf(stream, [
        [1n, 'ab    ', '1', 0, null, null],
        [2n, 'abc', '1.05', 0, null, null],
        [3n, 'abc', '1.50', 0.1, '2026-01-01 00:00:00.0', ['1.0', null]],
        [4n, 'abc', '1', 0.123456789123, null, null],
        [5n, 'abc', '1', 1, '2026-01-01 00:00:00.5', null],
        [6n, 'abc', '1', 1, null, ['1.5']],
      ]),
      never,
    );
    expect(faults.map(({ index, code }) => [index, code])).toEqual([0, 1, 3, 4, 5].map((index) => [index, 'E_RECORD_LOSS']));
    await lane.commit(nothing, never);
    expect(await database.query('select id::int from dst')).toEqual([{ id: 3 }]);
    await lane.close();
  });

  it('names columns that no field fills, when they must be filled or the policy is strict', async () => {
    await database.query(
      `create table dst (id bigint primary key, must text not null, may text, made int generated always as (1) stored, n int generated always as identity, d text not null default 'x')`,
    );
    expect((await planOf(withFields([]))).problems).toMatchObject([
      { code: 'E_DRIFT', statements: ['alter table "public"."dst" alter column "must" drop not null'] },
    ]);
    await database.query(`alter table dst alter must drop not null`);
    expect(await codes(withFields([]))).toEqual([]);
    expect(await codes(withFields([], { drift: { add: 'evolve', drop: 'stop', retype: 'widen' } }))).toEqual([
      'E_DRIFT',
      'E_DRIFT',
      'E_DRIFT',
    ]);
  });

  it('leaves generated columns to the target, and writes identity columns as they are', async () => {
    await database.query(
      `create table dst (id bigint generated always as identity primary key, n int, double int generated always as (n * 2) stored)`,
    );
    const stream = withFields([field('n', 'int32'), field('double', 'int32')]);
    expect((await planOf(stream)).problems).toMatchObject([{ severity: 'warning' }]);
    const { lane } = await openOwnedLane(target, [stream]);
    for (const n of [4, 5]) await lane.bulkUpsert(batchOf(stream, [[7n, n, 999]]), never);
    await lane.commit(nothing, never);
    expect(await database.query('select id::int, n, double from dst')).toEqual([{ id: 7, n: 5, double: 10 }]);
    await lane.close();
    await database.query(`alter table dst add other int generated always as identity`);
    expect(await codes(withFields([field('other', 'int32')]))).toEqual(['E_DRIFT']);
  });

  describe('the key', () => {
    it('gets a unique index where the table has none, even after an attempt that failed', async () => {
      await database.query(`create table dst (id bigint not null, name text); insert into dst values (1, 'a'), (1, 'b')`);
      const stream = withFields([field('name', 'text')]);
      await expect(prepare(target, [stream])).rejects.toMatchObject({ code: 'E_DRIFT' });
      await database.query(`delete from dst where name = 'b'`);
      const plan = await prepare(target, [stream]);
      expect(plan.streams[0]?.statements).toEqual([
        'drop index concurrently if exists "public"."dst_id_trueup_key"',
        'create unique index concurrently if not exists "dst_id_trueup_key" on "public"."dst" ("id")',
      ]);
      const { lane } = await openOwnedLane(target, [stream]);
      await lane.bulkUpsert(batchOf(stream, [[1n, 'c']]), never);
      await lane.commit(nothing, never);
      expect(await database.query('select name from dst')).toEqual([{ name: 'c' }]);
      await lane.close();
    });

    it.each([
      'create unique index on dst (id) where name is not null',
      'alter table dst add unique (id) deferrable',
      'create unique index on dst ((id + 0))',
    ])('is not served by "%s"', async (index) => {
      await database.query(`create table dst (id bigint not null, name text); ${index}`);
      expect((await planOf(withFields([field('name', 'text')]))).statements).toHaveLength(1);
    });

    it('works in a partitioned table, in any order of columns', async () => {
      await database.query(
        `create table dst (a text, id bigint, n int, primary key (id, a)) partition by list (a); create table dst_x partition of dst for values in ('x'); create table dst_rest partition of dst default`,
      );
      const stream = streamOf(
        shapeOf([field('a', 'text', { nullable: false }), field('id', 'int64', { nullable: false }), field('n', 'int32')], [0, 1]),
      );
      expect(await planOf(stream)).toMatchObject({ statements: [], problems: [] });
      const { lane } = await openOwnedLane(target, [stream]);
      await lane.bulkUpsert(
        batchOf(stream, [
          ['x', 1n, 1],
          ['y', 1n, 1],
        ]),
        never,
      );
      await lane.bulkUpsert(
        batchOf(stream, [
          ['x', 1n, 2],
          ['y', 1n, 1],
        ]),
        never,
      );
      expect((await lane.commit(nothing, never)).streams['src']).toMatchObject({ upserted: 3, unchanged: 1 });
      await lane.close();
    });

    it('must be there, and in a table', async () => {
      expect(await codes(streamOf(shapeOf([field('a', 'text')], [])))).toEqual(['E_STREAM_KEY']);
      await database.query('create table dst (other int); create view v as select 1 as id');
      expect(await codes(withFields([]))).toEqual(['E_DRIFT']);
      expect(await codes(withFields([], { target: 'v' }))).toEqual(['E_DRIFT']);
    });
  });

  it('refuses names that Postgres would cut, system columns, a guard that is not mapped and a mark of another type', async () => {
    expect(await codes(withFields([field('x'.repeat(64), 'text')]))).toEqual(['E_MAPPING_INVALID']);
    expect(await codes(withFields([field('ctid', 'text')]))).toEqual(['E_MAPPING_INVALID']);
    expect(await codes(withFields([], { guard: 'seen' }))).toEqual(['E_MAPPING_INVALID']);
    expect(await codes(withFields([], { target: 'a.b.c' }))).toEqual(['E_CONFIG_INVALID']);
    await database.query('create table dst (id bigint primary key, gone int)');
    expect(await codes(withFields([], { onDelete: { mark: 'gone' } }))).toEqual(['E_DRIFT']);
  });

  it('refuses an unlogged table, which a crash would empty behind the checkpoint', async () => {
    await database.query('create unlogged table dst (id bigint primary key)');
    expect(await codes(withFields([]))).toEqual(['E_DRIFT']);
  });

  it('orders streams by the foreign keys between their tables', async () => {
    await database.query(
      'create table a (id bigint primary key, up bigint references a); create table b (id bigint primary key, a bigint references a)',
    );
    const streams = ['a', 'b'].map((name) =>
      withFields([field(name === 'a' ? 'up' : 'a', 'int64')], { stream: `source.${name}`, target: name }),
    );
    expect((await target.plan(streams, never)).streams.map(({ dependsOn }) => dependsOn)).toEqual([[], ['source.a']]);
  });

  describe('for a role without privileges', () => {
    it('names what is lacking with the statements for an administrator, and works after them', async () => {
      const role = await createRole('writer');
      await database.query(
        `revoke all on schema public from public; revoke temporary on database ${database.name} from public; create table dst (id bigint primary key, name text)`,
      );
      const restricted = openTarget(role.url(database.url));
      const streams = [
        withFields([field('name', 'text')]),
        withFields([], { stream: 'two', target: 'fresh.two' }),
        withFields([], { stream: 'three', target: 'public.three' }),
      ];
      const mend = async () => {
        const plan = await restricted.plan(streams, never);
        const problems = [...plan.streams.flatMap((stream) => stream.problems), ...(plan.checkpointProblems ?? [])];
        for (const problem of problems)
          expect(problem).toMatchObject({ severity: 'error', code: 'E_ACCESS', statements: expect.arrayContaining([expect.any(String)]) });
        for (const statement of new Set(problems.flatMap(({ statements }) => statements ?? []))) await database.query(statement);
        return problems.length;
      };
      const refused = await restricted.checkpoints?.acquire(acquireRequest(), never).catch((error: unknown) => error);
      expect(refused).toMatchObject({
        code: 'E_ACCESS',
        details: {
          statements: [`create schema "trueup" authorization "${role.name}"`],
          hint: expect.stringContaining('checkpoints: state'),
        },
      });
      let rounds = 0;
      while ((await mend()) > 0) expect(++rounds).toBeLessThan(5);
      expect(rounds).toBeGreaterThan(0);
      await prepare(restricted, streams);
      const { lane } = await openOwnedLane(restricted, streams);
      await lane.bulkUpsert(batchOf(streams[0]!, [[1n, 'a']]), never);
      await lane.commit(nothing, never);
      await lane.close();
      expect(await database.query('select name from dst')).toEqual([{ name: 'a' }]);
      await restricted.close();
    });

    it('hands the statements for a table of another owner over, and runs none', async () => {
      const role = await createRole('writer');
      await database.query(`create table dst (id bigint primary key); grant all on dst to ${role.name}`);
      const restricted = openTarget(role.url(database.url));
      const [plan] = (await restricted.plan([withFields([field('name', 'text')])], never)).streams;
      expect(plan).toMatchObject({
        statements: [],
        problems: [{ code: 'E_ACCESS', statements: ['alter table "public"."dst" add column if not exists "name" text'] }],
      });
      await restricted.close();
    });
  });
});
