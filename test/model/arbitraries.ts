import fc from 'fast-check';

import { INSTANT_INFINITY } from '../../src/model/cell.ts';
import type { Cell } from '../../src/model/cell.ts';
import { MICROS_PER_DAY, dateText, timeOfDayText, timestampText } from '../../src/model/civil-time.ts';
import { SCALAR_TYPES } from '../../src/model/logical-type.ts';
import type { LogicalType } from '../../src/model/logical-type.ts';

/** Dates from 4713 BC to beyond the year 5,000,000, as Postgres has them. */
const days = fc.oneof(fc.integer({ min: -2_440_588, max: 2_145_000_000 }), fc.integer({ min: -800_000, max: 100_000 }));
const civilMicros = fc.bigInt({ min: -210_866_803_200_000_000n, max: 9_200_000_000_000_000_000n });
const hexText = (length: number) => fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });

export const decimalText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('NaN', 'Infinity', '-Infinity', '0', '0.000', '-0.5'),
  fc
    .tuple(
      fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }),
      fc.option(fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 20 }), { nil: undefined }),
    )
    .map(([whole, fraction]) => (fraction === undefined ? whole.toString() : `${whole}.${fraction}`)),
);

/** Compact, and never the JSON value null, which is NULL inside a list. */
const jsonText = fc
  .json()
  .map((text) => JSON.stringify(JSON.parse(text)))
  .filter((text) => text !== 'null');

/** Carriers of a type, in the form that the canonical text reads back to. */
export function carrier(type: LogicalType): fc.Arbitrary<Cell> {
  if (typeof type !== 'string') {
    if ('list' in type) return fc.array(fc.option(carrier(type.list)), { maxLength: 4 });
    return fc.tuple(...type.struct.map((field) => fc.option(carrier(field.type))));
  }
  switch (type) {
    case 'bool':
      return fc.boolean();
    case 'int32':
      return fc.oneof(fc.integer(), fc.constantFrom(0, -(2 ** 31), 2 ** 31 - 1));
    case 'int64':
      return fc.oneof(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.bigInt({ min: -100n, max: 100n }),
        fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n + 1n),
      );
    case 'float64':
      return fc.oneof(fc.double(), fc.constantFrom(0, -0, 1, 0.1, NaN, Infinity, -Infinity, 5e-324, 1.7976931348623157e308));
    case 'decimal':
      return decimalText;
    case 'text':
    case 'unknown':
      return fc.string({ unit: 'binary' });
    case 'bytes':
      return fc.uint8Array({ maxLength: 20 });
    case 'uuid':
      return fc.uuid();
    case 'objectId':
      return hexText(24);
    case 'date':
      return fc.oneof({ weight: 9, arbitrary: days.map(dateText) }, { weight: 1, arbitrary: fc.constantFrom('infinity', '-infinity') });
    case 'time':
      return fc.integer({ min: 0, max: MICROS_PER_DAY }).map(timeOfDayText);
    case 'timestamp':
      return fc.oneof(
        { weight: 9, arbitrary: civilMicros.map(timestampText) },
        { weight: 1, arbitrary: fc.constantFrom('infinity', '-infinity') },
      );
    case 'timestamptz':
      return fc.oneof(
        { weight: 9, arbitrary: civilMicros },
        { weight: 1, arbitrary: fc.constantFrom(INSTANT_INFINITY, -INSTANT_INFINITY, 0n, -1n) },
      );
    case 'interval':
      return fc.constantFrom('PT0S', 'P1Y2M3DT4H5M6.789S', 'P-1DT-0.000001S', '-infinity');
    case 'json':
      return jsonText;
    case 'variant':
      return fc.oneof(
        ...(['bool', 'int64', 'text', 'decimal'] as const).map((inner) => carrier(inner).map((value) => ({ variant: inner, value }))),
      );
  }
}

export const scalarType = fc.constantFrom(...SCALAR_TYPES);

export const anyType: fc.Arbitrary<LogicalType> = fc.letrec<{ type: LogicalType }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 2 },
    { weight: 6, arbitrary: scalarType },
    { weight: 1, arbitrary: tie('type').map((list): LogicalType => ({ list })) },
    {
      weight: 1,
      arbitrary: fc
        .uniqueArray(fc.tuple(fc.constantFrom('a', 'b', '__proto__', 'x y', 'é'), tie('type')), {
          selector: ([name]) => name,
          maxLength: 3,
        })
        .map((fields): LogicalType => ({ struct: fields.map(([name, type]) => ({ name, type, nullable: true })) })),
    },
  ),
})).type;

export const typedCell = anyType.chain((type) => carrier(type).map((cell) => ({ type, cell })));
