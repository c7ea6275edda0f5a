import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { isTrueupError } from '../../src/errors.ts';
import { carrierProblem } from '../../src/model/carrier.ts';
import { cellToJson } from '../../src/model/cell-json.ts';
import { cellFromText, cellToText } from '../../src/model/cell-text.ts';
import { INSTANT_INFINITY } from '../../src/model/cell.ts';
import { civilFromDays, daysFromCivil } from '../../src/model/civil-time.ts';
import { keyFromText, keyToText } from '../../src/model/key-text.ts';
import { typeText } from '../../src/model/logical-type.ts';
import type { LogicalType } from '../../src/model/logical-type.ts';
import { parseType } from '../../src/model/type-text.ts';
import { anyType, typedCell } from './arbitraries.ts';

const refused = (type: LogicalType, text: string) => {
  try {
    cellFromText(type, text, "field 'f'");
  } catch (error) {
    return (
      isTrueupError(error) &&
      error.code === 'E_RECORD_VALUE' &&
      error.message.startsWith("field 'f'") &&
      (text.length < 4 || !error.message.includes(text))
    );
  }
  return false;
};

describe('the canonical text of a cell', () => {
  it('reads back to the same carrier, of every type', () => {
    fc.assert(
      fc.property(typedCell, ({ type, cell }) => {
        const text = cellToText(type, cell);
        expect(typeof text).toBe('string');
        const back = cellFromText(type, text as string);
        expect(back).toEqual(cell);
        expect(carrierProblem(type, back) === null || carrierProblem(type, cell) !== null).toBe(true);
        expect(cellToText(type, back)).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps every digit of integers and decimals', () => {
    expect(cellToText('int64', 9223372036854775807n)).toBe('9223372036854775807');
    expect(cellFromText('int64', '-9223372036854775808')).toBe(-(2n ** 63n));
    expect(cellFromText('decimal', '12345678901234567890.1230')).toBe('12345678901234567890.1230');
    expect(cellFromText('decimal', '1.50e3')).toBe('1500');
    expect(cellFromText('decimal', '1.5e-3')).toBe('0.0015');
    expect(cellFromText('decimal', '-.5')).toBe('-0.5');
    expect(cellFromText('decimal', '1E6144')).toHaveLength(6145);
  });

  it('writes instants in UTC to the microsecond, infinities and years before 1 included', () => {
    expect(cellToText('timestamptz', 1_795_514_400_123_456n)).toBe('2026-11-24T10:00:00.123456Z');
    expect(cellFromText('timestamptz', '2026-11-24 12:00:00.123456+02')).toBe(1_795_514_400_123_456n);
    expect(cellFromText('timestamptz', '2026-11-24T10:00:00.123456Z')).toBe(1_795_514_400_123_456n);
    expect(cellFromText('timestamptz', '1883-11-18 12:03:58+00:00:30')).toBe(cellFromText('timestamptz', '1883-11-18T12:03:28Z'));
    expect(cellToText('timestamptz', -1n)).toBe('1969-12-31T23:59:59.999999Z');
    expect(cellToText('timestamptz', INSTANT_INFINITY)).toBe('infinity');
    expect(cellFromText('timestamptz', '-infinity')).toBe(-INSTANT_INFINITY);
    expect(cellFromText('timestamptz', '0044-03-15T12:00:00Z BC')).toBe(cellFromText('timestamptz', '0044-03-15 12:00:00+00 BC'));
    expect(cellToText('timestamptz', cellFromText('timestamptz', '0044-03-15 12:00:00+00 BC'))).toBe('0044-03-15T12:00:00Z BC');
    expect(cellFromText('timestamptz', '-000043-03-15T12:00:00Z')).toBe(cellFromText('timestamptz', '0044-03-15 12:00:00+00 BC'));
  });

  it('takes civil values as they are, in any year', () => {
    expect(cellFromText('date', '5874897-12-31')).toBe('5874897-12-31');
    expect(cellFromText('date', '4713-01-01 BC')).toBe('4713-01-01 BC');
    expect(cellFromText('timestamp', '2026-03-29T02:30:00.100')).toBe('2026-03-29 02:30:00.1');
    expect(cellFromText('time', '24:00:00')).toBe('24:00:00');
    expect(cellFromText('time', '10:00:00+02:30')).toBe('10:00:00+02:30');
    expect(cellFromText('date', '2024-02-29')).toBe('2024-02-29');
  });

  it('counts the days of the calendar as the calendar does', () => {
    fc.assert(
      fc.property(fc.integer({ min: -5_000_000, max: 2_000_000_000 }), (days) => {
        const { year, month, day } = civilFromDays(days);
        expect(daysFromCivil(year, month, day)).toBe(days);
      }),
    );
    expect(daysFromCivil(1970, 1, 1)).toBe(0);
    expect(daysFromCivil(2000, 3, 1)).toBe(11_017);
    for (const ms of [-62_135_596_800_000, 951_782_400_000, 4_102_444_800_000]) {
      const date = new Date(ms);
      expect(civilFromDays(ms / 86_400_000)).toEqual({
        year: date.getUTCFullYear(),
        month: date.getUTCMonth() + 1,
        day: date.getUTCDate(),
      });
    }
  });

  it.each([
    ['bool', 'yes'],
    ['bool', ''],
    ['int32', '2147483648'],
    ['int32', '1.0'],
    ['int32', ' 1'],
    ['int64', '9223372036854775808'],
    ['int64', '1e3'],
    ['int64', '0x10'],
    ['float64', ''],
    ['float64', '1e400'],
    ['float64', '1,5'],
    ['decimal', ''],
    ['decimal', '.'],
    ['decimal', '1e999999999'],
    ['decimal', '1 '],
    ['uuid', '123'],
    ['objectId', 'xyz'],
    ['date', '2023-02-29'],
    ['date', '2023-13-01'],
    ['date', '0000-01-01'],
    ['date', '2023-1-1'],
    ['time', '24:00:01'],
    ['time', '10:60:00'],
    ['time', '1:00'],
    ['timestamp', '2026-01-01 10:00:00+02'],
    ['timestamp', '2026-01-01 10:00:00.1234567'],
    ['timestamptz', '2026-01-01 10:00:00'],
    ['timestamptz', '2026-01-01T10:00:00.0000001Z'],
    ['timestamptz', '294276-12-31T00:00:00Z'],
    ['interval', 'P'],
    ['interval', '1 day'],
    ['interval', 'PT'],
    ['json', '{'],
    ['json', ''],
    ['bytes', 'abc'],
    ['bytes', '\\x1'],
    [{ list: 'int32' }, '{}'],
    [{ list: 'int32' }, '[1.5]'],
    [{ struct: [] }, '{"a":1}'],
  ] as [LogicalType, string][])('refuses %j of %j, naming the place and never the value', (type, text) => {
    expect(refused(type, text)).toBe(true);
  });

  it('survives JSON that is nested too deeply', () => {
    expect(refused({ list: 'json' }, '['.repeat(200_000) + ']'.repeat(200_000))).toBe(true);
  });
});

describe('a cell as JSON', () => {
  it('shows numbers as numbers only where JavaScript holds them exactly', () => {
    expect(cellToJson('int64', 42n)).toBe(42);
    expect(cellToJson('int64', 2n ** 60n + 1n)).toBe('1152921504606846977');
    expect(cellToJson('decimal', '0.1')).toBe(0.1);
    expect(cellToJson('decimal', '0.10000000000000000001')).toBe('0.10000000000000000001');
    expect(cellToJson('float64', NaN)).toBe('NaN');
    expect(cellToJson('json', '{"a":12345678901234567890.123}')).toEqual({ a: '12345678901234567890.123' });
    expect(cellToJson({ list: 'timestamptz' }, [0n, null])).toEqual(['1970-01-01T00:00:00Z', null]);
    expect(cellToJson('text', null)).toBeNull();
  });
});

describe('the text of a type', () => {
  it('reads back', () => {
    fc.assert(
      fc.property(anyType, (type) => {
        expect(typeText(parseType(typeText(type)) as LogicalType)).toBe(typeText(type));
      }),
    );
  });

  it('keeps any name that a field may have', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constantFrom('', 'a:b', ' a', '>', '"', '"a": int32', ':')), { maxLength: 4 }),
        (names) => {
          const back = parseType(typeText({ struct: names.map((name) => ({ name, type: 'int32', nullable: true })) }));
          expect(back).toEqual({ struct: names.map((name) => ({ name, type: 'int32', nullable: true })) });
        },
      ),
    );
  });

  it.each([
    '',
    'int',
    'list',
    'list<>',
    'list<int32',
    'list<int32>>',
    'struct<a>',
    'struct<a: int32',
    'int64 x',
    `${'list<'.repeat(1000)}int32${'>'.repeat(1000)}`,
  ])('refuses %j', (text) => {
    expect(parseType(text)).toBeNull();
  });
});

describe('the text of a key', () => {
  const shape = {
    fields: [
      { name: 'a', type: 'int64', nullable: false },
      { name: 'b', type: 'text', nullable: false },
    ],
    key: [1, 0],
    open: false,
  } as const;
  const single = { ...shape, key: [0] } as const;

  it('is a JSON array in key order, and reads back', () => {
    expect(keyToText(shape, [2n ** 60n, 'x"y'])).toBe('["x\\"y","1152921504606846976"]');
    expect(keyFromText(shape, '["x\\"y","1152921504606846976"]')).toEqual(['x"y', 2n ** 60n]);
    expect(keyFromText(shape, '["x", 1152921504606846977]')).toEqual(['x', 2n ** 60n + 1n]);
  });

  it('may be the plain value of a single key', () => {
    expect(keyFromText(single, '42')).toEqual([42n]);
    expect(keyFromText(single, '[42]')).toEqual([42n]);
    expect(() => keyFromText(single, 'x')).toThrow(expect.objectContaining({ code: 'E_RECORD_VALUE' }));
    expect(() => keyFromText(shape, '42')).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
  });
});
