import assert from 'node:assert/strict';
import { INSTANT_INFINITY } from '../model/cell.ts';
import type { Cell, Row } from '../model/cell.ts';
import type { ScalarType } from '../model/logical-type.ts';
import { typeText } from '../model/logical-type.ts';
import type { Check } from './check.ts';
import type { TargetFixture } from './target-fixture.ts';
import { NO_COUNTS, assertHolds, batchOf, rows, targetStream, told, withLane, writeAndCommit } from './target-writing.ts';

/** Values at the edges of each type: those that other systems round, cut, trim or reinterpret. */
const EDGES: Readonly<Record<ScalarType, readonly Cell[]>> = {
  bool: [true, false],
  int32: [0, -1, 2_147_483_647, -2_147_483_648],
  int64: [0n, 9_007_199_254_740_993n, 9_223_372_036_854_775_807n, -9_223_372_036_854_775_808n],
  float64: [0, -0, 0.1, 1e-307, 1.7976931348623157e308, 5e-324, NaN, Infinity, -Infinity],
  decimal: ['0', '0.00', '-1.50', '12345678901234567890.123456789012345678901234567890', '0.000000000000000000001', 'NaN'],
  text: [
    '',
    ' ',
    'null',
    '\\N',
    '\\.',
    'tab\tnewline\nreturn\rquote"apostrophe\'backslash\\',
    'ünïcødé 日本語 😀 e\u0301',
    '\u0001\u001f\u007f',
    'x'.repeat(5_000_000),
  ],
  bytes: [new Uint8Array(0), Uint8Array.from([0, 255, 92, 10]), new Uint8Array(100_000).fill(7)],
  uuid: ['00000000-0000-0000-0000-000000000000', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  objectId: ['507f1f77bcf86cd799439011'],
  date: ['1970-01-01', '0001-01-01', '2024-02-29', '9999-12-31'],
  time: ['00:00:00', '23:59:59.999999', '12:30:00.5'],
  timestamp: ['1970-01-01 00:00:00', '2026-03-08 02:30:00.123456', '9999-12-31 23:59:59.999999'],
  timestamptz: [0n, 1_700_000_000_123_456n, -62_135_596_800_000_000n, 253_402_300_799_999_999n, INSTANT_INFINITY, -INSTANT_INFINITY],
  interval: ['P1Y2M3DT4H5M6.5S', 'PT0S'],
  json: ['null', '{}', '[1.10, "a", null]', '{"n": 12345678901234567890.123}'],
  unknown: ['anything'],
  variant: [
    { variant: 'text', value: 'a' },
    { variant: 'int64', value: 5n },
  ],
};

export const valueChecks: readonly Check<TargetFixture>[] = [
  {
    name: 'holds the edges of every type that it says it holds exactly',
    run: async (fixture) => {
      for (const type of new Set([...(['int64', 'text'] as const), ...fixture.exactTypes])) {
        const stream = targetStream(fixture, {
          stream: `values_${typeText(type).replace(/\W/g, '_')}`,
          shape: {
            fields: [
              { name: 'id', type: 'int64', nullable: false },
              { name: 'value', type, nullable: true },
            ],
            key: [0],
            open: false,
          },
        });
        const records: Row[] = [null, ...edgesOf(type)].map((cell, index) => [BigInt(index), cell]);
        await withLane(fixture, [stream], async ({ lane }) => {
          assert.equal((await writeAndCommit(lane, batchOf(stream, records))).upserted, records.length);
          const again = await writeAndCommit(lane, batchOf(stream, records));
          assert.deepEqual(
            again,
            told(fixture, { ...NO_COUNTS, unchanged: records.length }),
            `${typeText(type)}: records that it holds already, counted as unchanged in ${JSON.stringify(again)}`,
          );
        });
        await assertHolds(fixture, stream, records, `values of ${typeText(type)}`);
      }
    },
  },
  {
    name: 'writes ten thousand records in one batch',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      const records = rows(1, 10_000);
      await withLane(fixture, [stream], async ({ lane }) => {
        assert.equal((await writeAndCommit(lane, batchOf(stream, records))).upserted, 10_000);
      });
      assert.equal((await fixture.read(stream)).length, 10_000);
    },
  },
  {
    name: 'takes names of streams and fields that need quoting',
    run: async (fixture) => {
      const fields = [
        { name: 'Order Id', type: 'int64' as const, nullable: false },
        { name: 'select', type: 'text' as const, nullable: true },
        { name: `quo"te's`, type: 'text' as const, nullable: true },
      ];
      const stream = targetStream(fixture, { stream: 'Odd "Name"; --', shape: { fields, key: [0], open: false } });
      await withLane(fixture, [stream], async ({ lane }) =>
        writeAndCommit(
          lane,
          batchOf(stream, [
            [1n, 'a', 'b'],
            [2n, null, 'c'],
          ]),
        ),
      );
      await assertHolds(
        fixture,
        stream,
        [
          [1n, 'a', 'b'],
          [2n, null, 'c'],
        ],
        'written',
      );
    },
  },
];

/** Values of a type that a system may get wrong. */
export function edgesOf(type: TargetFixture['exactTypes'][number]): readonly Cell[] {
  if (typeof type === 'string') return EDGES[type];
  if ('struct' in type) return [type.struct.map((field) => edgesOf(field.type)[0] ?? null)];
  // Lists of texts hold their long value once elsewhere.
  const items = edgesOf(type.list).filter((cell) => typeof cell !== 'string' || cell.length < 1000);
  return [[], [...items, null]];
}
