import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explainCursor, parseChangesCursor } from '../../../connectors/postgres/changes/cursor.ts';
import { settleFences, storedFences } from '../../../connectors/postgres/changes/fence.ts';
import { parseInstant } from '../../../connectors/postgres/values/instant.ts';
import { parseArray, parseComposite } from '../../../connectors/postgres/values/nested.ts';
import { parseStreamName, quoteText, streamName } from '../../../connectors/postgres/quote.ts';
import { inWindow, xminWindow } from '../../../connectors/postgres/changes/xid.ts';
import { INSTANT_INFINITY } from '../../../src/sdk.ts';

const EPOCH = 2n ** 32n;

describe('which rows were written since a horizon', () => {
  it('takes every row of the horizon or later, over any wrap of the 32 bits', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 3n, max: 6n * EPOCH }),
        fc.bigInt({ min: 0n, max: 2n ** 31n - 1n }),
        fc.bigInt({ min: 1n, max: 2n ** 31n - 1n }),
        (horizon, later, ahead) => {
          const written = horizon + later;
          expect(inWindow(xminWindow(horizon, written + ahead), Number(written % EPOCH))).toBe(true);
        },
      ),
    );
  });

  it('leaves out every row before the horizon that is not frozen', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 2n ** 31n, max: 6n * EPOCH }),
        fc.bigInt({ min: 1n, max: 2n ** 30n }),
        fc.bigInt({ min: 0n, max: 2n ** 30n }),
        (horizon, before, ahead) => {
          expect(inWindow(xminWindow(horizon, horizon + ahead), Number((horizon - before) % EPOCH))).toBe(false);
        },
      ),
    );
  });

  it('takes all without a horizon or after 2^32 transactions, and none when no transaction has begun since', () => {
    expect(xminWindow(null, 100n)).toEqual({ kind: 'all' });
    expect(xminWindow(5n, 5n + EPOCH)).toEqual({ kind: 'all' });
    expect(xminWindow(100n, 100n)).toEqual({ kind: 'none' });
  });

  it('finds rows on both sides of a wrap, where a comparison of the 32 bits finds half', () => {
    const horizon = 4n * EPOCH + (EPOCH - 15n);
    const window = xminWindow(horizon, horizon + 30n);
    const rows = Array.from({ length: 30 }, (_, index) => Number((horizon + BigInt(index)) % EPOCH));
    expect(rows.filter((xmin) => inWindow(window, xmin))).toHaveLength(30);
    expect(rows.filter((xmin) => xmin >= Number(horizon % EPOCH))).toHaveLength(15);
  });
});

describe('fences', () => {
  const open = (vxids: readonly string[], prepared = false) => ({ vxids: new Set(vxids), prepared });

  it('pass when none of their transactions is open, and then those before them have passed too', () => {
    const fences = [
      { u: '1', vxids: ['1/1'] },
      { u: '2', vxids: ['2/2'] },
      { u: '3', vxids: ['1/1', '3/3'] },
    ];
    expect(settleFences(fences, open(['1/1']))).toEqual({ passed: { u: '2', vxids: ['2/2'] }, pending: [{ u: '3', vxids: ['1/1'] }] });
    expect(settleFences(fences, open([]))).toMatchObject({ passed: { u: '3' }, pending: [] });
  });

  it('never pass while a prepared transaction exists, because it may be one of theirs under another name', () => {
    const { passed, pending } = settleFences([{ u: '1', vxids: ['1/1'] }], open([], true));
    expect([passed, pending]).toEqual([null, [{ u: '1', vxids: [] }]]);
    expect(settleFences(pending, open([])).passed).toMatchObject({ u: '1' });
  });

  it('are kept in a cursor as the oldest and the newest, unless they are too large', () => {
    const many = Array.from({ length: 2000 }, (_, index) => `${index}/1`);
    expect(
      storedFences([
        { u: '1', vxids: ['1/1'] },
        { u: '2', vxids: ['1/1'] },
        { u: '3', vxids: ['1/1'] },
      ]).map(({ u }) => u),
    ).toEqual(['1', '3']);
    expect(storedFences([{ u: '1', vxids: many }])).toEqual([]);
  });
});

describe('texts of Postgres', () => {
  it('reads instants to the microsecond, before Christ and beyond the year 9999', () => {
    expect(parseInstant('1970-01-01 00:00:00.000001+00')).toBe(1n);
    expect(parseInstant('2026-11-01 06:30:00.123456+00')).toBe(BigInt(Date.UTC(2026, 10, 1, 6, 30)) * 1000n + 123456n);
    expect(parseInstant('1969-12-31 23:59:59.9+00')).toBe(-100_000n);
    expect(parseInstant('0001-01-01 00:00:00+00 BC')).toBe(
      BigInt(Date.UTC(0, 0, 1) - (Date.UTC(0, 0, 1) - new Date('0000-01-01T00:00:00Z').getTime())) * 1000n,
    );
    expect(parseInstant('294276-12-31 23:59:59.999999+00')).toBe(9224318015999999999n);
    expect([parseInstant('infinity'), parseInstant('-infinity')]).toEqual([INSTANT_INFINITY, -INSTANT_INFINITY]);
    expect(parseInstant('2026-01-01 00:00:00+05:30')).toBe(parseInstant('2025-12-31 18:30:00+00'));
    expect(() => parseInstant('2026-01-01')).toThrow(RangeError);
  });

  it('reads arrays as array_out writes them, and refuses what a list cannot carry', () => {
    expect(parseArray('{}')).toEqual([]);
    expect(parseArray('{1,NULL,"NULL","a \\"b\\" \\\\ {,}",""}')).toEqual(['1', null, 'NULL', 'a "b" \\ {,}', '']);
    expect(parseArray('{(1,1),(0,0);(3,3),(2,2)}', ';')).toEqual(['(1,1),(0,0)', '(3,3),(2,2)']);
    expect(() => parseArray('{{1},{2}}')).toThrow(/dimension/);
    expect(() => parseArray('[2:3]={1,2}')).toThrow(/bounds/);
  });

  it('reads composites as record_out writes them', () => {
    expect(parseComposite('(1,,"","a ""b"" \\\\ (,)",x)')).toEqual(['1', null, '', 'a "b" \\ (,)', 'x']);
    expect(parseComposite('()')).toEqual([null]);
  });

  it('writes stream names with dots in them so that they read back', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (schema, name) => {
        expect(parseStreamName(streamName({ schema, name }), 'public')).toEqual({ schema, name });
      }),
    );
    expect(parseStreamName('orders', 'shop')).toEqual({ schema: 'shop', name: 'orders' });
    expect(parseStreamName('a.b.c', 'shop')).toBe(null);
  });

  it('escapes a backslash in a constant whatever standard_conforming_strings says', () => {
    expect(quoteText(`it's \\ here`)).toBe(`E'it''s \\\\ here'`);
  });
});

describe('cursors', () => {
  it('refuses one that another connector wrote', () => {
    expect(() => parseChangesCursor({ lsn: '0/1' })).toThrow(expect.objectContaining({ code: 'E_POSITION_LOST' }));
    expect(() => parseChangesCursor('7')).toThrow(expect.objectContaining({ code: 'E_POSITION_LOST' }));
  });

  it('explains itself to people', () => {
    const cursor = {
      kind: 'changes',
      head: { c: '2026-11-24 10:00:00.5+00', k: ['42'] },
      floor: '2026-11-24 09:59:59+00',
      horizon: '77',
      fences: [],
      timeline: '1',
      pass: null,
    };
    expect(explainCursor(cursor)).toBe('2026-11-24T10:00:00.5Z 42, transactions from 77, nothing late before 2026-11-24T09:59:59Z');
  });
});
