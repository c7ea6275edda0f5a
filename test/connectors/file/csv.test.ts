import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cellColumn, csvCells, csvText } from '../../../connectors/file/csv-record.ts';
import { frames } from '../../../connectors/file/frames.ts';
import type { Frame } from '../../../connectors/file/frames.ts';

const CSV = { delimiter: 44, quote: 34 };

async function framesOf(
  text: string | Buffer,
  size: number,
  more: { readonly csv?: typeof CSV | null; readonly maxBytes?: number } = {},
): Promise<Frame[]> {
  const buffer = Buffer.from(text);
  async function* pieces() {
    for (let at = 0; at < buffer.length; at += size) yield Buffer.from(buffer.subarray(at, at + size));
  }
  const { csv = CSV, maxBytes = 1_000_000 } = more;
  return collected(frames(pieces(), { start: 0, line: 1, csv, maxBytes }));
}

async function collected(pieces: AsyncIterable<Iterable<Frame>>): Promise<Frame[]> {
  const found: Frame[] = [];
  for await (const some of pieces) found.push(...some);
  return found;
}

/** What csv-parse makes of it: an oracle by other hands. */
function oracle(text: string): (string | null)[][] {
  return parse(text, { cast: (value, { quoting }) => (value === '' && !quoting ? null : value) as string, relax_column_count: true });
}

const cell = fc.oneof(fc.constant(null), fc.stringMatching(/^[a-c", \r\n'é😀]{0,6}$/u));
const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 8 });

describe('CSV', () => {
  it('is read as another reader reads it, in pieces of any size', async () => {
    await fc.assert(
      fc.asyncProperty(table, fc.constantFrom('\n', '\r\n'), fc.integer({ min: 1, max: 9 }), async (rows, end, size) => {
        const text = rows.map((row) => row.map((value) => csvText(value, ',', '"')).join(',') + end).join('');
        const found = await framesOf(text, size);
        const read = found.map(({ bytes }) => csvCells(bytes.toString(), ',', '"'));
        expect(read).toEqual(rows.map((cells) => ({ cells })));
        expect(read.map((one) => ('cells' in one ? one.cells : null))).toEqual(oracle(text));
        expect(found.map(({ start }) => start)).toEqual([0, ...found.slice(0, -1).map((frame) => frame.end)]);
        expect(found.map(({ line, lines }) => line + lines).at(-1)).toBe(text.split('\n').length);
      }),
      { numRuns: 400 },
    );
  });

  it.each([
    ['1,5" pipe,x', 4, 'a quote stands inside'],
    ['1,"a"b,x', 6, 'after the closing quote'],
    ['1,"a" ,x', 6, 'after the closing quote'],
    ['1,"never closed', 3, 'is not closed'],
  ])('says where %s is malformed', (text, column, problem) => {
    expect(csvCells(text, ',', '"')).toMatchObject({ column, problem: expect.stringContaining(problem) });
  });

  it.each([1, 3, 100])('loses one record to a lone quote and none after it, in pieces of %d bytes', async (size) => {
    const found = await framesOf('1,5" pipe\n2,ok\n3,"a"b\n4,"two\nlines"\n', size);
    expect(found.map(({ bytes, line }) => [line, bytes.toString()])).toEqual([
      [1, '1,5" pipe'],
      [2, '2,ok'],
      [3, '3,"a"b'],
      [4, '4,"two\nlines"'],
    ]);
  });

  it('has no quotes where none are wanted', async () => {
    const found = await framesOf('1,"a\n2,b"\n', 4, { csv: { delimiter: 44, quote: 0 } });
    expect(found.map(({ bytes }) => csvCells(bytes.toString(), ',', ''))).toEqual([{ cells: ['1', '"a'] }, { cells: ['2', 'b"'] }]);
  });

  it('says the column of a cell', () => {
    expect([0, 1, 2, 3].map((index) => cellColumn('1,"a,""b",,x', index, { delimiter: ',', quote: '"' }))).toEqual([1, 3, 11, 12]);
  });
});

describe('a record that is too long', () => {
  it.each([1, 7, 64, 5000])('is passed over with its beginning kept, in pieces of %d bytes', async (size) => {
    const long = `2,"${'x""\n,'.repeat(400)}"`;
    const found = await framesOf(`1,a\n${long}\n3,c\n`, size, { maxBytes: 100 });
    const [first, second, third] = found;
    expect(found.length).toBe(3);
    expect(first).toMatchObject({ line: 1, tooLong: false });
    expect(second).toMatchObject({ line: 2, lines: 401, start: 4, end: 4 + long.length + 1 });
    expect(second).toMatchObject({ tooLong: size < 2000, bytes: Buffer.from(long.slice(0, size < 2000 ? 100 : undefined)) });
    expect(third).toMatchObject({ line: 403, start: 4 + long.length + 1 });
    expect(third?.bytes.toString()).toBe('3,c');
  });

  it('costs no more memory than it may', async () => {
    const before = process.memoryUsage().rss;
    const piece = Buffer.alloc(256 * 1024, 'x');
    async function* pieces() {
      for (let count = 0; count < 2000; count++) yield piece;
      yield Buffer.from('\n1\n');
    }
    const found = await collected(frames(pieces(), { start: 0, line: 1, csv: null, maxBytes: 1_000_000 }));
    expect(found.map(({ tooLong, line }) => [line, tooLong])).toEqual([
      [1, true],
      [2, false],
    ]);
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
  });
});
