import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineRecords } from '../../../connectors/postgres/copy/line-cells.ts';
import { nothingStaged, stagedLines } from '../../../connectors/postgres/lane/lines.ts';
import type { Segment, Staged } from '../../../connectors/postgres/lane/lines.ts';
import { recordLines } from '../../../connectors/postgres/lane/splice.ts';
import { COPY_NULL, copyText } from '../../../connectors/postgres/values/encode.ts';
import type { Row } from '../../../src/model/cell.ts';
import { batchOf, mapping, shapeOf } from '../../mapping/mapping-fixture.ts';

const source = shapeOf({ id: 'text', a: 'text', b: 'text', c: 'text', d: 'text' });
/** Neighbours that stay neighbours (b, c), that do not, a field twice, and what is made at either end and between. */
const TEXT = `fields:
  first: { expr: "a == null ? null : a + d" }
  id: id
  b: b
  c: c
  looked: { from: b, lookup: { x: "tab\\tnew\\nline" }, default: null }
  again: b
  a: a
  last: { expr: "c == null ? '' : c + c" }
key: [id]
`;

/** As COPY TO writes them, cut at these places. */
function pieces(rows: readonly Row[], places: readonly number[]): Buffer[] {
  const line = (row: Row) => `${row.map((cell) => (cell === null ? COPY_NULL : copyText(cell as string))).join('\t')}\n`;
  const bytes = Buffer.from(rows.map(line).join(''));
  const at = [...new Set([0, ...places.map((place) => place % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

/** A batch that a mapping looks into, with the lines that it came in or without. */
function segmentOf(rows: readonly Row[], places: readonly number[] | null, straight: boolean): Segment & { readonly into: Staged } {
  const { mapper } = mapping(TEXT, source);
  const batch = batchOf(source, rows);
  const lines = places === null ? null : { pieces: pieces(rows, places), count: rows.length, bytes: 0 };
  const records = {
    ...batch.records,
    lines: () => (lines === null ? null : lineRecords({ stream: 'orders', fields: 5, cells: 5 }, lines)),
  };
  const late = mapper.mapLate?.({ ...batch, records }) ?? null;
  if (late === null) throw new Error('the batch is not mapped while it is written');
  const mapped = late.batch;
  const layout = mapped.shape.fields.map((field, index) => ({
    lane: { column: { name: field.name }, field, fit: { kind: 'raw', toText: (cell: string) => cell }, key: field.name === 'id' },
    field: index,
    unread: true,
    decode: null,
    note: () => {},
  })) as unknown as Segment['layout'];
  return { batch: mapped, layout, from: 0, to: rows.length, into: nothingStaged(), straight };
}

const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('\\', '\t', '\n', 'N', 'x', 'é', '日', '😀') }),
  fc.constantFrom('x', 'y'.repeat(30), 'y\\'.repeat(500), 'é'.repeat(9_000), 'é'.repeat(40_000), 'tab\t'.repeat(90_000)),
);
const cell = fc.option(text);
const row = fc.tuple(fc.option(text, { freq: 20 }), cell, cell, cell, text);

describe('lines that are made of the lines of another COPY', () => {
  it('are those that are made of cells, with the same faults', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 8 }), fc.array(fc.nat()), fc.boolean(), (rows, places, straight) => {
        const cells = segmentOf(rows, null, straight);
        const spliced = segmentOf(rows, places, straight);
        expect(spliced.batch.records.lines?.()).not.toBeNull();
        const expected = Buffer.concat([...stagedLines(cells)]);
        expect(Buffer.concat([...recordLines(spliced)]).equals(expected)).toBe(true);
        expect(spliced.into).toEqual(cells.into);
      }),
    );
  });

  it('fall back to cells for a part of the batch', () => {
    const rows: Row[] = ['1', '2', '3'].map((id) => [id, 'a', 'b', 'c', 'd']);
    const segment = { ...segmentOf(rows, [], false), from: 1, to: 2 };
    expect(Buffer.concat([...recordLines(segment)]).toString()).toBe(`1\t0\tad\t2\tb\tc\t${COPY_NULL}\tb\ta\tcc\n`);
  });
});
