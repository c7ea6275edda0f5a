import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import type { TestDatabase } from '../servers/postgres.ts';
import { openScenario, ranOf } from './scenario.ts';

/** Column type → SQL expressions of the values that must arrive to the last digit. Each stands in a row of its own; the other columns are NULL. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  bool: ['true', 'false'],
  int2: [`'-32768'`, '32767'],
  int4: [`'-2147483648'`, '2147483647'],
  int8: [`'-9223372036854775808'`, '9223372036854775807', '9007199254740993'],
  numeric: [`'NaN'`, `'-Infinity'`, `'1.000'`, `repeat('9', 1000)::numeric + 0.${'0'.repeat(200)}7`, '1e-400', `'-0.00'`],
  'numeric(7,-2)': ['12300'],
  real: [`'NaN'`, `'-Infinity'`, `'-0'`, `'1e-45'`, `'0.1'`],
  float8: [`'NaN'`, `'Infinity'`, `'-0'`, `'5e-324'`, '0.1::float8 + 0.2::float8', `'-1.7976931348623157e308'`],
  text: [
    `''`,
    String.raw`E'\\N'`,
    String.raw`E'\\.'`,
    String.raw`E'tab\tline\nreturn\rslash\\quote\'"'`,
    `'NULL'`,
    `'Ünïcødé 日本語 👩‍👩‍👧 e' || U&'\\0301' || U&'\\FEFF\\202E\\2028'`,
    `(select string_agg(chr(n), '') from generate_series(1, 159) as n)`,
    `repeat('ab' || chr(9), 200000)`,
  ],
  'varchar(4)': [`'日本👩x'`, `'a   '`],
  'char(6)': [`'ab'`, `''`],
  '"char"': [`'x'`],
  citext: [`'MiXed'`],
  bytea: [String.raw`'\x'`, `decode('000a0d5c09ff', 'hex')`, `decode(repeat('00ff', 50000), 'hex')`],
  uuid: [`'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11'`],
  date: [`'infinity'`, `'-infinity'`, `'4713-01-01 BC'`, `'5874897-12-31'`, `'2024-02-29'`],
  timestamp: [`'infinity'`, `'4713-01-01 00:00:00 BC'`, `'294276-12-31 23:59:59.999999'`, `'2026-03-08 02:30:00.000001'`],
  timestamptz: [`'-infinity'`, `'4714-11-24 00:00:00+00 BC'`, `'294276-12-31 23:59:59.999999+00'`, `'1969-12-31 23:59:59.999999+00'`],
  'timestamptz(2)': [`'2026-11-24 10:00:00.99+05:45'`],
  time: [`'24:00:00'`, `'23:59:59.999999'`],
  timetz: [`'24:00:00-15:59'`, `'00:00:00.000001+05:30'`],
  interval: [`'1 year -2 mons 3 days -04:05:06.789001'`, `'24 hours'`, `'1 day'`, `'infinity'`, `'0'`],
  json: [`'{"a": 1,  "b": [ ], "a": 2}'`, `'12345678901234567890.1234567890'`, String.raw`'"\u0000 \ud83d"'`, `'null'`],
  jsonb: [`'{"a": 12345678901234567890.12345678901234567890}'`, `'1e2000'`, String.raw`'"\" \\ \u001f 👩"'`, `'null'`],
  jsonpath: [`'$.a[*] ? (@.b > 1)'`],
  xml: [`'<?xml version="1.0"?><a b="c">&lt;é</a>'`, `'a<b/>'`],
  'bit(5)': [`B'10101'`],
  varbit: [`B''`, `B'1011'`],
  inet: [`'10.1.2.3/8'`, `'::ffff:1.2.3.4'`],
  cidr: [`'2001:db8::/32'`],
  macaddr: [`'08:00:2b:01:02:03'`],
  macaddr8: [`'08:00:2b:01:02:03:04:05'`],
  money: [`'-12345.67'`],
  tsvector: [`$$'a':1A,3 'it''s':2B$$`],
  tsquery: [`$$'a' <2> 'b':*A | !'c'$$`],
  point: [`'(-0,1e-300)'`],
  polygon: [`'((0,0),(1,1),(2,0.1))'`],
  circle: [`'<(1,2),0.5>'`],
  pg_lsn: [`'16/B374D848'`],
  xid8: [`'18446744073709551615'`],
  hstore: [String.raw`'"a b"=>"c\"d", e=>NULL'`],
  ltree: [`'top.a_1.b'`],
  int4range: [`'empty'`, `'(,5]'`],
  numrange: [`'[1.10,2.0)'`],
  tstzrange: [`'(-infinity,"2026-01-01 00:00:00.123456+00"]'`],
  datemultirange: [`'{[2026-01-01,2026-02-01),[2026-03-01,infinity)}'`],
  'text[]': [String.raw`'{NULL,"NULL","a,b","{}","q\"\\",""}'`, `array[E'line\nbreak\ttab', '\\N']`, `'{}'`, `'{{a,b},{c,NULL}}'`],
  'int4[]': [`'[-2:0]={7,NULL,9}'`, `'{{{1},{2}}}'`],
  'numeric[]': [`'{1.10,12345678901234567890.12345678901234567890,NaN}'`],
  'bytea[]': [String.raw`array['\x00'::bytea, '\x5c']`],
  'json[]': [String.raw`array['{"a":  1}'::json]`],
  'tstzrange[]': [`array[tstzrange('2026-01-01 00:00+00', null)]`],
  'odd."Mood, x"': [`'it''s'`, `'"q"'`, String.raw`E'back\\slash'`],
  'odd."Mood, x"[]': [`array['it''s', '"q"']::odd."Mood, x"[]`],
  'odd.percent': ['99.5'],
  'odd."Pair"': [`row(1.50, E'a,"b"\\n')`, `row(null, '')`, `row(null, null)`],
  'odd."Pair"[]': [`array[row(1.0, 'x,y')::odd."Pair", null]`],
};
const COLUMNS = Object.keys(TYPES).map((type, index) => ({ name: `c${index}`, type }));

/** Extensions, schema, enum, domain and composite are made in the target by the first run. */
const DEFINE = `create extension hstore; create extension ltree; create extension citext; create schema odd; create type odd."Mood, x" as enum ('it''s', '"q"', E'back\\\\slash');
  create domain odd.percent as numeric(5,2) check (value between 0 and 100); create type odd."Pair" as (n numeric, "the text" text);`;

async function createEverything(source: TestDatabase): Promise<number> {
  await source.query(`${DEFINE} set timezone to 'Asia/Kathmandu'; set datestyle to 'German';
    create table public.everything (id int primary key, ${COLUMNS.map(({ name, type }) => `${name} ${type}`).join(', ')})`);
  let id = 0;
  const rows = COLUMNS.flatMap(({ name, type }) =>
    (TYPES[type] ?? []).map((value) => `insert into public.everything (id, ${name}) values (${(id += 1)}, ${value})`),
  );
  await source.query(rows.join(';\n'));
  await source.query(`create table public.made (
      id int generated always as identity primary key, at timestamptz not null default now(), first text not null, last text collate "C",
      full_name text generated always as (first || coalesce(last, '')) stored, n int generated by default as identity);
    insert into public.made (first, last) values ('Ada', 'L'), ('Bo', null)`);
  return id;
}

/** Every value as the server's text, sorted by key; both sides in the same session settings. */
async function contents(database: TestDatabase, table: string, columns: readonly string[]): Promise<unknown[]> {
  await database.query(`set timezone to 'UTC'; set datestyle to 'ISO'`);
  return database.query(`select id, ${columns.map((name) => `${name}::text`).join(', ')} from public.${table} order by id`);
}

const nativeTypes = (database: TestDatabase, table: string): Promise<unknown[]> =>
  database.query(
    `select attname, format_type(atttypid, atttypmod) as type, attnotnull from pg_attribute where attrelid = '${table}'::regclass and attnum > 0 order by attnum`,
  );

describeWithPostgres('every type of Postgres, through the command', () => {
  it('arrives to the last digit, in columns of its own type, and a second look finds nothing to write', { timeout: 120_000 }, async () => {
    const scenario = await openScenario();
    const rows = await createEverything(scenario.source);
    await scenario.jobs(
      `\n  all:\n    source: shop\n    target: copy\n    require: { fidelity: exact }\n    streams: [{ from: "public.*" }]\n`,
    );

    const first = await scenario.run();
    expect(first.code).toBe(0);
    expect(first.stream('public.everything')).toMatchObject({ upserted: rows, deadLettered: 0 });
    expect(first.stream('public.everything').conversions ?? []).toEqual([]);
    for (const { name, type } of COLUMNS)
      expect({ type, rows: await contents(scenario.target, 'everything', [name]) }).toEqual({
        type,
        rows: await contents(scenario.source, 'everything', [name]),
      });
    expect(await nativeTypes(scenario.target, 'public.everything')).toEqual(await nativeTypes(scenario.source, 'public.everything'));
    expect(await contents(scenario.target, 'made', ['at', 'first', 'last', 'full_name', 'n'])).toEqual(
      await contents(scenario.source, 'made', ['at', 'first', 'last', 'full_name', 'n']),
    );
    expect(await nativeTypes(scenario.target, 'public.made')).toEqual(await nativeTypes(scenario.source, 'public.made'));

    const again = await scenario.run();
    expect(again.stream('public.everything')).toMatchObject({ upserted: 0, deadLettered: 0 });
    const full = await scenario.run('--full');
    expect(full.code).toBe(0);
    expect(full.stream('public.everything')).toMatchObject({ upserted: 0, unchanged: full.stream('public.everything').read });
    expect(full.stream('public.everything').read).toBeGreaterThanOrEqual(rows);

    // What each type calls a change is a change: scale, sign of zero, white space, letter case.
    await scenario.source.query(`update public.everything as t set c4 = '1.00' where t.id = (select id from public.everything where c4 = 1);
      update public.everything set ${column('citext')} = 'mIxED' where ${column('citext')} is not null;
      update public.everything set ${column('json')} = '{"a":1, "b":[], "a":2}' where ${column('json')}::text like '%"b"%'`);
    expect((await scenario.run()).stream('public.everything')).toMatchObject({ upserted: 3 });
    for (const name of [column('numeric'), column('citext'), column('json')])
      expect(await contents(scenario.target, 'everything', [name])).toEqual(await contents(scenario.source, 'everything', [name]));
  });

  it(
    'that cannot be made in the target is a problem of the plan with advice, before anything is written',
    { timeout: 60_000 },
    async () => {
      const scenario = await openScenario();
      await scenario.source.query(
        `create type floats as range (subtype = float8); create table public.ranged (id int primary key, r floats); insert into public.ranged values (1, '[1,2)')`,
      );
      await scenario.jobs(`\n  all:\n    source: shop\n    target: copy\n    streams: [{ from: public.ranged }]\n`);
      const refused = await scenario.trueup('run', '--json');
      expect(ranOf(refused).report.jobs[0]?.error).toMatchObject({ code: 'E_DRIFT' });
      expect(refused.code).toBe(5);
      expect(refused.stdout).toMatch(/floats/);
      expect(await scenario.target.query(`select to_regclass('public.ranged') as there`)).toEqual([{ there: null }]);
    },
  );

  it('keys of any type find their row again', { timeout: 120_000 }, async () => {
    const scenario = await openScenario();
    const keys: Readonly<Record<string, readonly string[]>> = {
      numeric: [`'1.0'`, `'NaN'`, `'123456789012345678901234567890'`],
      float8: [`'NaN'`, `'0.1'`, `'-Infinity'`],
      text: [`''`, `E'a\\tb\\n\\\\'`, `'NULL'`],
      citext: [`'Abc'`, `'abd'`],
      'char(4)': [`'ab'`, `'cd'`],
      bytea: [String.raw`'\x'`, String.raw`'\x00ff'`],
      uuid: ['gen_random_uuid()', 'gen_random_uuid()'],
      date: [`'infinity'`, `'4713-01-01 BC'`],
      timestamptz: [`'-infinity'`, `'2026-01-01 00:00:00.123456+00'`],
      timetz: [`'24:00:00+01'`],
      interval: [`'1 day'`, `'1 mon'`],
      jsonb: [`'{"a": 1}'`, `'1.0'`],
      inet: [`'10.0.0.1/24'`],
      'int4[]': [`'{1,NULL}'`, `'{}'`],
      int4range: [`'[1,5)'`, `'empty'`],
      bool: ['true', 'false'],
      ltree: [`'a.b'`],
      mood: [`'sad'`, `'it''s'`],
      pair: [`row(1, 'x')`],
    };
    await scenario.source.query(
      `create extension citext; create extension ltree; create type mood as enum ('sad', 'it''s'); create type pair as (a int, b text)`,
    );
    for (const [index, [type, values]] of Object.entries(keys).entries()) {
      await scenario.source.query(
        `create table public.k${index} (k ${type} primary key, v int not null default 1); insert into public.k${index} values ${values.map((value) => `(${value})`).join(', ')}`,
      );
    }
    await scenario.jobs(
      `\n  all:\n    source: shop\n    target: copy\n    streams: [{ from: "public.*" }]\n`,
      'defaults: { batch: { rows: 1 } }\n',
    );
    expect((await scenario.run()).code).toBe(0);
    for (const index of Object.keys(keys).keys()) await scenario.source.query(`update public.k${index} set v = 2`);
    const second = await scenario.run();
    expect(second.code).toBe(0);
    for (const [index, type] of Object.keys(keys).entries()) {
      const rows = (database: TestDatabase): Promise<unknown[]> => database.query(`select k::text, v from public.k${index} order by 1`);
      expect({ type, rows: await rows(scenario.target) }).toEqual({ type, rows: await rows(scenario.source) });
    }
  });
});

/** The column of a type, as the table names it. */
function column(type: string): string {
  return `c${Object.keys(TYPES).indexOf(type)}`;
}
