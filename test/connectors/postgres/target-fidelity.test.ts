import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPostgresSource } from '../../../connectors/postgres/source.ts';
import { options } from '../../../connectors/postgres/options.ts';
import type { Lane, Source, StreamRef, Target, TargetStream } from '../../../src/sdk.ts';
import { keyNames } from '../../../src/sdk.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import { context, never, nothing, openOwnedLane, openTarget, prepare, streamOf } from './target-kit.ts';

/** Column definition → the values it must carry to the last digit. NULL is added to each. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  boolean: ['true', 'false'],
  smallint: ['-32768', '32767'],
  integer: ['-2147483648', '2147483647'],
  bigint: ['-9223372036854775808', '9007199254740993'],
  oid: ['4294967295'],
  numeric: ['1', '1.0', '1.00', '-0.000', '12345678901234567890.12345678901234567890', 'NaN', 'Infinity', '1e-30'],
  'numeric(10,2)': ['1.10', '-12345678.90'],
  real: ['0.1', '-0', 'NaN', 'Infinity', '1e-45', '3.4028235e38'],
  'double precision': ['0.1', '-0', 'NaN', '-Infinity', '5e-324', '1.7976931348623157e308', '0.30000000000000004'],
  money: ['12.34', '-0.01'],
  text: ['', ' ', '\\N', '\\.', '\t\n\r\\', "it's", 'ünïcødé 日本語 😀', '\u0001\u007f', 'NULL', '{"a"}', 'x'.repeat(300_000)],
  'character varying(5)': ['ab   ', '日本語😀x'],
  'character(4)': ['ab', 'abcd'],
  '"char"': ['a', ''],
  name: ['some name'],
  bytea: ['\\x', '\\x00ff5c0a27'],
  uuid: ['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'],
  date: ['2024-02-29', 'infinity', '-infinity', '0044-03-15 BC', '5874897-12-31'],
  'time without time zone': ['24:00:00', '00:00:00.000001'],
  'time(3) with time zone': ['23:59:59.123+05:30'],
  'timestamp without time zone': ['2026-03-08 02:30:00.123456', 'infinity', '0001-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999'],
  'timestamp with time zone': [
    '2026-11-24 10:00:00.123456+01',
    'infinity',
    '-infinity',
    '4713-01-01 00:00:00+00 BC',
    '294276-12-31 23:59:59.999999+00',
  ],
  interval: ['1 year 2 mons -3 days 04:05:06.789', '24 hours', '1 day', '-178000000 years'],
  'interval day to second(2)': ['1 day 02:03:04.56'],
  json: ['{"b": 1,  "a": 1, "a": 2}', '12345678901234567890.123', '"\\u0000"', 'null'],
  jsonb: ['{"b": 1, "a": 12345678901234567890.1230}', 'null', '"\\\\ \\" \\n"'],
  xml: ['<a b="1">&amp;</a>', ''],
  jsonpath: ['$."a"[*] ? (@ > 1)'],
  'bit(3)': ['101'],
  'bit varying(8)': ['10110', ''],
  inet: ['10.0.0.1/24', '::1'],
  cidr: ['10.0.0.0/8'],
  macaddr: ['08:00:2b:01:02:03'],
  tsvector: ["'a':1A 'b''c':2"],
  tsquery: ["'a' & !'b'"],
  point: ['(1.5,-2)', '(NaN,Infinity)'],
  line: ['{1,2,3}'],
  box: ['(3,4),(1,2)'],
  path: ['[(0,0),(1,1)]', '((0,0),(1,1))'],
  polygon: ['((0,0),(1,1),(2,0))'],
  circle: ['<(1,2),3>'],
  int4range: ['[1,5)', 'empty', '(,)'],
  tstzrange: ['["2026-01-01 00:00:00+00",)'],
  nummultirange: ['{[1.0,2.5),[3,4.00)}', '{}'],
  pg_lsn: ['16/B374D848'],
  'integer[]': ['{}', '{1,NULL,3}', '[2:3]={7,8}', '{{1,2},{3,4}}'],
  'numeric[]': ['{1.10,12345678901234567890.12345678901234567890,NaN}'],
  'text[]': ['{NULL,"NULL","a,b","q\\"q","b\\\\s","",{}}', '{"line\\nbreak"}'].slice(1),
  'timestamp with time zone[]': ['{"2026-11-24 10:00:00.123456+00",infinity}'],
  'jsonb[]': ['{"{\\"a\\": 1.10}",NULL}'],
  'box[]': ['{(1,1),(0,0);(3,3),(2,2)}'],
  'bytea[]': ['{"\\\\x00ff"}'],
  'odd."Mood x"': ["it's", 'sad', 'b\\s'],
  'odd."Mood x"[]': ['{"it\'s",sad}'],
  'odd.positive': ['7'],
  'odd.pair': ['(1.50,"a,b ""q""")', '(,)', '(1.0,)'],
  'odd.pair[]': ['{"(1.50,\\"a,b\\")",NULL}'],
};

const DEFINE = `create schema odd;
  create type odd."Mood x" as enum ('sad', 'it''s', E'b\\\\s');
  create domain odd.positive as numeric check (value > 0) not null;
  create type odd.pair as (n numeric, t text);`;

describeWithPostgres('Postgres to Postgres', () => {
  let from: TestDatabase;
  let to: TestDatabase;
  let source: Source;
  let target: Target;
  const columns = Object.keys(TYPES).map((type, index) => ({ name: `c${index}`, type }));

  beforeAll(async () => {
    [from, to] = await Promise.all([createDatabase('from'), createDatabase('to')]);
    source = openPostgresSource(options.parse({ url: from.url }), context);
    target = openTarget(to.url);
    await from.query(`${DEFINE} set timezone to 'Asia/Kolkata';
      create table everything (id int primary key, ${columns.map(({ name, type }) => `${name} ${type === 'odd.positive' ? `${type} default 1` : type}`).join(', ')})`);
    for (const [index, { name, type }] of columns.entries()) {
      for (const [at, value] of (TYPES[type] as readonly string[]).entries()) {
        await from.query(`insert into everything (id, ${name}) values ($1, $2)`, [index * 100 + at, value]);
      }
    }
    await from.query(`set timezone to 'UTC'`);
  });
  afterAll(async () => {
    await Promise.all([source.close(), target.close()]);
    await Promise.all([from.drop(), to.drop()]);
  });

  const refOf = (name: string): StreamRef => ({
    name,
    changes: { by: 'xmin' },
    key: ['id'],
    fields: null,
    except: [],
    maxRecordBytes: 2 ** 24,
  });
  const planned = async (name: string, given: Partial<TargetStream> = {}) => {
    const [plan] = (await source.plan([refOf(name)], never)).streams;
    return streamOf(plan!.shape, { stream: name, target: name, ...given });
  };
  const copyAll = async (stream: TargetStream, lane: Lane) => {
    const feed = { id: 'backfill', kind: 'backfill' as const, streams: [stream.stream] };
    const ref = { ...refOf(stream.stream), key: keyNames(stream.shape) };
    const batches = source.fetchChanges({
      feed,
      streams: [ref],
      after: null,
      forms: new Map(),
      batchRows: 1000,
      batchBytes: 2 ** 23,
      until: 'drain',
      signal: never,
    });
    for await (const batch of batches) {
      if (batch.records.count > 0) expect(await lane.bulkUpsert({ ...batch, stream: stream.stream }, never)).toEqual([]);
    }
    return (await lane.commit(nothing, never)).streams[stream.stream];
  };
  const contents = (database: TestDatabase) =>
    database.query(`select id, ${columns.map(({ name }) => `${name}::text`).join(', ')} from everything order by id`);

  it('carries every type to the last digit, with enums, domains, composites and ranges made in the target', async () => {
    const stream = await planned('public.everything');
    const plan = await prepare(target, [stream]);
    expect(plan.streams[0]?.problems).toEqual([]);
    const { lane } = await openOwnedLane(target, [stream], { job: 'types' });
    const total = Object.values(TYPES).flat().length;
    expect(await copyAll(stream, lane)).toMatchObject({ upserted: total, unchanged: 0 });
    expect(await contents(to)).toEqual(await contents(from));
    expect(await copyAll(stream, lane)).toMatchObject({ upserted: 0, unchanged: total });
    await lane.close();

    const types = (database: TestDatabase) =>
      database.query(
        `select attname, format_type(atttypid, atttypmod) as type, attnotnull from pg_attribute where attrelid = 'everything'::regclass and attnum > 0 order by attnum`,
      );
    expect(await types(to)).toEqual(await types(from));
    expect((await target.plan([stream], never)).streams[0]).toMatchObject({ statements: [], problems: [] });
  });

  it('takes a change of scale, of sign of zero or of white space in json as a change', async () => {
    await from.query(
      `create table subtle (id int primary key, n numeric, f float8, j json, d interval, p point); insert into subtle values (1, 1.0, 0, '[1]', '1 day', '(0,0)')`,
    );
    const stream = await planned('public.subtle');
    await prepare(target, [stream]);
    const { lane } = await openOwnedLane(target, [stream], { job: 'subtle' });
    await copyAll(stream, lane);
    for (const change of [`n = 1.00`, `f = '-0'`, `j = '[1 ]'`, `d = '24 hours'`, `p = '(-0,0)'`]) {
      await from.query(`update subtle set ${change}`);
      expect(await copyAll(stream, lane)).toMatchObject({ upserted: 1 });
      expect(await to.query('select *, n::text, f::text, j::text, d::text, p::text from subtle')).toEqual(
        await from.query('select *, n::text, f::text, j::text, d::text, p::text from subtle'),
      );
    }
    await lane.close();
  });

  it('adds the labels that an enum has gained, in their place', async () => {
    await from.query(
      `create type size as enum ('s', 'l'); create table sized (id int primary key, size size); insert into sized values (1, 's')`,
    );
    const first = await planned('public.sized');
    await prepare(target, [first]);
    await from.query(`alter type size add value 'm' after 's'; alter type size add value 'xs' before 's'`);
    await from.query(`insert into sized values (2, 'm'), (3, 'xs')`);
    const stream = await planned('public.sized');
    const plan = await prepare(target, [stream]);
    expect(plan.streams[0]?.statements).toHaveLength(2);
    const { lane } = await openOwnedLane(target, [stream], { job: 'sized' });
    await copyAll(stream, lane);
    await lane.close();
    expect(await to.query('select id, size::text from sized order by size')).toEqual(
      await from.query('select id, size::text from sized order by size'),
    );
    await from.query(`alter type size add value 'xxl'`);
    const [stopped] = (await target.plan([{ ...(await planned('public.sized')), drift: { ...stream.drift, retype: 'stop' } }], never))
      .streams;
    expect(stopped).toMatchObject({
      statements: [],
      problems: [{ code: 'E_DRIFT', statements: [`alter type "public"."size" add value if not exists 'xxl' after 'l'`] }],
    });
  });

  it('says that it cannot make a range type of the source', async () => {
    await from.query(`create type floats as range (subtype = float8); create table ranged (id int primary key, r floats)`);
    const [plan] = (await target.plan([await planned('public.ranged')], never)).streams;
    expect(plan?.problems).toMatchObject([{ severity: 'error', code: 'E_DRIFT' }]);
  });
});
