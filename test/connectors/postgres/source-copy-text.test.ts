import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineRecords } from '../../../connectors/postgres/copy/line-cells.ts';
import { lastLineTail, lineCollector, lineTexts } from '../../../connectors/postgres/copy/lines.ts';
import type { LineLimits, Lines, OversizedLine } from '../../../connectors/postgres/copy/lines.ts';
import { lastCells, splitLine } from '../../../connectors/postgres/copy/text.ts';

const ESCAPED: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v',
};

/** As COPY TO writes it. */
function copied(rows: readonly (readonly (string | null)[])[]): Buffer {
  const lines = rows.map((row) =>
    row.map((cell) => (cell === null ? '\\N' : cell.replaceAll(/[\\\t\n\r\b\f\v]/g, (char) => ESCAPED[char] as string))).join('\t'),
  );
  return Buffer.from(lines.map((line) => `${line}\n`).join(''));
}

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set([0, ...places.map((place) => place % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

const cell = fc.option(
  fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: fc.constantFrom('\\', '\t', '\n', 'N', '.', 'é', '日', '😀', '"') })),
);

const UNLIMITED: LineLimits = { count: Infinity, bytes: Infinity, perLine: 0, lineBytes: 1_000_000 };

interface Batch {
  readonly lines: Lines;
  readonly oversized: readonly OversizedLine[];
}

/** Everything that the chunks hold, as batches within the limits. */
function collected(chunks: readonly Buffer[], limits: LineLimits): { readonly batches: Batch[]; readonly open: boolean } {
  const collector = lineCollector(limits);
  const batches: Batch[] = [];
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      at = collector.add(chunk, at);
      if (collector.full) batches.push(collector.take());
    }
  }
  if (!collector.empty) batches.push(collector.take());
  return { batches, open: collector.open };
}

const rowsOf = ({ lines }: Batch): (string | null)[][] => [...lineTexts(lines)].map(splitLine);

/** The same, each cell found as bytes. */
function rowsByCell({ lines }: Batch): (string | null)[][] {
  const records = lineRecords({ stream: 'rows', fields: 2, cells: 2 }, lines);
  const rows: (string | null)[][] = [];
  for (const line of records.scan()) rows.push([records.textAt(line, 0), records.textAt(line, 1)]);
  return rows;
}

describe('the text format of COPY', () => {
  it('comes back as the rows it was made of, wherever the chunks are cut and however few rows a batch takes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(cell, { minLength: 2, maxLength: 2 })),
        fc.array(fc.nat()),
        fc.integer({ min: 1, max: 5 }),
        (rows, places, count) => {
          const { batches, open } = collected(cutAt(copied(rows), places), { ...UNLIMITED, count });
          expect(open).toBe(false);
          expect(batches.flatMap(rowsOf)).toEqual(rows);
          expect(batches.flatMap(rowsByCell)).toEqual(rows);
          for (const [index, { lines }] of batches.entries()) {
            expect(lines.count).toBe(index < batches.length - 1 ? count : rows.length - count * (batches.length - 1));
            expect(lines.bytes).toBe(lines.pieces.reduce((sum, piece) => sum + piece.length, 0));
          }
        },
      ),
    );
  });

  it('tells the last cells of a batch without looking at the others', () => {
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 2 }), { minLength: 1 }), fc.array(fc.nat()), (rows, places) => {
        const [batch] = collected(cutAt(copied(rows), places), UNLIMITED).batches;
        const { lines } = batch as Batch;
        expect(splitLine(lastLineTail(lines))).toEqual(rows.at(-1));
        // From somewhere inside of the line, the cells that lie in it as a whole are still right.
        const some = lastCells(lastLineTail(lines, 3), 1);
        if (some !== null) expect(some).toEqual(rows.at(-1)?.slice(1));
      }),
    );
  });

  it('ends a batch before it gets too large, by what the rows weigh and by what their cells do', () => {
    const rows = Array.from({ length: 10 }, (_, id) => ['x'.repeat(98), String(id)]);
    const countsOf = (limits: Partial<LineLimits>) =>
      collected([copied(rows)], { ...UNLIMITED, ...limits }).batches.map(({ lines }) => lines.count);
    expect(countsOf({ bytes: 404 })).toEqual([4, 4, 2]);
    expect(countsOf({ bytes: 403 })).toEqual([3, 3, 3, 1]);
    expect(countsOf({ bytes: 404, perLine: 101 })).toEqual([2, 2, 2, 2, 2]);
    expect(countsOf({ bytes: 50 })).toEqual(rows.map(() => 1));
  });

  it('passes over rows that are too large, and keeps those around them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.nat({ max: 99 })), { maxLength: 20 }),
        fc.array(fc.nat()),
        (sizes, places) => {
          const rows = sizes.map(([size, id]) => ['ä'.repeat(size), String(id)]);
          const { batches } = collected(cutAt(copied(rows), places), { ...UNLIMITED, lineBytes: 300, count: 7 });
          const seen = batches.flatMap((batch) => {
            const kept: unknown[] = rowsOf(batch);
            // From the last on, so that those before keep their places.
            for (const { bytes, tail, after } of batch.oversized.toReversed()) kept.splice(after, 0, { bytes, key: lastCells(tail, 1) });
            return kept;
          });
          const expected = rows.map((row) => {
            const bytes = Buffer.byteLength(row.join('\t'));
            return bytes > 300 ? { bytes, key: [row[1]] } : row;
          });
          expect(seen).toEqual(expected);
        },
      ),
    );
  });

  it('keeps no more of a huge row than its end', () => {
    const collector = lineCollector(UNLIMITED);
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const before = process.memoryUsage().arrayBuffers;
    for (let count = 0; count < 2000; count++) collector.add(chunk, 0);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024);
    collector.add(Buffer.from('\t42\n'), 0);
    const [line] = collector.take().oversized;
    expect(line).toMatchObject({ bytes: 2000 * 64 * 1024 + 3 });
    expect(lastCells((line as OversizedLine).tail, 1)).toEqual(['42']);
  });

  it('says that a row is unfinished when the stream ends inside it', () => {
    const { batches, open } = collected([Buffer.from('1\ta\n2\t')], UNLIMITED);
    expect(batches.flatMap(rowsOf)).toEqual([['1', 'a']]);
    expect(open).toBe(true);
  });
});
