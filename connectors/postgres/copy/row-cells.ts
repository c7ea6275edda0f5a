import { TrueupError } from '../../../src/sdk.ts';
import type { Shape } from '../../../src/sdk.ts';
import { fieldTexts } from './binary.ts';
import { SLAB_BYTES } from './slabs.ts';
import { splitLine } from './text.ts';

const [TAB, NEWLINE] = [9, 10];

/** Where a row begins, behind its header, in pieces that are cut anywhere, each but the last one a slab. */
export interface RowPlace {
  readonly pieces: readonly Buffer[];
  readonly at: number;
}

/** Some of a row's cells: the others are passed over, however large they are. @param wanted fields, in the order of the answer */
export function textCells({ pieces, at }: RowPlace, wanted: readonly number[]): (string | null)[] {
  const found = new Map<number, string | null>();
  const last = Math.max(...wanted);
  for (let field = 0, from = at; field <= last; field++) {
    const end = endOfCell(pieces, from);
    if (wanted.includes(field)) found.set(field, splitLine(bytesAt(pieces, from, end).toString())[0] as string | null);
    from = end + 1;
  }
  return wanted.map((field) => found.get(field) as string | null);
}

/** The same of a row in the binary format. */
export function binaryCells(shape: Shape, { pieces, at }: RowPlace, wanted: readonly number[]): (string | null)[] {
  const count = bytesAt(pieces, at, at + 2).readInt16BE(0);
  if (count !== shape.fields.length) throw new TrueupError('E_BUG', `A row has ${count} cells, expected ${shape.fields.length}.`);
  const found = new Map<number, string | null>();
  const last = Math.max(...wanted);
  for (let field = 0, from = at + 2; field <= last; field++) {
    const length = bytesAt(pieces, from, from + 4).readInt32BE(0);
    from += 4;
    const end = from + Math.max(length, 0);
    if (wanted.includes(field)) found.set(field, length === -1 ? null : (fieldTexts(shape)[field]?.(bytesAt(pieces, from, end)) ?? null));
    from = end;
  }
  return wanted.map((field) => found.get(field) as string | null);
}

function endOfCell(pieces: readonly Buffer[], from: number): number {
  for (let index = Math.floor(from / SLAB_BYTES), at = from % SLAB_BYTES; index < pieces.length; index++, at = 0) {
    const piece = pieces[index] as Buffer;
    const [tab, newline] = [piece.indexOf(TAB, at), piece.indexOf(NEWLINE, at)];
    const end = tab === -1 || newline === -1 ? Math.max(tab, newline) : Math.min(tab, newline);
    if (end !== -1) return index * SLAB_BYTES + end;
  }
  throw new TrueupError('E_BUG', 'A row has no end.');
}

/** A view where it can be, else a copy. */
function bytesAt(pieces: readonly Buffer[], from: number, end: number): Buffer {
  const index = Math.floor(from / SLAB_BYTES);
  const begin = from - index * SLAB_BYTES;
  const size = end - from;
  const first = pieces[index] ?? Buffer.alloc(0);
  if (begin + size <= first.length) return first.subarray(begin, begin + size);
  return Buffer.concat(pieces.slice(index, Math.floor(end / SLAB_BYTES) + 1)).subarray(begin, begin + size);
}
