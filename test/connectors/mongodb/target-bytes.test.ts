import { deserialize, serialize } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openSink } from '../../../connectors/mongodb/bson/sink.ts';
import type { Sink } from '../../../connectors/mongodb/bson/sink.ts';
import { documentWriter } from '../../../connectors/mongodb/document/write.ts';
import { packed, partsOfPacked } from '../../../connectors/mongodb/lane/packed.ts';
import { batchFields } from '../../../connectors/mongodb/document/record-cells.ts';
import { documentPlan, idOf, valuesOf, wholeDocument } from '../../../connectors/mongodb/document/document.ts';
import { parseInstant } from '../../../connectors/postgres/values/instant.ts';
import { cellRecords, isTrueupError } from '../../../src/sdk.ts';
import type { Cell, Decode, LogicalType, Row, TargetStream } from '../../../src/sdk.ts';
import { streamOf } from './target-kit.ts';

const texts = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.string({ unit: 'binary-ascii', maxLength: 60 }),
  fc.constantFrom('', 'x'.repeat(5000), 'ü'.repeat(5000), '\0', '\ud800', `${'y'.repeat(40)}\udfff`, '😀'.repeat(20)),
);
const ODD_DECIMALS = [
  '0 -0 0.00 -0.00 007 0.05 00.10 .5 5. - 1E+3 NaN -Infinity 1.00000000000000 12345678901234.5 0.000000000000001 4294967296 4294967295.1'.split(
    ' ',
  ),
  [15, 16, 35].map((digits) => '9'.repeat(digits)),
].flat();
const decimals = fc.oneof(
  fc
    .tuple(fc.boolean(), fc.maxSafeNat(), fc.nat(20))
    .map(([minus, digits, scale]) => `${minus ? '-' : ''}${scale === 0 ? digits : `${digits}.${String(scale).padStart(2, '0')}`}`),
  fc.constantFrom(...ODD_DECIMALS),
);
const instants = fc.oneof(
  fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n }),
  fc.integer().map((seconds) => BigInt(seconds) * 1_000_000n),
  fc.constantFrom(0n, -1000n, 999n, -1n, 9_007_199_254_740_991_000n, 8_640_000_000_000_000_000n, (1n << 63n) - 1n, -(1n << 63n)),
);
const longs = fc.oneof(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), fc.maxSafeInteger().map(BigInt), fc.integer().map(BigInt));
const uuids = fc.oneof(
  fc.uuid(),
  fc.uuid().map((uuid) => uuid.toUpperCase()),
);
const objectIds = fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF'), minLength: 24, maxLength: 24 });

/** Of every type that has a way of its own to become bytes, and of some that have none. */
const CELLS: readonly (readonly [LogicalType, fc.Arbitrary<Cell>])[] = [
  ['bool', fc.boolean()],
  ['int32', fc.integer()],
  ['int64', longs],
  ['float64', fc.double()],
  ['decimal', decimals],
  ['text', texts],
  ['bytes', fc.uint8Array({ maxLength: 50 })],
  ['uuid', uuids],
  ['objectId', objectIds],
  ['timestamptz', instants],
  ['json', fc.json({ maxDepth: 2 })],
  ['unknown', texts],
  ['date', fc.constant('2026-01-01')],
  ['variant', fc.constantFrom({ variant: 'int32', value: 5 }, { variant: 'text', value: 'x' }, { variant: 'nonsense', value: 1 })],
  [{ list: 'int64' }, fc.array(fc.option(longs), { maxLength: 15 })],
  [{ list: { list: 'text' } }, fc.array(fc.array(texts, { maxLength: 3 }), { maxLength: 3 })],
  [
    {
      list: {
        struct: [
          { name: 'at', type: 'timestamptz', nullable: true, onLoss: 'truncate' },
          { name: 'sum', type: 'decimal', nullable: true },
        ],
      },
    },
    fc.array(fc.tuple(fc.option(instants), fc.option(decimals)) as fc.Arbitrary<Cell>, { maxLength: 4 }),
  ],
];

interface Case {
  readonly stream: TargetStream;
  readonly row: Row;
}

const NAMES = ['id', 'a', 'b.c', 'b.d', 'b.f.g', 'b.f.h', 'e'];

const cases: fc.Arbitrary<Case> = fc
  .record({
    picked: fc.array(fc.constantFrom(...CELLS), { minLength: NAMES.length, maxLength: NAMES.length }),
    onLoss: fc.constantFrom('error', 'text', 'truncate', 'null'),
    keys: fc.constantFrom([0], [1], [0, 1], [1, 4, 0]),
    mark: fc.boolean(),
    ofMongo: fc.boolean(),
  })
  .chain(({ picked, onLoss, keys, mark, ofMongo }) => {
    const fields = Object.fromEntries(NAMES.map((name, index) => [name, picked[index]?.[0] ?? 'text'] as const));
    const one = streamOf(fields, { key: keys, onDelete: mark ? { mark: 'gone' } : 'delete', onLoss: NAMES.map(() => onLoss) });
    const native = { system: 'mongodb', type: 'mixed' };
    const shape = ofMongo ? { ...one.shape, fields: one.shape.fields.map((field) => ({ ...field, native })) } : one.shape;
    const cell = ([, values]: (typeof CELLS)[number]): fc.Arbitrary<Cell> =>
      fc.oneof({ weight: 8, arbitrary: values }, { weight: 1, arbitrary: fc.constant(null) });
    return fc.tuple(...picked.map(cell)).map((row) => ({ stream: { ...one, shape }, row }));
  });

/** What became of it: bytes and what was noted, or the fault. */
function outcome(work: (note: (field: string, kind: string) => void) => Uint8Array): unknown {
  const noted: string[] = [];
  try {
    return { bytes: Buffer.from(work((field, kind) => noted.push(`${field} ${kind}`))).toString('hex'), noted: noted.toSorted() };
  } catch (error) {
    if (!isTrueupError(error)) throw error;
    return { code: error.code, message: error.message };
  }
}

function written(one: TargetStream, row: Row, decoders?: readonly (Decode | null)[]) {
  const plan = documentPlan(one, 'document');
  const records = cellRecords({ rows: [row], bytes: 100, ...(decoders === undefined ? {} : { decoders, textDialect: 'test' }) });
  return (note: (field: string, kind: string) => void): Uint8Array => {
    const sink: Sink = openSink();
    documentWriter(plan, note).whole(sink, { row, fields: batchFields(plan, one.shape, records) });
    return sink.bytes.subarray(0, sink.at);
  };
}

describe('documents that are written straight from cells', () => {
  it('have the bytes, the faults and the conversions that they have when they are made first and the driver writes them', () => {
    fc.assert(
      fc.property(cases, ({ stream, row }) => {
        const plan = documentPlan(stream, 'document');
        const key = plan.key.map((index) => row[index]);
        const made = outcome((note) => serialize(wholeDocument(plan, idOf(plan, key), valuesOf(plan, row, note)) as never));
        expect(outcome(written(stream, row))).toEqual(made);
      }),
      { numRuns: 1500 },
    );
  });

  it('are the same whether texts were decoded before or not', () => {
    const decoders: Record<string, Decode> = {
      int32: Number,
      int64: BigInt,
      timestamptz: parseInstant,
    };
    const whole = fc.oneof(
      longs.map(String),
      fc.constantFrom('-0', '007', '+5', '999999999999999', '-999999999999999', '1000000000000000'),
    );
    const int32 = fc.oneof(fc.integer().map(String), fc.constantFrom('-0', '007', '2147483647', '-2147483648'));
    const pad = (value: number, digits: number): string => String(value).padStart(digits, '0');
    const days = fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true });
    const dated = fc
      .tuple(days, fc.constantFrom('', '.1', '.25', '.123', '.123000', '.123400', '.000001'), fc.constantFrom('+00', '-03:30', '+05'))
      .map(([date, fraction, zone]) => `${date.toISOString().slice(0, 19).replace('T', ' ')}${fraction}${zone}`);
    const instant = fc.oneof(
      dated,
      fc.nat(9999).map((year) => `${pad(year + 1, 4)}-03-01 00:00:00+00`),
      fc.constantFrom('infinity', '-infinity', '0044-03-15 12:00:00+00 BC', '2024-02-29 23:59:59.999+00', '12026-01-01 00:00:00+00'),
    );
    const types: readonly (readonly [LogicalType, fc.Arbitrary<string>])[] = [
      ['int32', int32],
      ['int64', whole],
      ['timestamptz', instant],
    ];
    const text = fc.constantFrom(...types).chain(([type, values]) => values.map((value) => [type, value] as const));
    fc.assert(
      fc.property(text, fc.constantFrom('error' as const, 'truncate' as const), ([type, value], onLoss) => {
        const one = streamOf({ id: 'int32', v: type }, { onLoss: ['error', onLoss] });
        const decode = decoders[type as string] as Decode;
        const carrier = decode(value);
        expect(outcome(written(one, [1, value], [null, decode]))).toEqual(outcome(written(one, [1, carrier])));
      }),
      { numRuns: 3000 },
    );
  });

  it('never take a date that there is not, or half a text, for an instant', () => {
    const one = streamOf({ id: 'int32', v: 'timestamptz' });
    const asked: string[] = [];
    const decode: Decode = (text) => {
      asked.push(text);
      return 0n;
    };
    const odd = [
      '2026-02-29 00:00:00+00',
      '2026-13-01 00:00:00+00',
      '2026-01-01 24:00:00+00',
      '2026-01-01 00:00:60+00',
      '0000-01-01 00:00:00+00',
    ];
    const cut = [
      '2026-01-01+00',
      '2026-01-01 00:00+00',
      '2026-01-01 00:00:00',
      '2026-01-01 00:00:00.+00',
      '2026-01-01 00:00:00.1234567+00',
      'Z',
      '',
    ];
    for (const text of [...odd, ...cut]) outcome(written(one, [1, text], [null, decode]));
    expect(asked).toEqual([...odd, ...cut]);
  });

  it('become updates that find the document by its key alone, and set what the record holds', () => {
    const one = streamOf({ a: 'int64', 'b.c': 'text', v: 'int32' }, { key: [0], guard: 'v', onDelete: { mark: 'gone' } });
    const update = (row: Row, partial = false): unknown => {
      const plan = documentPlan(one, 'document');
      const sink = openSink();
      const record = { row, fields: batchFields(plan, one.shape, cellRecords({ rows: [row], bytes: 9 })) };
      documentWriter(plan, () => undefined).update(sink, record, { upsert: !partial, partial });
      return deserialize(sink.bytes.subarray(0, sink.at));
    };
    expect(update([1n, 'x', 5])).toEqual({
      q: { _id: 1, v: { $not: { $gt: 5 } } },
      u: { $set: { a: 1, 'b.c': 'x', v: 5, gone: null } },
      upsert: true,
    });
    expect(update([1n, undefined, null], true)).toEqual({ q: { _id: 1 }, u: { $set: { a: 1, v: null, gone: null } }, upsert: false });
  });

  it('are looked up with an operator where the key alone would be taken for one', () => {
    const one = { ...streamOf({ _id: 'variant', v: 'int32' }), onDelete: 'delete' as const };
    const query = (variant: string, value: Cell): unknown => {
      const plan = documentPlan(
        {
          ...one,
          shape: { ...one.shape, fields: one.shape.fields.map((field) => ({ ...field, native: { system: 'mongodb', type: 'mixed' } })) },
        },
        'document',
      );
      const sink = openSink();
      const row: Row = [{ variant, value }, 1];
      documentWriter(plan, () => undefined).update(
        sink,
        { row, fields: batchFields(plan, one.shape, cellRecords({ rows: [row], bytes: 9 })) },
        { upsert: true },
      );
      return Object.keys(
        (deserialize(sink.bytes.subarray(0, sink.at), { promoteValues: false, bsonRegExp: true }) as { q: { _id: object } }).q._id,
      );
    };
    expect(query('struct<"$x":int32>', [1])).toEqual(['$eq']);
    expect(query('unknown', '{"$regularExpression":{"pattern":"a","options":""}}')).toEqual(['$eq']);
    expect(query('struct<"x":int32>', [1])).toEqual(['x']);
  });

  it('are cut into commands at whole operations', () => {
    const operations = packed(Array.from({ length: 25_000 }, (_, index) => ({ index: index * 2, body: { v: 'x'.repeat(index % 700) } })));
    const parts = [...partsOfPacked(operations)];
    expect(parts.length).toBeGreaterThan(2);
    expect(parts.flatMap(({ indices }) => indices)).toEqual(operations.indices);
    expect(Buffer.concat(parts.map(({ bytes }) => bytes)).equals(operations.bytes)).toBe(true);
    for (const { bytes, indices } of parts) {
      let at = 0;
      for (const index of indices) {
        const size = bytes.readInt32LE(at);
        expect(deserialize(bytes.subarray(at, at + size))).toEqual({ v: 'x'.repeat((index / 2) % 700) });
        at += size;
      }
      expect(at).toBe(bytes.length);
    }
  });
});
