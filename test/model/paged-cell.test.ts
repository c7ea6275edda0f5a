import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogicalType } from '../../src/model/logical-type.ts';
import { cellFromJson } from '../../src/model/paged-cell.ts';

const read = (type: LogicalType, value: unknown): unknown => cellFromJson(type, value, "field 'x'");

describe('a JSON value as the carrier of a declared type', () => {
  it.each<[LogicalType, unknown, unknown]>([
    ['bool', false, false],
    ['int32', -5, -5],
    ['int32', '12', 12],
    ['int64', 9_007_199_254_740_991, 9_007_199_254_740_991n],
    ['int64', '9223372036854775807', 9_223_372_036_854_775_807n],
    ['int64', 5n, 5n],
    ['float64', 0.1, 0.1],
    ['float64', 'NaN', Number.NaN],
    ['decimal', '12345678901234567890.50', '12345678901234567890.50'],
    ['decimal', 1.5, '1.5'],
    ['decimal', 0.1, '0.1'],
    ['decimal', Number.NaN, 'NaN'],
    ['decimal', 1e-7, '0.0000001'],
    ['decimal', -9_007_199_254_740_991, '-9007199254740991'],
    ['text', '12', '12'],
    ['uuid', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['date', '2026-11-24', '2026-11-24'],
    ['timestamptz', '2026-11-24T11:00:00.123456+01:00', 1_795_514_400_123_456n],
    ['timestamptz', 1_795_514_400_123_456n, 1_795_514_400_123_456n],
    ['json', { a: [1, null, 'x'] }, '{"a":[1,null,"x"]}'],
    ['json', 'text', '"text"'],
    ['json', false, 'false'],
    [{ list: 'int64' }, [1, '2', null], [1n, 2n, null]],
    [
      {
        struct: [
          { name: 'a', type: 'int32', nullable: true },
          { name: 'b', type: 'text', nullable: true },
        ],
      },
      { b: 'x' },
      [null, 'x'],
    ],
    ['variant', { variant: 'text', value: 'x' }, { variant: 'text', value: 'x' }],
    ['int64', null, null],
    ['text', undefined, null],
  ])('%o takes %o', (type, value, cell) => {
    expect(read(type, value)).toEqual(cell);
  });

  it.each<[LogicalType, unknown]>([
    ['bool', 'yes'],
    ['bool', 1],
    ['int32', 1.5],
    ['int32', 2_147_483_648],
    ['int64', 9_007_199_254_740_992],
    ['int64', 1.5],
    ['int64', '9223372036854775808'],
    ['int64', ''],
    ['float64', {}],
    // JSON.parse made this of 0.1234567890123456789.
    ['decimal', 0.12345678901234568],
    ['decimal', 1e20],
    ['decimal', 'many'],
    ['text', 12],
    ['text', 'lone \ud800 surrogate'],
    ['uuid', 'nonsense'],
    ['date', '2026-02-30'],
    ['timestamptz', '2026-11-24T10:00:00.1234567Z'],
    ['timestamptz', '2026-11-24 10:00:00'],
    ['timestamptz', 1_795_514_400],
    ['timestamptz', new Date(0)],
    ['bytes', 'plain text'],
    ['json', { deep: [1e20] }],
    ['json', () => 1],
    [{ list: 'int64' }, 5],
    [{ list: 'int64' }, [1, 'x']],
    [{ struct: [{ name: 'a', type: 'int32', nullable: true }] }, 'x'],
    ['variant', 'x'],
  ])('%o refuses %o', (type, value) => {
    expect(() => read(type, value)).toThrow(
      expect.objectContaining({ code: 'E_RECORD_UNREADABLE', message: expect.stringContaining("field 'x'") }),
    );
  });

  it('names the item or member that does not fit, and never its value', () => {
    const type: LogicalType = { struct: [{ name: 'tags', type: { list: 'int32' }, nullable: true }] };
    expect(() => read(type, { tags: [1, 's3cret'] })).toThrow(/field 'x'\.tags\[1\]/);
    expect(() => read(type, { tags: [1, 's3cret'] })).not.toThrow(/s3cret/);
  });

  it('does not read what an object only inherits', () => {
    expect(
      read(
        {
          struct: [
            { name: 'constructor', type: 'text', nullable: true },
            { name: '__proto__', type: 'text', nullable: true },
          ],
        },
        {},
      ),
    ).toEqual([null, null]);
  });

  it('keeps every decimal that a number can hold exactly, and refuses the others', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 15n) + 1n, max: 10n ** 15n - 1n }), fc.integer({ min: 0, max: 12 }), (digits, scale) => {
        const text = decimalOf(digits, scale);
        expect(read('decimal', JSON.parse(text))).toBe(shortest(text));
      }),
    );
    fc.assert(
      fc.property(fc.bigInt({ min: 10n ** 18n, max: 10n ** 25n }), (digits) => {
        expect(() => read('decimal', JSON.parse(String(digits)))).toThrow(/deliver it as text/);
      }),
    );
  });
});

function decimalOf(digits: bigint, scale: number): string {
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0');
  const whole = scale === 0 ? text : `${text.slice(0, -scale)}.${text.slice(-scale)}`;
  return digits < 0n ? `-${whole}` : whole;
}

/** Without the zeros at the end, which a number does not have. */
function shortest(text: string): string {
  return text.includes('.') ? text.replace(/0+$/, '').replace(/\.$/, '') : text;
}
