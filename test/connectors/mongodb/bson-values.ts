import { BSONRegExp, BSONSymbol, Binary, Code, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp } from 'bson';
import fc from 'fast-check';
import type { BsonValue } from '../../../connectors/mongodb/bson/value.ts';

/** Names that careless code changes: reordered, lost, taken for a path, an operator or a prototype. */
const ODD_NAMES = [
  '',
  '$x',
  'a.b',
  '__proto__',
  'constructor',
  '10',
  '2',
  'a:b',
  ' a',
  '>',
  '"',
  '*',
  '$date',
  '$oid',
  'ünï',
  'type',
  'a,b',
  'a\\.b',
];

const name = fc.oneof(
  fc.constantFrom(...ODD_NAMES),
  fc.string({ maxLength: 6, unit: 'grapheme' }).filter((text) => !text.includes('\0')),
);

const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const cstring = text.filter((one) => !one.includes('\0'));
const bytes = fc.uint8Array({ maxLength: 40 });

/** Digits, point and exponent of any Decimal128 there is. */
const decimal = fc.oneof(
  fc.constantFrom(
    'NaN',
    'Infinity',
    '-Infinity',
    '0',
    '-0',
    '0E+10',
    '-0E-20',
    '1E+3',
    '1000',
    '1.0',
    '1.00',
    '9.999999999999999999999999999999999E+6144',
    '1E-6176',
  ),
  fc
    .tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** 34n - 1n }), fc.integer({ min: -6176, max: 6111 }))
    .map(([minus, digits, exponent]) => `${minus ? '-' : ''}${digits}E${exponent}`),
  fc.tuple(fc.integer(), fc.nat({ max: 99 })).map(([whole, cents]) => `${whole}.${String(cents).padStart(2, '0')}`),
);

/** Every type that the driver can write. */
export const scalarValue: fc.Arbitrary<BsonValue> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  text,
  fc.integer().map((value) => new Int32(value)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => Long.fromBigInt(value)),
  fc.oneof(fc.double(), fc.constantFrom(-0, 0, 5, 1e21, Number.NaN, Infinity, -Infinity)).map((value) => new Double(value)),
  decimal.map((value) => Decimal128.fromString(value)),
  fc.uint8Array({ minLength: 12, maxLength: 12 }).map((value) => new ObjectId(value)),
  fc.integer({ min: -8_640_000_000_000_000, max: 8_640_000_000_000_000 }).map((ms) => new Date(ms)),
  fc.record({ t: fc.nat({ max: 4_294_967_295 }), i: fc.nat({ max: 4_294_967_295 }) }).map((value) => new Timestamp(value)),
  fc.tuple(bytes, fc.constantFrom(0, 1, 2, 3, 5, 6, 7, 8, 128, 255)).map(([content, subtype]) => new Binary(content, subtype)),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((content) => new Binary(content, 4)),
  bytes.map((content) => new Binary(content, 4)),
  fc.tuple(cstring, fc.constantFrom('', 'i', 'im', 'msx')).map(([pattern, options]) => new BSONRegExp(pattern, options)),
  text.map((value) => new BSONSymbol(value)),
  text.map((value) => new Code(value)),
  fc.tuple(text, fc.integer()).map(
    ([value, number]) =>
      new Code(
        value,
        new Map<string, BsonValue>([
          ['10', new Int32(number)],
          ['2', 'x'],
        ]) as never,
      ),
  ),
  fc.constantFrom(new MinKey(), new MaxKey()),
);

const { value } = fc.letrec<{ value: BsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalarValue,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(scalarValue, { minLength: 2, maxLength: 3 }).map((values) => [...values, ...values]),
    fc.uniqueArray(fc.tuple(name, tie('value')), { selector: ([key]) => key, maxLength: 5 }).map((entries): BsonValue => new Map(entries)),
  ),
}));

export const bsonValue = value;

/** A document without `_id`; names in any order. */
export const bsonDocument = fc
  .uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, maxLength: 8 })
  .map((entries) => new Map(entries));
