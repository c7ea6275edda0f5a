import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { cellFromText, cellToText } from '../../src/model/cell-text.ts';
import type { Cell } from '../../src/model/cell.ts';
import { planConversion } from '../../src/model/conversion.ts';
import type { ConversionRequest } from '../../src/model/conversion.ts';
import { SCALAR_TYPES } from '../../src/model/logical-type.ts';
import type { LogicalType, ScalarType } from '../../src/model/logical-type.ts';
import { openZone } from '../../src/model/zone.ts';
import { anyType, carrier } from './arbitraries.ts';

const utc = openZone('UTC')!;
const berlin = openZone('Europe/Berlin')!;

function convert(from: LogicalType, to: LogicalType, cell: Cell, rest: Partial<ConversionRequest> = {}) {
  const notes: string[] = [];
  const plan = planConversion({ from, to, onLoss: 'error', place: "field 'f'", ...rest });
  try {
    return { cell: plan.convert(cell, (kind) => notes.push(kind)), notes };
  } catch (error) {
    return { code: (error as { code?: string }).code, message: (error as Error).message, notes };
  }
}

const pairs = SCALAR_TYPES.flatMap((from) => SCALAR_TYPES.map((to): [ScalarType, ScalarType] => [from, to]));

describe('the conversion matrix', () => {
  it('answers for every pair of types', () => {
    const kinds = Object.groupBy(pairs, ([from, to]) => planConversion({ from, to, onLoss: 'error' }).kind);
    expect(kinds.same).toHaveLength(SCALAR_TYPES.length);
    expect(kinds.exact?.map((pair) => pair.join('→'))).toMatchSnapshot();
    expect([...(kinds.checked ?? []), ...(kinds.lossy ?? [])].map((pair) => pair.join('→'))).toMatchSnapshot();
  });

  it('gives every value back through every exact pair', () => {
    for (const [from, to] of pairs) {
      const there = planConversion({ from, to, onLoss: 'error' });
      if (there.kind !== 'exact' && there.kind !== 'same') continue;
      const back = planConversion({ from: to, to: from, onLoss: 'error' });
      expect(back.kind, `${to} to ${from}`).not.toBe('impossible');
      fc.assert(
        fc.property(carrier(from), (cell) => {
          const notes: string[] = [];
          const returned = back.convert(
            there.convert(cell, (kind) => notes.push(kind)),
            (kind) => notes.push(kind),
          );
          if (notes.length === 0) expect(returned).toEqual(cell);
          else expect([notes, cell]).toEqual([['negative-zero'], -0]);
        }),
        { numRuns: 60 },
      );
    }
  });

  it('never carries a value wrongly through a checked or lossy pair: it gives it back, or says so', () => {
    for (const [from, to] of pairs) {
      const there = planConversion({ from, to, onLoss: 'error', zone: utc });
      if (there.kind !== 'checked' && there.kind !== 'lossy') continue;
      const back = planConversion({ from: to, to: from, onLoss: 'error', zone: utc });
      if (back.kind === 'impossible' || from === 'variant') continue;
      fc.assert(
        fc.property(carrier(from), (cell) => {
          const notes: string[] = [];
          const there_ = convert(from, to, cell, { zone: utc });
          if (there_.code !== undefined) return;
          notes.push(...there_.notes);
          const returned = back.convert(there_.cell, (kind) => notes.push(kind));
          if (notes.length === 0) expect(equalValue(from, returned, cell)).toBe(true);
        }),
        { numRuns: 60 },
      );
    }
  });

  it('keeps NULL and absent apart, whatever the types', () => {
    for (const [from, to] of pairs) {
      if (planConversion({ from, to, onLoss: 'error', zone: utc }).kind === 'impossible') continue;
      expect(convert(from, to, null, { zone: utc })).toEqual({ cell: null, notes: [] });
      expect(convert(from, to, undefined, { zone: utc })).toEqual({ cell: undefined, notes: [] });
    }
  });

  it('makes the canonical text of everything, and reads it back', () => {
    const typed = anyType.filter((type) => type !== 'variant').chain((type) => carrier(type).map((cell) => ({ type, cell })));
    fc.assert(
      fc.property(typed, ({ type, cell }) => {
        const { cell: text, notes } = convert(type, 'text', cell);
        expect(notes).toEqual([]);
        expect(text).toBe(cellToText(type, cell));
        expect(cellFromText(type, text as string)).toEqual(cell);
      }),
      { numRuns: 500 },
    );
  });
});

/** Decimals and texts may differ in form where they stand for the same value: 1.50 and 1.5, '+1' and '1'. */
function equalValue(type: LogicalType, a: Cell, b: Cell): boolean {
  if (type === 'decimal') return a === b || Number(a) === Number(b) || (Number.isNaN(Number(a)) && Number.isNaN(Number(b)));
  if (type === 'float64') return a === b || Object.is(a, b);
  if (type === 'text' || type === 'unknown' || type === 'json') return true;
  return JSON.stringify(a, stringify) === JSON.stringify(b, stringify);
}
const stringify = (_key: string, value: unknown) =>
  typeof value === 'bigint' ? `${value}n` : value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;

describe('a loss', () => {
  const losses: [LogicalType, LogicalType, Cell, Cell | undefined][] = [
    ['int64', 'int32', 2n ** 31n, undefined],
    ['int64', 'float64', 2n ** 53n + 1n, 2 ** 53],
    ['float64', 'int32', 1.9, 1],
    ['float64', 'int32', -1.9, -1],
    ['float64', 'int64', NaN, undefined],
    ['float64', 'int64', 1e300, undefined],
    ['decimal', 'int64', '9223372036854775807.5', 9223372036854775807n],
    ['decimal', 'int64', '9223372036854775808', undefined],
    ['decimal', 'int32', 'NaN', undefined],
    ['decimal', 'float64', '0.10000000000000000001', 0.1],
    ['text', 'float64', '12345678901234567890.123', 12345678901234567000],
    ['text', 'timestamptz', '2026-01-01T00:00:00.1234567Z', 1_767_225_600_123_456n],
    ['timestamp', 'date', '2026-01-01 00:00:01', '2026-01-01'],
    ['float64', 'json', Infinity, undefined],
    [{ list: 'float64' }, { list: 'int32' }, [1, 2.5], [1, 2]],
  ];

  it.each(losses)('from %j to %j is refused by default, naming field and types, never the value', (from, to, cell) => {
    const { code, message } = convert(from, to, cell);
    expect(code).toBe('E_RECORD_LOSS');
    expect(message).toMatch(/^field 'f': .*\(\S+ to \S+\)$/);
    const text = cellToText(from, cell) as string;
    if (/\d/.test(text)) expect(message).not.toContain(text);
  });

  it.each(losses)('from %j to %j is cut or refused by `truncate`', (from, to, cell, cut) => {
    const result = convert(from, to, cell, { onLoss: 'truncate' });
    if (cut === undefined) expect(result.code).toBe('E_RECORD_LOSS');
    else expect([result.cell, result.notes.length]).toEqual([cut, 1]);
  });

  it('becomes NULL by `null`, and is counted', () => {
    expect(convert('int64', 'int32', 2n ** 40n, { onLoss: 'null' })).toEqual({ cell: null, notes: ['null'] });
    expect(convert('text', 'int64', 'abc', { onLoss: 'null' })).toEqual({ cell: null, notes: ['null'] });
    expect(convert({ list: 'text' }, { list: 'int32' }, ['1', 'x'], { onLoss: 'null' })).toEqual({ cell: [1, null], notes: ['null'] });
  });

  it('becomes text by `text` where the type can hold text, and is refused where not', () => {
    expect(convert('float64', 'json', NaN, { onLoss: 'text' })).toEqual({ cell: '"NaN"', notes: ['text'] });
    expect(convert('int64', 'int32', 2n ** 40n, { onLoss: 'text' }).code).toBe('E_RECORD_LOSS');
  });

  it('of text that stands for no such value is a value fault', () => {
    expect(convert('text', 'int64', 'abc').code).toBe('E_RECORD_VALUE');
    expect(convert('text', 'int64', '').code).toBe('E_RECORD_VALUE');
    expect(convert('json', 'int64', '"x"').code).toBe('E_RECORD_VALUE');
    expect(convert('bytes', 'uuid', new Uint8Array(3)).code).toBe('E_RECORD_VALUE');
    expect(convert('int32', 'bool', 2).code).toBe('E_RECORD_VALUE');
  });
});

describe('json', () => {
  it('gives its values exactly', () => {
    expect(convert('json', 'decimal', '12345678901234567890.1230').cell).toBe('12345678901234567890.1230');
    expect(convert('json', 'int64', '9007199254740993').cell).toBe(9007199254740993n);
    expect(convert('json', 'float64', '12345678901234567890.123').code).toBe('E_RECORD_LOSS');
    expect(convert('json', { list: 'int64' }, '[1,null,9007199254740993]').cell).toEqual([1n, null, 9007199254740993n]);
    expect(convert('json', 'text', '{"a": 1}').cell).toBe('{"a": 1}');
    expect(convert('json', 'int64', 'null')).toEqual({ cell: null, notes: ['json-null'] });
  });

  it('takes every other value exactly', () => {
    expect(convert('decimal', 'json', '1.10').cell).toBe('1.10');
    expect(convert('int64', 'json', 2n ** 60n + 1n).cell).toBe('1152921504606846977');
    expect(convert({ struct: [{ name: '__proto__', type: 'decimal', nullable: true }] }, 'json', ['1.10']).cell).toBe('{"__proto__":1.10}');
    expect(convert({ list: 'text' }, 'json', ['a"b', null]).cell).toBe('["a\\"b",null]');
    expect(convert('text', 'json', '{"a":1}').cell).toBe('{"a":1}');
    expect(convert('text', 'json', 'a').code).toBe('E_RECORD_VALUE');
    expect(convert({ list: 'float64' }, 'json', [NaN]).code).toBe('E_RECORD_LOSS');
  });
});

describe('civil times and instants', () => {
  it('do not meet without a zone', () => {
    for (const [from, to] of [
      ['timestamp', 'timestamptz'],
      ['timestamptz', 'timestamp'],
      ['timestamptz', 'date'],
      ['date', 'timestamptz'],
    ] as const) {
      expect(planConversion({ from, to, onLoss: 'error' })).toMatchObject({ kind: 'impossible', loss: expect.stringContaining('zone') });
    }
  });

  it('meet in a zone, to the microsecond', () => {
    const instant = convert('timestamp', 'timestamptz', '2026-07-01 12:00:00.123456', { zone: berlin });
    expect(cellToText('timestamptz', instant.cell)).toBe('2026-07-01T10:00:00.123456Z');
    expect(instant.notes).toEqual([]);
    expect(convert('timestamptz', 'timestamp', instant.cell, { zone: berlin }).cell).toBe('2026-07-01 12:00:00.123456');
  });

  it('count what clocks skipped or showed twice', () => {
    const text = (civil: string) => {
      const { cell, notes } = convert('timestamp', 'timestamptz', civil, { zone: berlin });
      return [cellToText('timestamptz', cell), ...notes];
    };
    expect(text('2026-03-29 01:59:59.999999')).toEqual(['2026-03-29T00:59:59.999999Z']);
    expect(text('2026-03-29 02:30:00')).toEqual(['2026-03-29T01:30:00Z', 'gap']);
    expect(text('2026-03-29 03:00:00')).toEqual(['2026-03-29T01:00:00Z']);
    expect(text('2026-10-25 02:30:00')).toEqual(['2026-10-25T01:30:00Z', 'overlap']);
    expect(convert('timestamptz', 'timestamp', cellFromText('timestamptz', '2026-10-25T00:30:00Z'), { zone: berlin })).toEqual({
      cell: '2026-10-25 02:30:00',
      notes: ['overlap'],
    });
  });

  it('knows zones whose offset had seconds, a skipped day, and infinity', () => {
    expect(cellToText('timestamptz', convert('timestamp', 'timestamptz', '1890-01-01 00:00:00', { zone: berlin }).cell)).toBe(
      '1889-12-31T23:06:32Z',
    );
    const apia = openZone('Pacific/Apia')!;
    expect(cellToText('timestamptz', convert('timestamp', 'timestamptz', '2011-12-30 12:00:00', { zone: apia }).cell)).toBe(
      '2011-12-30T22:00:00Z',
    );
    expect(convert('timestamp', 'timestamptz', '-infinity', { zone: berlin }).cell).toBe(-(2n ** 63n - 1n));
    expect(openZone('Mars/Olympus')).toBeNull();
  });

  it('refuse years that no time zone is known for', () => {
    expect(convert('timestamp', 'timestamptz', '290000-01-01 00:00:00', { zone: berlin }).code).toBe('E_RECORD_LOSS');
    expect(convert('date', 'timestamptz', '5874897-01-01', { zone: berlin }).code).toBe('E_RECORD_LOSS');
  });

  it('give every instant of two centuries back, but for the counted ones', () => {
    const instants = fc.bigInt({ min: -4_000_000_000_000_000n, max: 4_000_000_000_000_000n });
    const zones = fc
      .constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Casablanca', 'Asia/Kathmandu', 'America/St_Johns')
      .map((name) => openZone(name)!);
    fc.assert(
      fc.property(instants, zones, (instant, zone) => {
        const civil = convert('timestamptz', 'timestamp', instant, { zone });
        const back = convert('timestamp', 'timestamptz', civil.cell, { zone });
        expect(back.cell === instant || civil.notes.includes('overlap')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe('variants', () => {
  it('convert by the type that each value names', () => {
    expect(convert('variant', 'text', { variant: 'text', value: 'x' }).cell).toBe('x');
    expect(convert('variant', 'text', { variant: 'int64', value: 5n }).code).toBe('E_RECORD_LOSS');
    expect(convert('variant', 'text', { variant: 'int64', value: 5n }, { onLoss: 'text' })).toEqual({ cell: '5', notes: ['text'] });
    expect(convert('variant', 'int32', { variant: 'int64', value: 5n }).cell).toBe(5);
    expect(convert('variant', 'int32', { variant: 'int64', value: 2n ** 40n }).code).toBe('E_RECORD_LOSS');
    expect(convert('variant', 'int32', { variant: 'bytes', value: new Uint8Array() }).code).toBe('E_RECORD_VALUE');
    expect(convert('variant', 'int32', { variant: 'int32', value: 7 }).cell).toBe(7);
  });
});

describe('structs', () => {
  const a = { name: 'a', type: 'int64', nullable: true } as const;
  const b = { name: 'b', type: 'text', nullable: true } as const;
  it('convert field by field, by name', () => {
    expect(convert({ struct: [a, b] }, { struct: [b, { ...a, type: 'int32' }] }, [1n, 'x']).cell).toEqual(['x', 1]);
    expect(planConversion({ from: { struct: [a, b] }, to: { struct: [a] }, onLoss: 'error' })).toMatchObject({
      kind: 'impossible',
      loss: expect.stringContaining("'b'"),
    });
    expect(planConversion({ from: { struct: [a] }, to: { struct: [a, b] }, onLoss: 'error' }).kind).toBe('impossible');
  });
});
