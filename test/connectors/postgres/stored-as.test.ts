import { beforeAll, expect, it } from 'vitest';
import { shortestSingle } from '../../../connectors/postgres/lane/single.ts';
import { decodedCell, isTrueupError } from '../../../src/sdk.ts';
import type { Cell, Field, LogicalType, OnLoss, Row, StoredField, TargetStream } from '../../../src/sdk.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import { batchOf, field, never, nothing, openOwnedLane, openTarget, shapeOf, streamOf } from './target-kit.ts';

interface Case {
  readonly column: string;
  readonly from: LogicalType;
  readonly native?: string;
  readonly onLoss?: OnLoss;
  readonly cells: readonly Cell[];
}

/** Mapped values in columns that give them back otherwise: padded, normalised, as another carrier, cut by a policy. */
const CASES: readonly Case[] = [
  { column: 'character(5)', from: 'text', cells: ['', 'ab', 'ab ', 'äöü', '😀', 'abcde'] },
  { column: 'varchar(3)', from: 'text', onLoss: 'truncate', cells: ['ab', 'abcdef', '😀😀😀😀'] },
  { column: 'numeric(10,2)', from: 'decimal', cells: ['1', '1.5', '-1.50', '-0.00', '0', '12345678.9'] },
  { column: 'numeric(10,2)', from: 'decimal', onLoss: 'truncate', cells: ['1.239', '-1.239'] },
  { column: 'numeric(6,-2)', from: 'int64', cells: [100n, -1200n, 0n] },
  { column: 'numeric', from: 'decimal', cells: ['1.50', '1e3', '+7', '007', '-0.0', 'NaN', 'Infinity', '0.000000000000000000001'] },
  { column: 'numeric(12,3)', from: 'int32', cells: [5, -5, 0] },
  { column: 'bigint', from: 'int32', native: 'integer', cells: [5, -5] },
  { column: 'numeric', from: 'int32', native: 'smallint', cells: [5] },
  { column: 'real', from: 'float64', cells: [0.1, -0, 0, 1e30, 16777216, NaN, Infinity, 1.1754944e-38, 1e-45] },
  { column: 'real', from: 'float64', onLoss: 'truncate', cells: [0.1234567890123, 123456789] },
  { column: 'double precision', from: 'float64', native: 'real', cells: [0.1, 1e-45] },
  {
    column: 'timestamp(3)',
    from: 'timestamp',
    cells: ['2026-11-24 10:00:00', '2026-11-24T10:00:00.120', '0044-03-15 10:00:00 BC', 'infinity'],
  },
  { column: 'timestamptz(0)', from: 'timestamptz', onLoss: 'truncate', cells: [1_999_999n, -1n, 0n] },
  { column: 'date', from: 'date', cells: ['2026-11-24', '0001-01-01', '12026-01-01', 'infinity'] },
  { column: 'time', from: 'time', cells: ['10:00', '10:00:00.100', '24:00:00'] },
  {
    column: 'interval',
    from: 'interval',
    cells: ['P14M', 'PT90M', 'P1W', 'PT-0.5S', 'P1DT25H', 'P-1Y-2M', 'PT0S', 'P1Y2M3DT4H5M6.5S', 'P-1M1D', 'PT3600.000001S'],
  },
  { column: 'uuid', from: 'uuid', cells: ['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'] },
  { column: 'uuid', from: 'text', cells: ['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'] },
  { column: 'text', from: 'int64', cells: [5n] },
  { column: 'text', from: 'timestamptz', cells: [1_700_000_000_123_456n] },
  { column: 'bigint', from: 'text', cells: ['5', '-0'] },
  { column: 'boolean', from: 'bool', cells: [true, false] },
  { column: 'bytea', from: 'bytes', cells: [Uint8Array.from([0, 255])] },
  { column: 'text[]', from: { list: 'text' }, cells: [[], ['a', null, '']] },
  { column: 'numeric(8,2)[]', from: { list: 'decimal' }, cells: [['1', '2.50', null]] },
  { column: 'date[]', from: { list: 'date' }, cells: [['2026-11-24', '0001-01-01']] },
  { column: 'json', from: 'json', cells: ['{"b": 1.10,  "a": null}'] },
  { column: 'citext', from: 'text', cells: ['Abc'] },
  { column: 'short', from: 'text', cells: ['ab'] },
];

describeWithPostgres('how PostgreSQL holds mapped values', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase('stored');
    await database.query(`create extension citext; create domain short as character(4)`);
  });

  it('is known before they are read back, whatever the column makes of them', async () => {
    const target = openTarget(database.url);
    for (const [number, one] of CASES.entries()) {
      const stream = await tableFor(number, one);
      const rows = one.cells.map((cell, id): Row => [BigInt(id), cell]);
      const { lane } = await openOwnedLane(target, [stream], { isAlive: () => false });
      expect({ ...one, faults: await lane.bulkUpsert(batchOf(stream, rows), never) }).toEqual({ ...one, faults: [] });
      await lane.commit(nothing, never);
      await lane.close();
      const [, stored] = (await target.storedAs?.(stream, never)) ?? [];
      const said = one.cells.map((cell) => stored?.convert(cell));
      expect({ column: one.column, cells: said }).toEqual({ column: one.column, cells: await readBack(stream) });
      // toEqual takes 0 for -0.
      expect(said.map((cell) => Object.is(cell, -0))).toEqual((await readBack(stream)).map((cell) => Object.is(cell, -0)));
    }
    await target.close();
  }, 60_000);

  it('refuses what would become a dead letter, by the code of its fault', async () => {
    const codeOf = async (one: Omit<Case, 'cells'>, cell: Cell) => {
      const stream = await tableFor(tables++, { ...one, cells: [] });
      const target = openTarget(database.url);
      const [, stored] = ((await target.storedAs?.(stream, never)) ?? []) as StoredField[];
      await target.close();
      try {
        stored?.convert(cell);
        return null;
      } catch (error) {
        return isTrueupError(error) ? error.code : error;
      }
    };
    let tables = 1000;
    expect(await codeOf({ column: 'numeric(4,1)', from: 'decimal' }, '1.25')).toBe('E_RECORD_LOSS');
    expect(await codeOf({ column: 'varchar(2)', from: 'text' }, 'abc')).toBe('E_RECORD_LOSS');
    expect(await codeOf({ column: 'real', from: 'float64' }, 84_036_420)).toBe('E_RECORD_LOSS');
    expect(await codeOf({ column: 'bigint', from: 'text' }, 'many')).toBe('E_RECORD_VALUE');
    expect(await codeOf({ column: 'text', from: 'text' }, 'a\0b')).toBe('E_RECORD_VALUE');
    expect(await codeOf({ column: 'text', from: 'text' }, '\ud800')).toBe('E_RECORD_VALUE');
    expect(await codeOf({ column: 'text', from: 'text' }, undefined)).toBe('E_RECORD_VALUE');
    expect(await codeOf({ column: 'text not null', from: 'text' }, null)).toBe('E_RECORD_VALUE');
    expect(await codeOf({ column: 'text', from: 'text' }, null)).toBeNull();
  });

  it('leaves out what the table computes itself, and holds everything as it is where there is no table yet', async () => {
    await database.query(
      `create table computed (id bigint primary key, value text, twice text generated always as (value || value) stored)`,
    );
    const target = openTarget(database.url);
    const shape = shapeOf([field('id', 'int64'), field('value', 'text'), field('twice', 'text')]);
    const stored = (await target.storedAs?.(streamOf(shape, { target: 'computed' }), never)) ?? [];
    expect(stored.map((one) => one?.type ?? null)).toEqual(['int64', 'text', null]);
    const absent = (await target.storedAs?.(streamOf(shape, { target: 'nowhere' }), never)) ?? [];
    expect(absent.map((one) => one?.convert('as it is'))).toEqual(['as it is', 'as it is', 'as it is']);
    const lacking = streamOf(shapeOf([field('id', 'int64'), field('more', 'text')]), { target: 'computed' });
    await expect(target.storedAs?.(lacking, never)).rejects.toMatchObject({
      code: 'E_PLAN_CHANGED',
      message: expect.stringContaining('more') as string,
    });
    await target.close();
  });

  it('knows the shortest text of float4, half ways and powers of two included', async () => {
    const powers = Array.from({ length: 277 }, (_, index) => 2 ** (index - 149));
    const patterns = Uint32Array.from({ length: 20_000 }, (_, index) => Math.imul(index, 2_654_435_761));
    const whole = Array.from({ length: 2000 }, (_, index) => Math.fround(1e6 * 1.01 ** index)).filter(Number.isFinite);
    const singles = [...powers, ...whole, ...new Float32Array(patterns.buffer)].filter((value) => !Number.isNaN(value));
    const rows = await database.query<{ text: string }>(
      `select x::text as text from unnest($1::float4[]) with ordinality u(x, n) order by n`,
      [singles.map(String)],
    );
    expect(singles.map(shortestSingle)).toEqual(rows.map(({ text }) => Number(text)));
  });

  async function tableFor(number: number, { column, from, native, onLoss }: Case): Promise<TargetStream> {
    await database.query(`create table stored_${number} (id bigint primary key, value ${column})`);
    const fields: Field[] = [field('id', 'int64', { nullable: false }), field('value', from, native === undefined ? {} : { native })];
    return streamOf(shapeOf(fields), { target: `stored_${number}`, onLoss: ['error', onLoss ?? 'error'] });
  }

  async function readBack(stream: TargetStream): Promise<Cell[]> {
    const target = openTarget(database.url);
    const cells: (readonly [bigint, Cell])[] = [];
    for await (const { records } of target.scan?.({ stream, fields: ['id', 'value'], signal: never }) ?? [])
      for (const row of records.rows()) cells.push([decodedCell(records, row, 0) as bigint, decodedCell(records, row, 1)]);
    await target.close();
    return cells.sort(([a], [b]) => Number(a - b)).map(([, cell]) => cell);
  }
});
