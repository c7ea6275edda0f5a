import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binaryCells, textCells } from '../../../connectors/postgres/copy/row-cells.ts';
import { SLAB_BYTES } from '../../../connectors/postgres/copy/slabs.ts';
import type { Shape } from '../../../src/sdk.ts';

/** As a store of bytes hands them on: whole slabs, and the rest. */
function inSlabs(bytes: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / SLAB_BYTES) }, (_, index) =>
    bytes.subarray(index * SLAB_BYTES, (index + 1) * SLAB_BYTES),
  );
}

const escaped = (cell: string | null): string =>
  cell === null ? '\\N' : cell.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n');

function binaryRow(cells: readonly (string | null)[]): Buffer {
  const int = (value: number, size: 2 | 4): Buffer => {
    const bytes = Buffer.alloc(size);
    bytes.writeIntBE(value, 0, size);
    return bytes;
  };
  const fields = cells.flatMap((cell) => (cell === null ? [int(-1, 4)] : [int(Buffer.byteLength(cell), 4), Buffer.from(cell)]));
  return Buffer.concat([int(cells.length, 2), ...fields]);
}

const shapeOf = (count: number): Shape => ({
  fields: Array.from({ length: count }, (_, index) => ({
    name: `f${index}`,
    type: 'text' as const,
    nullable: true,
    native: { system: 'postgres', type: 'text' },
  })),
  key: [0],
  open: false,
});

const cell = fc.option(
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => !text.includes('\0')),
    fc.constantFrom('é'.repeat(SLAB_BYTES), 'x'.repeat(2 * SLAB_BYTES + 3), '\\'),
  ),
);
/** A row, the fields that are asked for, and how many bytes stand before it. */
const asked = fc.array(cell, { minLength: 1, maxLength: 6 }).chain((cells) =>
  fc.record({
    cells: fc.constant(cells),
    wanted: fc.array(fc.nat(cells.length - 1), { minLength: 1, maxLength: 4 }),
    before: fc.constantFrom(0, 1, 5, SLAB_BYTES - 3, SLAB_BYTES - 1, SLAB_BYTES, SLAB_BYTES + 7),
  }),
);

describe('connectors: postgres, some of the cells of a row', () => {
  it('are found in a line, wherever slabs end', () => {
    fc.assert(
      fc.property(asked, ({ cells, wanted, before }) => {
        const line = Buffer.concat([Buffer.alloc(before, '\n'), Buffer.from(`${cells.map(escaped).join('\t')}\n`)]);
        expect(textCells({ pieces: inSlabs(line), at: before }, wanted)).toEqual(wanted.map((field) => cells[field]));
      }),
      { numRuns: 60 },
    );
  });

  it('are found in a binary row, wherever slabs end', () => {
    fc.assert(
      fc.property(asked, ({ cells, wanted, before }) => {
        const row = Buffer.concat([Buffer.alloc(before, 1), binaryRow(cells)]);
        expect(binaryCells(shapeOf(cells.length), { pieces: inSlabs(row), at: before }, wanted)).toEqual(
          wanted.map((field) => cells[field]),
        );
      }),
      { numRuns: 60 },
    );
  });
});
