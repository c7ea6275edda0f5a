import { BINARY_FORM } from '../copy/binary.ts';
import { HEADER_BYTES } from '../copy/out.ts';
import { SLAB_BYTES } from '../copy/slabs.ts';
import type { Slabs } from '../copy/slabs.ts';
import type { WireForm } from '../read/reading.ts';
import type { Tuple } from './tuple.ts';

/*
 * Rows of COPY, each a CopyData message, in memory that is used again. A row never lies in two slabs; one that is larger than a slab has a buffer of its own.
 */

/** Where a row lies. */
export interface Place {
  readonly slab: number;
  readonly start: number;
  readonly end: number;
}

export interface RowStore {
  /** Of the row that was written last. */
  readonly last: { slab: number; start: number; end: number };
  readonly slabs: readonly Buffer[];
  /** @param room bytes of the tuple's message: what its cells take, headers left out */
  write(bytes: Buffer, tuple: Tuple, room: number): void;
  /** A row of another store. */
  copy(row: Buffer): void;
  /** Gives the memory back. */
  release(): void;
}

const DATA = 0x64; // d
/** What a cell takes at most beside its bytes: its length, or a mark of NULL and a tab. */
const CELL_BYTES = 4;
/** From here on the copying of a cell is left to the system. */
const LARGE = 48;

export function createRowStore(free: Slabs, form: WireForm): RowStore {
  const slabs: Buffer[] = [];
  const last = { slab: -1, start: 0, end: 0 };
  const writeCells = form === BINARY_FORM ? writeBinary : writeText;
  const make = (size: number): Buffer => {
    const open = slabs[last.slab];
    if (open !== undefined && open.length - last.end >= size) return open;
    const fresh = size > SLAB_BYTES ? Buffer.allocUnsafeSlow(size) : free.take();
    slabs.push(fresh);
    last.slab = slabs.length - 1;
    last.end = 0;
    return fresh;
  };
  return {
    last,
    slabs,
    write(bytes, tuple, room) {
      // In text a byte may be escaped, which makes two of it.
      const size = (form === BINARY_FORM ? room : 2 * room) + tuple.lengths.length * CELL_BYTES + HEADER_BYTES + 2;
      const into = make(size);
      last.start = last.end;
      last.end = writeCells(into, last.start + HEADER_BYTES, bytes, tuple);
      into[last.start] = DATA;
      into.writeInt32BE(last.end - last.start - 1, last.start + 1);
    },
    copy(row) {
      const into = make(row.length);
      last.start = last.end;
      last.end += row.copy(into, last.start);
    },
    release() {
      free.give(slabs.splice(0).filter((slab) => slab.length === SLAB_BYTES));
      last.slab = -1;
    },
  };
}

function writeBinary(into: Buffer, from: number, bytes: Buffer, { starts, lengths }: Tuple): number {
  const width = lengths.length;
  let at = into.writeInt16BE(width, from);
  for (let field = 0; field < width; field += 1) {
    const length = lengths[field] as number;
    if (length < 0) {
      at = into.writeInt32BE(-1, at);
      continue;
    }
    // The length stands before the bytes in the log as it does in a row.
    at = copyBytes(into, at, bytes, (starts[field] as number) - 4, length + 4);
  }
  return at;
}

function copyBytes(into: Buffer, at: number, bytes: Buffer, from: number, length: number): number {
  if (length >= LARGE) return at + bytes.copy(into, at, from, from + length);
  for (let index = 0; index < length; index += 1) into[at + index] = bytes[from + index] as number;
  return at + length;
}

const TAB = 9;
const NEWLINE = 10;
const RETURN = 13;
const BACKSLASH = 92;
const ESCAPED: Readonly<Record<number, number>> = { [TAB]: 0x74, [NEWLINE]: 0x6e, [RETURN]: 0x72, [BACKSLASH]: BACKSLASH };

function writeText(into: Buffer, from: number, bytes: Buffer, { starts, lengths }: Tuple): number {
  let at = from;
  for (let field = 0; field < lengths.length; field += 1) {
    if (field > 0) into[at++] = TAB;
    const length = lengths[field] as number;
    if (length < 0) {
      into[at++] = BACKSLASH;
      into[at++] = 0x4e; // N
      continue;
    }
    const end = (starts[field] as number) + length;
    for (let index = starts[field] as number; index < end; index += 1) {
      const byte = bytes[index] as number;
      if (byte === BACKSLASH || byte === NEWLINE || byte === TAB || byte === RETURN) {
        into[at++] = BACKSLASH;
        into[at++] = ESCAPED[byte] as number;
      } else into[at++] = byte;
    }
  }
  into[at++] = NEWLINE;
  return at;
}
