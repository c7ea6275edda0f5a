import { TrueupError } from '../../../src/sdk.ts';
import type { Line, LineRecords } from '../../../src/sdk.ts';
import type { Lines } from './lines.ts';
import { TEXT_FORM, unescapeCell } from './text.ts';

const NEWLINE = 10;
const TAB = 9;
const BACKSLASH = 92;
const LETTER_N = 78;

export interface LineFields {
  readonly stream: string;
  /** Cells of a line that are fields of the stream, the first ones; and all of them, with those that tell its place. */
  readonly fields: number;
  readonly cells: number;
}

/** Lines of COPY's text format, cell by cell: no string is made of what nobody looks into. */
export function lineRecords(of: LineFields, lines: Lines): LineRecords {
  return {
    form: TEXT_FORM,
    cells: Array.from({ length: of.fields }, (_, index) => index),
    textAt: cellText,
    scan: () => scanCells(of, lines),
  };
}

function cellText({ bytes, starts }: Line, cell: number): string | null {
  const from = starts[cell] as number;
  const to = (starts[cell + 1] as number) - 1;
  if (isNull(bytes, from, to)) return null;
  const text = (bytes as Buffer).toString('utf8', from, to);
  return text.includes('\\') ? unescapeCell(text) : text;
}

/** Whether the cell `from <= at < to` is NULL. */
export function isNull(bytes: Uint8Array, from: number, to: number): boolean {
  return to - from === 2 && bytes[from] === BACKSLASH && bytes[from + 1] === LETTER_N;
}

function* scanCells({ stream, cells }: LineFields, { pieces }: Lines): Generator<Line> {
  const line: Line = { bytes: Buffer.alloc(0), starts: new Int32Array(cells + 1), made: [] };
  const { starts } = line;
  /** The beginning of a line that goes on in the next piece. */
  let open: Buffer[] = [];
  for (const piece of pieces) {
    let from = 0;
    if (open.length > 0) {
      const end = piece.indexOf(NEWLINE) + 1;
      open.push(end === 0 ? piece : piece.subarray(0, end));
      if (end === 0) continue;
      const whole = Buffer.concat(open);
      open = [];
      if (cellsOf(whole, 0, starts) !== whole.length) throw wrongCells(stream, cells);
      line.bytes = whole;
      yield line;
      from = end;
    }
    while (from < piece.length) {
      const end = cellsOf(piece, from, starts);
      if (end === -1) {
        open.push(piece.subarray(from));
        break;
      }
      if (end === -2) throw wrongCells(stream, cells);
      line.bytes = piece;
      yield line;
      from = end;
    }
  }
}

/**
 * Finds the cells of the line that begins at `from`.
 * @returns where the next line begins; -1: this one does not end here; -2: it has another number of cells than there is room for
 */
function cellsOf(bytes: Buffer, from: number, starts: Int32Array): number {
  const { length } = bytes;
  const last = starts.length - 1;
  let cell = 0;
  starts[0] = from;
  for (let at = from; at < length; at++) {
    const byte = bytes[at] as number;
    if (byte > TAB + 1) continue;
    if (byte === TAB) {
      if (++cell >= last) return -2;
      starts[cell] = at + 1;
    } else if (byte === NEWLINE) {
      if (++cell !== last) return -2;
      starts[cell] = at + 1;
      return at + 1;
    }
  }
  return -1;
}

function wrongCells(stream: string, cells: number): TrueupError {
  return new TrueupError('E_BUG', `A row of '${stream}' has another number of cells than the ${cells} that were asked for.`);
}
