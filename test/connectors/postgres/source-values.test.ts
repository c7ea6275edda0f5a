import { beforeAll, expect, it } from 'vitest';
import { INSTANT_INFINITY, decodedCell, scanRows, typeText } from '../../../src/sdk.ts';
import type { Batch, Cell } from '../../../src/sdk.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import { drainOnce, streamRef } from './source-kit.ts';

let database: TestDatabase;
let tables = 0;

/** Reads one value of a type. */
async function read(
  type: string,
  literal: string,
  setup = 'select 1',
): Promise<{ batch: Batch; cell: () => Cell; text: Cell; type: string }> {
  const table = `t${++tables}`;
  await database.query(setup);
  await database.query(
    `create table ${table} (id int primary key, v ${type}, updated_at timestamptz not null default now()); insert into ${table} (id, v) values (1, ${literal})`,
  );
  const { batches } = await drainOnce(database.url, streamRef(`public.${table}`, { fields: ['id', 'v'] }));
  const batch = batches[0] ?? expect.fail('nothing was read');
  const row = batch.records.rows()[0] ?? [];
  const field = batch.shape.fields[1];
  return { batch, cell: () => decodedCell(batch.records, row, 1), text: row[1], type: field === undefined ? '' : typeText(field.type) };
}

describeWithPostgres('connectors: postgres, values', () => {
  beforeAll(async () => {
    database = await createDatabase('values');
    // Whatever would mislead a reader that does not set its own session.
    const misleading = {
      timezone: 'America/New_York',
      datestyle: 'German',
      bytea_output: 'escape',
      extra_float_digits: '0',
      intervalstyle: 'postgres_verbose',
    };
    for (const [name, value] of Object.entries(misleading))
      await database.query(`alter database ${database.name} set ${name} to '${value}'`);
    await database.query('set timezone to utc; set datestyle to iso');
  });

  it.each<[string, string, string, Cell]>([
    ['boolean', 'true', 'bool', true],
    ['smallint', '-32768', 'int32', -32768],
    ['bigint', '9223372036854775807', 'int64', 9223372036854775807n],
    ['numeric', '12345678901234567890.12345678901234567890', 'decimal', '12345678901234567890.12345678901234567890'],
    ['numeric', `'NaN'`, 'decimal', 'NaN'],
    ['real', '1.1', 'float64', 1.1],
    ['double precision', '0.1::float8 + 0.2::float8', 'float64', 0.1 + 0.2],
    ['double precision', `'-0'`, 'float64', -0],
    ['double precision', `'-Infinity'`, 'float64', -Infinity],
    ['text', `E'tab\\t newline\\n back\\\\ quote'' 日本 😀'`, 'text', `tab\t newline\n back\\ quote' 日本 😀`],
    ['char(5)', `'ab'`, 'text', 'ab   '],
    ['bytea', `'\\x00ff10'`, 'bytes', new Uint8Array([0, 255, 16])],
    ['uuid', `'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`, 'uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['date', `'2026-11-24'`, 'date', '2026-11-24'],
    ['time', `'24:00:00'`, 'time', '24:00:00'],
    ['timestamp', `'2026-03-08 02:30:00.123456'`, 'timestamp', '2026-03-08 02:30:00.123456'],
    ['timestamptz', `'2026-11-01 06:30:00.123456Z'`, 'timestamptz', 1793514600123456n],
    ['timestamptz', `'-infinity'`, 'timestamptz', -INSTANT_INFINITY],
    ['interval', `'1 year -2 days 03:04:05.000006'`, 'interval', 'P1Y-2DT3H4M5.000006S'],
    ['json', `'{"a":1,"a":2, "n": 12345678901234567890.123}'`, 'json', '{"a":1,"a":2, "n": 12345678901234567890.123}'],
    ['jsonb', `'{"n": 12345678901234567890.123}'`, 'json', '{"n": 12345678901234567890.123}'],
    ['numeric[]', `'{1.10,NULL,890.12}'`, 'list<decimal>', ['1.10', null, '890.12']],
    ['text[]', `array['NULL', null, '', 'a,b', '{"\\"}']`, 'list<text>', ['NULL', null, '', 'a,b', '{"\\"}']],
    ['bytea[]', `array['\\x01'::bytea]`, 'list<bytes>', [new Uint8Array([1])]],
    ['box[]', `array['(1,1),(0,0)'::box, '(3,3),(2,2)'::box]`, 'list<unknown>', ['(1,1),(0,0)', '(3,3),(2,2)']],
    ['int4range', `'[1,5)'`, 'unknown', '[1,5)'],
    ['inet', `'10.0.0.1/8'`, 'unknown', '10.0.0.1/8'],
    ['bit(3)', `B'101'`, 'unknown', '101'],
    ['int2vector', `'1 2'`, 'unknown', '1 2'],
  ])('reads %s %s as %s', async (type, literal, logical, expected) => {
    const value = await read(type, literal);
    expect([value.type, value.cell()]).toEqual([logical, expected]);
    expect(value.batch.records.textDialect).toBe('postgres');
  });

  it('reads NULL as null, and never as text', async () => {
    expect((await read('text', 'null')).text).toBe(null);
    expect((await read('text', `'\\N'`)).text).toBe('\\N');
  });

  it('refuses to decode what a list would lose, and still carries it as text', async () => {
    for (const literal of [`'[2:3]={1,2}'`, `'{{1,2},{3,4}}'`]) {
      const value = await read('int[]', literal);
      expect(value.cell).toThrow(expect.objectContaining({ code: 'E_RECORD_LOSS' }));
      expect(value.text).toBe(literal.slice(1, -1));
    }
  });

  it('reads enums, domains and composites, and says how each is made', async () => {
    const setup = `create schema lib; create type lib.mood as enum ('sad', 'it''s ok'); create domain positive as numeric(10,2) default 1 not null check (value > 0);
      create type lib.pair as (m lib.mood, n positive, at timestamptz)`;
    const value = await read('lib.pair[]', `array[row('it''s ok', 1.5, '1970-01-01 00:00:01Z')::lib.pair]`, setup);
    expect(value.type).toBe('list<struct<m: text, n: decimal, at: timestamptz>>');
    expect(value.cell()).toEqual([[`it's ok`, '1.50', 1_000_000n]]);
    expect(value.batch.shape.fields[1]?.native).toEqual({
      system: 'postgres',
      type: 'lib.pair[]',
      define: [
        'create schema if not exists "lib"',
        `create type "lib"."mood" as enum ('sad', 'it''s ok')`,
        'create domain "public"."positive" as numeric(10,2) default 1 not null constraint positive_check CHECK ((VALUE > (0)::numeric))',
        'create type "lib"."pair" as ("m" lib.mood, "n" public.positive, "at" timestamp with time zone)',
      ],
    });
  });

  it('makes in another database, by its own statements, every type that it names', async () => {
    const setup = `create type mood as enum ('a', 'b'); create domain d as mood[] not null; create type c as (x d, y int[])`;
    const { batch } = await read('c', `row(array['b']::mood[], array[1])`, setup);
    const native = batch.shape.fields[1]?.native;
    const other = await createDatabase('copy');
    for (const statement of native?.define ?? []) await other.query(statement);
    await other.query(`create table t (v ${native?.type})`);
    await other.query('insert into t values ($1)', [batch.records.rows()[0]?.[1]]);
    expect(await other.query('select (v).x::text, (v).y::text from t')).toEqual([{ x: '{b}', y: '{1}' }]);
  });

  it('reads 200 columns and values of 5 MB within a batch of bytes', async () => {
    const columns = Array.from({ length: 200 }, (_, index) => `c${index} text default '${'x'.repeat(20)}'`).join(', ');
    await database.query(
      `create table wide (id int primary key, updated_at timestamptz not null default now(), big text, ${columns}); insert into wide (id, big) select i, repeat('0123456789', 500000) from generate_series(1, 20) i`,
    );
    const batchBytes = 8 * 1024 * 1024;
    const { batches, rows } = await drainOnce(database.url, streamRef('public.wide'), { batchRows: 10_000, batchBytes });
    expect(rows).toHaveLength(20);
    expect(rows.every((row) => (row['big'] as string).length === 5_000_000 && row['c199'] === 'x'.repeat(20))).toBe(true);
    for (const { records } of batches) expect(records.bytes).toBeLessThanOrEqual(batchBytes);
  });

  it('hands the same rows to who looks at each of them once and to who keeps them', async () => {
    await database.query(
      `create table seen (id int primary key, updated_at timestamptz not null default now(), v text); insert into seen (id, v) select i, case when i % 3 = 0 then null else E'a\\t' || i end from generate_series(1, 500) i`,
    );
    const { batches } = await drainOnce(database.url, streamRef('public.seen'), { batchRows: 200 });
    expect(batches.map(({ records }) => records.count)).toEqual([200, 200, 100]);
    for (const { records } of batches) {
      const scanned = [...scanRows(records)];
      expect(scanned).toHaveLength(records.count);
      const rows = records.rows();
      expect(rows).toEqual(scanned);
      expect(records.rows()).toBe(rows);
      expect([...scanRows(records)]).toEqual(scanned);
      expect(records.slice(10, 12).rows()).toEqual(scanned.slice(10, 12));
    }
  });
});
