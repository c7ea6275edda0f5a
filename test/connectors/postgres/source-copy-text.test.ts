import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lastCells, lineSplitter, splitLine } from '../../../connectors/postgres/copy-text.ts';
import type { Line } from '../../../connectors/postgres/copy-text.ts';

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

describe('the text format of COPY', () => {
  it('comes back as the rows it was made of, wherever the chunks are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 2 })), fc.array(fc.nat()), (rows, places) => {
        const splitter = lineSplitter(1_000_000);
        const lines = cutAt(copied(rows), places).flatMap((chunk) => splitter.push(chunk));
        expect(lines.map((line) => splitLine(line as string))).toEqual(rows);
        expect(splitter.open).toBe(false);
      }),
    );
  });

  it('passes over rows that are too large, and keeps those around them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.nat({ max: 99 })), { maxLength: 20 }),
        fc.array(fc.nat()),
        (sizes, places) => {
          const rows = sizes.map(([size, id]) => ['ä'.repeat(size), String(id)]);
          const splitter = lineSplitter(300);
          const lines = cutAt(copied(rows), places).flatMap((chunk) => splitter.push(chunk));
          const seen = lines.map((line: Line) =>
            typeof line === 'string' ? splitLine(line) : { bytes: line.bytes, key: lastCells(line.tail, 1) },
          );
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
    const splitter = lineSplitter(1_000_000);
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const before = process.memoryUsage().arrayBuffers;
    for (let count = 0; count < 2000; count++) splitter.push(chunk);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024);
    const [line] = splitter.push(Buffer.from('\t42\n'));
    expect(line).toMatchObject({ bytes: 2000 * 64 * 1024 + 3 });
    expect(lastCells((line as { tail: string }).tail, 1)).toEqual(['42']);
  });

  it('says that a row is unfinished when the stream ends inside it', () => {
    const splitter = lineSplitter(100);
    expect(splitter.push(Buffer.from('1\ta\n2\t'))).toEqual(['1\ta']);
    expect(splitter.open).toBe(true);
  });
});
