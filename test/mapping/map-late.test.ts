import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Row } from '../../src/model/cell.ts';
import type { LateMapped } from '../../src/mapping/mapped.ts';
import { scanRows } from '../../src/model/records.ts';
import { batchOf, mapping, shapeOf } from './mapping-fixture.ts';
import type { MapOptions } from './mapping-fixture.ts';

const source = shapeOf({ id: 'int64', amount: 'decimal', part: 'int64' });
const TEXT = `fields:
  id: id
  whole: { from: amount, type: int64, onLoss: truncate }
  share: { expr: "100 / part" }
  amount: amount
`;
const late = (rows: readonly Row[], how: MapOptions = {}, text = TEXT): LateMapped | null =>
  mapping(text, source).mapper.mapLate?.(batchOf(source, rows, how)) ?? null;

describe('records that are mapped while they are written', () => {
  it('are what mapping the whole batch makes of them, with the same conversions, however often they are looked at', () => {
    const { map } = mapping(TEXT, source);
    const row = fc.tuple(fc.bigInt(-9n, 9n), fc.constantFrom('1', '2.5', '-0.75', null), fc.bigInt(1n, 9n)) satisfies fc.Arbitrary<Row>;
    fc.assert(
      fc.property(fc.array(row, { maxLength: 20 }), (rows) => {
        const whole = map(rows);
        const mapped = late(rows) as LateMapped;
        for (const _time of [1, 2]) {
          expect([...scanRows(mapped.batch.records)]).toEqual(whole.batch.records.rows());
          expect(mapped.conversions()).toEqual(whole.conversions);
        }
        expect(mapped.batch.records.slice(1, 3).rows()).toEqual(whole.batch.records.rows().slice(1, 3));
        expect(mapped.batch.records).toMatchObject({ count: rows.length, bytes: rows.length * 10 });
        expect(mapped.faulted()).toBe(false);
      }),
    );
  });

  it('keep text that nobody looked into as text', () => {
    const decode = (text: string) => BigInt(text);
    const mapped = late([['7', '2.5', '4']], { decoders: [decode, null, decode] });
    expect(mapped?.batch.records.rows()).toEqual([['7', 2n, 25n, '2.5']]);
    expect([0, 1, 2].map((field) => mapped?.batch.records.decoder(field) === null)).toEqual([false, true, true]);
    expect(mapped?.batch.records.textDialect).toBe('postgres');
  });

  it('say that one of them cannot be mapped, and end there', () => {
    const mapped = late([
      [1n, '1', 1n],
      [2n, '1', 0n],
      [3n, '1', 1n],
    ]) as LateMapped;
    const seen: unknown[] = [];
    const look = () => {
      for (const [id] of scanRows(mapped.batch.records)) seen.push(id);
    };
    expect(look).toThrow(expect.objectContaining({ code: 'E_BUG' }));
    expect(seen).toEqual([1n]);
    expect(mapped.faulted()).toBe(true);
  });

  it('are none where a record may become something else than one upsert', () => {
    const rows: Row[] = [[1n, '1', 1n]];
    expect(late(rows)).not.toBeNull();
    expect(late(rows, { ops: ['delete'] })).toBeNull();
    expect(late(rows, {}, `${TEXT}where: "part > 1"\n`)).toBeNull();
    expect(mapping(TEXT, source).mapper.mapLate?.({ ...batchOf(source, rows), distinctKeys: false })).toBeNull();
  });
});
