import { beforeAll, describe, expect, it } from 'vitest';
import type { Cell, DigestFields, RowDigests, StreamRef } from '../../../src/sdk.ts';
import { DIGEST_BUCKETS } from '../../../src/sdk.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import { NEVER, openSource, streamRef } from './source-kit.ts';
import { field, openTarget, shapeOf, streamOf } from './target-kit.ts';

/** Of each type: values that a comparison must tell apart, although some of them are equal to SQL, or nearly. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  smallint: ['0', '-1', '32767'],
  integer: ['0', '-1', '2147483647'],
  bigint: ['5', '4294967300', '-5', '9223372036854775807'],
  numeric: ['1.5', '1.6', '-1.5', '0', `'NaN'`, `'Infinity'`, '12345678901234567890.123456789'],
  'numeric(12,2)': ['1.50', '1.51'],
  real: ['0.1', '0.2', `'-0'`, '0', `'NaN'`],
  'double precision': ['0', `'-0'`, '0.1', '0.10000000000000002', '5e-324', `'NaN'`, `'Infinity'`],
  boolean: ['true', 'false'],
  text: [`''`, `' '`, `'a'`, `'a '`, `'A'`, `'ä'`, `'a\u0308'`, `'\\N'`, `'null'`, `'(,)'`, `repeat('x', 100000)`],
  'character varying(20)': [`''`, `'a'`, `'a '`],
  'character(4)': [`'a'`, `'b'`],
  date: [`'2026-11-24'`, `'2026-11-25'`, `'infinity'`, `'0044-03-15 BC'`],
  'time without time zone': [`'10:00:00.000001'`, `'10:00:00.000002'`, `'24:00:00'`, `'00:00:00'`],
  'time with time zone': [`'10:00+00'`, `'10:00+01'`, `'09:00+00'`],
  'timestamp without time zone': [`'2026-11-24 10:00:00.000001'`, `'2026-11-24 10:00:00.000002'`, `'infinity'`],
  'timestamp with time zone': [`'2026-11-24 10:00:00.000001+00'`, `'2026-11-24 10:00:00.000002+00'`, `'-infinity'`],
  interval: [`'1 month'`, `'30 days'`, `'720 hours'`, `'0'`],
  uuid: [`'00000000-0000-0000-0000-000000000000'`, `'00000000-0000-0000-0000-000000000001'`],
  bytea: [`''`, `'\\x00'`, `'\\x0000'`, `'\\xff'`],
  json: [`'{"a": 1}'`, `'{"a": 2}'`, `'null'`, `'[]'`],
  jsonb: [
    `'{"a": 1}'`,
    `'{"a": 2}'`,
    `'null'`,
    `(select jsonb_agg(i) from generate_series(1, 70) i)`,
    `(select jsonb_agg(case i when 1 then 65 when 65 then 1 else i end) from generate_series(1, 70) i)`,
  ],
  xml: [`'<a/>'`, `'<b/>'`],
  inet: [`'10.0.0.1'`, `'10.0.0.1/24'`],
  'bit varying': [`B'1'`, `B'10'`],
  point: [`'(0,1)'`, `'(-0,1)'`],
  int4range: [`'[1,5)'`, `'[1,6)'`, `'empty'`],
  'integer[]': [`'{}'`, `'{1,2}'`, `'{{1,2}}'`, `'{2,1}'`, `'{1,2,NULL}'`, `'[0:1]={1,2}'`],
  'double precision[]': [`'{0}'`, `'{-0}'`],
  'text[]': [`'{NULL}'`, `'{"NULL"}'`, `'{""}'`],
  mood: [`'sad'`, `'glad'`],
  positive: ['1', '2'],
  address: [`row('a', null)`, `row('a', 0)`, `row('a', '-0')`, `row('', null)`],
  'address[]': [`array[row('a', 1)::address]`, `array[row('a', 2)::address]`],
};

const TYPES = `create type mood as enum ('sad', 'glad'); create domain positive as bigint check (value > 0); create type address as (street text, height float8)`;

describeWithPostgres('hashing rows inside of PostgreSQL', () => {
  let left: TestDatabase;
  let right: TestDatabase;

  beforeAll(async () => {
    left = await createDatabase('left');
    right = await createDatabase('right');
    for (const database of [left, right]) await database.query(TYPES);
  });

  it('tells every value of every type from every other, NULL included, and agrees with another database', async () => {
    for (const [type, values] of Object.entries(VALUES)) {
      const name = `v_${type.replaceAll(/\W+/g, '_')}`;
      const selects = ['null', ...values].map((value) => `select 1 as id, ${value}::${type} as value`);
      // Every value under one key, so that nothing but the value differs.
      for (const database of [left, right]) await database.query(`create view ${name} as ${selects.join(' union all ')}`);
      const [one, other] = [hashesOf(await allRows(left, name)), hashesOf(await allRows(right, name))];
      expect({ type, hashes: other }).toEqual({ type, hashes: one });
      expect({ type, different: new Set(one).size }).toEqual({ type, different: values.length + 1 });
    }
  }, 60_000);

  it('sums in each bucket what it lists there', async () => {
    await left.query(
      `create table sums as select i as id, 'row ' || i as label from generate_series(1, 5000) i; alter table sums add primary key (id)`,
    );
    const digests = await digestsOf(left, streamRef('public.sums'), { fields: ['id', 'label'], keyCount: 1 });
    const expected = new Map<number, { count: number; sum: bigint }>();
    for (const { bucket, hash } of await Array.fromAsync(flat(digests, all()))) {
      const before = expected.get(bucket) ?? { count: 0, sum: 0n };
      expected.set(bucket, { count: before.count + 1, sum: BigInt.asUintN(64, before.sum + hash) });
    }
    const buckets = await Array.fromAsync(digests.buckets(DIGEST_BUCKETS, NEVER));
    expect(new Map(buckets.map(({ bucket, count, sum }) => [bucket, { count, sum }]))).toEqual(expected);
    const half = await Array.fromAsync(digests.buckets(30_000, NEVER));
    expect(half.toSorted(byBucket)).toEqual(buckets.filter(({ bucket }) => bucket < 30_000).toSorted(byBucket));
    const some = buckets.map(({ bucket }) => bucket).filter((bucket) => bucket % 7 === 0);
    expect(new Set((await Array.fromAsync(flat(digests, some))).map(({ bucket }) => bucket))).toEqual(new Set(some));
  });

  it('notices two rows of one bucket that exchanged a value', async () => {
    await left.query(`create table swapped as select i as id, i % 97 as value, 'x' as rest from generate_series(1, 4000) i`);
    const ref = streamRef('public.swapped');
    const fields = { fields: ['id', 'value', 'rest'], keyCount: 1 };
    const rows = await Array.fromAsync(flat(await digestsOf(left, ref, fields), all()));
    const crowded = [...Map.groupBy(rows, ({ bucket }) => bucket).values()].find((group) => group.length > 1) ?? expect.unreachable();
    const [a, b] = crowded.map(({ key }) => Number(key[0]));
    const before = await Array.fromAsync((await digestsOf(left, ref, fields)).buckets(DIGEST_BUCKETS, NEVER));
    await left.query(`update swapped set value = 1000 where id = ${a}; update swapped set value = 2000 where id = ${b}`);
    const between = await Array.fromAsync((await digestsOf(left, ref, fields)).buckets(DIGEST_BUCKETS, NEVER));
    await left.query(`update swapped set value = 2000 where id = ${a}; update swapped set value = 1000 where id = ${b}`);
    const after = await Array.fromAsync((await digestsOf(left, ref, fields)).buckets(DIGEST_BUCKETS, NEVER));
    const sumAt = (found: typeof before) => found.find(({ bucket }) => bucket === crowded[0]?.bucket)?.sum;
    expect(new Set([sumAt(before), sumAt(between), sumAt(after)]).size).toBe(3);
  });

  it('gives keys as the carriers that reads give, and takes composite keys of any type', async () => {
    await left.query(`create table keyed (at timestamptz, code text, n bigint, value text, primary key (at, code, n))`);
    await left.query(`insert into keyed values ('2026-11-24 10:00:00.000001+00', E'tab\\tnew\\nline\\\\', 9007199254740993, 'v')`);
    const digests = await digestsOf(left, streamRef('public.keyed'), { fields: ['at', 'code', 'n', 'value'], keyCount: 3 });
    const rows = await Array.fromAsync(flat(digests, all()));
    expect(rows.map(({ key }) => key)).toEqual([[1_795_514_400_000_001n, 'tab\tnew\nline\\', 9_007_199_254_740_993n]]);
  });

  it('hashes only what passes the filter, has a whole key and is not marked as deleted', async () => {
    await left.query(
      `create table marked (id int, value text, gone timestamptz); insert into marked values (1, 'a', null), (2, 'b', null), (null, 'a', null)`,
    );
    await left.query(`create view some_view as select * from marked`);
    const fields = { fields: ['id', 'value'], keyCount: 1 };
    expect((await allRows(left, 'some_view')).length).toBe(2);
    const where = await digestsOf(left, streamRef('public.some_view', { where: `value = 'a'` }), fields);
    expect((await Array.fromAsync(flat(where, all()))).map(({ key }) => key)).toEqual([[1]]);
    await left.query(
      `delete from marked where id is null; alter table marked add primary key (id); update marked set gone = now() where id = 1`,
    );
    const stream = streamOf(shapeOf([field('id', 'int32', { nullable: false }), field('value', 'text')]), {
      target: 'marked',
      onDelete: { mark: 'gone' },
    });
    const target = openTarget(left.url);
    const marked = (await target.digests?.(stream, fields, NEVER)) ?? expect.unreachable('no digests');
    expect((await Array.fromAsync(flat(marked, all()))).map(({ key }) => key)).toEqual([[2]]);
    await target.close();
  });

  it('hashes the same with and without workers', async () => {
    await left.query(`create table wide as select i as id, md5(i::text) as value from generate_series(1, 60000) i; analyze wide`);
    const found = [];
    for (const workers of [0, 4]) {
      await left.query(
        `alter database ${left.name} set max_parallel_workers_per_gather = ${workers}; alter database ${left.name} set min_parallel_table_scan_size = 0`,
      );
      const digests = await digestsOf(left, streamRef('public.wide'), { fields: ['id', 'value'], keyCount: 1 });
      found.push((await Array.fromAsync(digests.buckets(DIGEST_BUCKETS, NEVER))).toSorted(byBucket));
    }
    await left.query(`alter database ${left.name} reset all`);
    expect(found[1]).toEqual(found[0]);
  });

  it('does not hash what is written differently on other servers', async () => {
    await left.query(`create table priced (id int primary key, price money, kind regclass)`);
    const source = openSource(left.url);
    for (const name of ['price', 'kind'])
      expect(await source.digests?.(streamRef('public.priced'), { fields: ['id', name], keyCount: 1 }, NEVER)).toBeNull();
    await source.close();
    const target = openTarget(left.url);
    const absent = streamOf(shapeOf([field('id', 'int32')]), { target: 'nowhere' });
    expect(await target.digests?.(absent, { fields: ['id'], keyCount: 1 }, NEVER)).toBeNull();
    await target.close();
  });

  describe('notation', () => {
    const notationOf = async (type: string) => {
      const name = `n_${type.replaceAll(/\W+/g, '_')}`;
      await left.query(`create table ${name} (id ${type} primary key)`);
      return (await digestsOf(left, streamRef(`public.${name}`), { fields: ['id'], keyCount: 1 })).notation[0];
    };

    it('is one for types whose equal values are hashed equally', async () => {
      expect(await notationOf('smallint')).toBe(await notationOf('integer'));
      expect(await notationOf('text')).toBe(await notationOf('character varying(9)'));
      expect(await notationOf('numeric(9,2)')).toBe(await notationOf('numeric(12,2)'));
      expect(await notationOf('timestamp(3)')).toBe(await notationOf('timestamp'));
    });

    it('is another for types whose values are not', async () => {
      expect(await notationOf('bigint')).not.toBe(await notationOf('int'));
      expect(await notationOf('char(3)')).not.toBe(await notationOf('varchar(3)'));
      expect(await notationOf('timestamptz')).not.toBe(await notationOf('timestamp(6)'));
      expect(await notationOf('numeric(9,3)')).not.toBe(await notationOf('numeric'));
      expect(await notationOf('real')).not.toBe(await notationOf('double precision'));
    });
  });
});

function all(): number[] {
  return Array.from({ length: DIGEST_BUCKETS }, (_, bucket) => bucket);
}

function hashesOf(rows: readonly { readonly hash: bigint }[]): bigint[] {
  return rows.map(({ hash }) => hash).toSorted((a, b) => (a < b ? -1 : 1));
}

function byBucket(a: { readonly bucket: number }, b: { readonly bucket: number }): number {
  return a.bucket - b.bucket;
}

async function* flat(
  digests: RowDigests,
  buckets: readonly number[],
): AsyncGenerator<{ bucket: number; key: readonly Cell[]; hash: bigint }> {
  for await (const rows of digests.rows(buckets, NEVER)) yield* rows;
}

async function digestsOf(database: TestDatabase, ref: StreamRef, fields: DigestFields): Promise<RowDigests> {
  const source = openSource(database.url);
  return (await source.digests?.(ref, fields, NEVER)) ?? expect.unreachable('no digests');
}

async function allRows(database: TestDatabase, table: string) {
  return Array.fromAsync(flat(await digestsOf(database, streamRef(`public.${table}`), { fields: ['id', 'value'], keyCount: 1 }), all()));
}
