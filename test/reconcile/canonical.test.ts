import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INSTANT_INFINITY } from '../../src/model/cell.ts';
import type { Cell } from '../../src/model/cell.ts';
import { compareDecimals, decimalText, parseDecimal } from '../../src/model/decimal.ts';
import type { LogicalType } from '../../src/model/logical-type.ts';
import { canonicalizer, sameCanonical } from '../../src/reconcile/canonical.ts';
import { addToHash, createHash, finishHash, resetHash } from '../../src/reconcile/hash.ts';
import type { Canonical } from '../../src/reconcile/canonical.ts';
import { anyType, carrier, decimalText as anyDecimal } from '../model/arbitraries.ts';

function hashOf(...values: readonly Canonical[]): string {
  const hash = createHash();
  resetHash(hash);
  for (const value of values) addToHash(hash, value);
  finishHash(hash);
  return `${hash.high.toString(16)} ${hash.low.toString(16)}`;
}

function same(type: LogicalType, a: Cell, b: Cell): boolean {
  const canonical = canonicalizer(type);
  const [left, right] = [canonical(a), canonical(b)];
  // The hash may never tell otherwise than the values themselves.
  expect(hashOf(left) === hashOf(right)).toBe(sameCanonical(left, right));
  return sameCanonical(left, right);
}

/** Pairs that are equal by value, however they are written. */
const EQUAL: readonly (readonly [LogicalType, Cell, Cell])[] = [
  ['decimal', '1.0', '1.00'],
  ['decimal', '0', '-0.000'],
  ['decimal', '1200', '1.2e3'],
  ['decimal', '0.5', '.5'],
  ['decimal', '+7', '007'],
  ['decimal', '1e-3', '0.0010'],
  ['decimal', '1e200000', '10e199999'],
  ['decimal', 'NaN', 'NaN'],
  ['float64', NaN, Number.NaN],
  ['json', '{"a":1,"b":[1,2]}', ' { "b" : [1.0, 2e0], "a": 1.00 } '],
  ['json', '{"a":1,"a":2}', '{"a":2}'],
  ['json', '"\\u00e9"', '"é"'],
  ['json', '-0', '0'],
  ['json', '{"10":1,"9":2}', '{"9":2,"10":1}'],
  ['json', 'not json', 'not json'],
  ['uuid', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['timestamp', '2026-01-01 00:00:00.100000', '2026-01-01 00:00:00.1'],
  ['timestamp', '2026-01-01T00:00:00', '2026-01-01 00:00:00'],
  ['time', '10:00:00+02', '10:00:00.000+02:00'],
  ['bytes', Uint8Array.of(1, 2), Uint8Array.of(1, 2)],
  [{ list: 'decimal' }, ['1.0', null], ['1', null]],
  [
    {
      struct: [
        { name: 'a', type: 'json', nullable: true },
        { name: 'b', type: 'decimal', nullable: true },
      ],
    },
    ['{"x": 1}', '2'],
    ['{"x":1.0}', '2.0'],
  ],
  ['variant', { variant: 'decimal', value: '1.0' }, { variant: 'decimal', value: '1' }],
];

/** Pairs that differ, however alike they look. */
const DIFFERENT: readonly (readonly [LogicalType, Cell, Cell])[] = [
  ['text', '', null],
  ['text', 'a', 'a '],
  ['text', 'é', 'e\u0301'],
  ['text', 'a', 'A'],
  ['text', null, undefined],
  ['decimal', '1.10', '1.1000000000000000000000000000001'],
  ['decimal', 'NaN', 'Infinity'],
  ['decimal', 'Infinity', '-Infinity'],
  ['decimal', '1e200000', '1e200001'],
  ['decimal', '0', null],
  ['float64', 0, -0],
  ['float64', NaN, null],
  ['float64', 0.1, 0.1 + Number.EPSILON / 16],
  ['int64', 2n ** 53n, 2n ** 53n + 1n],
  ['int64', 0n, -1n],
  ['timestamptz', 1n, 2n],
  ['timestamptz', INSTANT_INFINITY, -INSTANT_INFINITY],
  ['time', '10:00:00', '10:00:00+00'],
  ['time', '24:00:00', '00:00:00'],
  ['json', '[1,2]', '[2,1]'],
  ['json', '1', '"1"'],
  ['json', 'null', null],
  ['json', '{}', '[]'],
  ['json', '1.00000000000000000001', '1'],
  ['json', '{"a":null}', '{}'],
  ['json', 'not json', '"not json"'],
  ['interval', 'P1D', 'PT24H'],
  ['bool', false, null],
  ['bytes', Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0)],
  [{ list: 'text' }, ['a', 'b'], ['ab', '']],
  [{ list: 'text' }, ['a"1:b'], ['a', 'b']],
  [{ list: 'text' }, [], [null]],
  [{ list: 'text' }, ['n'], [null]],
  [{ list: { list: 'int32' } }, [[1], [2]], [[1, 2]]],
  ['variant', { variant: 'int64', value: 1n }, { variant: 'text', value: '1' }],
];

describe('canonical values', () => {
  it.each(EQUAL)('are the same for equal values of %j', (type, a, b) => {
    expect(same(type, a, b)).toBe(true);
  });

  it.each(DIFFERENT)('differ for different values of %j', (type, a, b) => {
    expect(same(type, a, b)).toBe(false);
  });

  it('are the same for a value and itself, of every type', () => {
    fc.assert(
      fc.property(
        anyType.chain((type) => fc.tuple(fc.constant(type), carrier(type))),
        ([type, cell]) => {
          const copy = structuredClone(cell);
          expect(same(type, cell, copy)).toBe(true);
        },
      ),
    );
  });

  it('of decimals are the same exactly when the numbers are', () => {
    const near = anyDecimal.chain((text) =>
      fc.tuple(
        fc.constant(text),
        fc.oneof(anyDecimal, fc.constantFrom(text, `${text}0`, `${text}.0`, `${text}e0`, `-${text}`, `${text}1`)),
      ),
    );
    fc.assert(
      fc.property(near, ([a, b]) => {
        const [left, right] = [parseDecimal(a), parseDecimal(b)];
        const equal = left === null || right === null ? a === b : compareDecimals(left, right) === 0;
        expect(same('decimal', a, b)).toBe(equal);
        if (left !== null) expect(same('decimal', a, decimalText(left))).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('of json are the same for any order of names, any space, and any notation of a number', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
        expect(same('json', JSON.stringify(value), JSON.stringify(reversed(value), null, 3))).toBe(true);
      }),
    );
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 2 }), fc.jsonValue({ maxDepth: 2 }), (a, b) => {
        const [left, right] = [JSON.stringify(a), JSON.stringify(b)];
        expect(same('json', left, right)).toBe(JSON.stringify(sortedNames(a)) === JSON.stringify(sortedNames(b)));
      }),
    );
  });
});

describe('the hash of a record', () => {
  const values = fc.array(
    fc.oneof(
      fc.string(),
      fc.integer(),
      fc.double(),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.boolean(),
      fc.constantFrom(null, undefined),
    ),
    { maxLength: 4 },
  );

  it('is the same exactly when all of its values are', () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const equal = a.length === b.length && a.every((value, index) => Object.is(value, b[index]));
        expect(hashOf(...a) === hashOf(...b)).toBe(equal);
      }),
      { numRuns: 5000 },
    );
  });

  it('tells where one value ends and the next begins', () => {
    expect(hashOf('ab', 'c')).not.toBe(hashOf('a', 'bc'));
    expect(hashOf('', 'a')).not.toBe(hashOf('a', ''));
    expect(hashOf('a')).not.toBe(hashOf('a', null));
    expect(hashOf(1)).not.toBe(hashOf(1n));
  });

  it('spreads 400,000 small keys over all 65,536 buckets, without a collision', () => {
    const seen = new Set<bigint>();
    const counts = new Uint32Array(65_536);
    const hash = createHash();
    for (let n = 0; n < 400_000; n++) {
      resetHash(hash);
      addToHash(hash, n % 2 === 0 ? String(n) : BigInt(n));
      finishHash(hash);
      counts[hash.low % 65_536]! += 1;
      seen.add((BigInt(hash.high) << 32n) | BigInt(hash.low));
    }
    expect(seen.size).toBe(400_000);
    // 6.1 on average; far tails would be a bias.
    expect(counts.filter((count) => count === 0).length).toBeLessThan(300);
    expect(Math.max(...counts)).toBeLessThan(30);
  });
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, item]) => [name, reversed(item)]),
  );
}

function sortedNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedNames);
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? 0 : value;
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, item]) => [name, sortedNames(item)])
    .concat([['{}', '']]);
}
