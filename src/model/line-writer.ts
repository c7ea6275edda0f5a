import type { Cell, Row } from './cell.ts';
import type { LogicalType } from './logical-type.ts';
import { plainText } from './plain-lines.ts';
import { decodedCell } from './records.ts';
import type { Records } from './records.ts';
import type { Shape } from './shape.ts';

/** Pieces of this many bytes and the line that goes beyond. */
const PIECE_BYTES = 64 * 1024;
const ROOM_BYTES = 80 * 1024;

const TAB = 9;
const NEWLINE = 10;
const BACKSLASH = 92;
/** What stands behind the backslash, by character; 0: nothing does. */
const LETTERS = new Uint8Array(128);
for (const [char, letter] of ['\\\\', '\tt', '\nn', '\rr']) LETTERS[(char as string).charCodeAt(0)] = (letter as string).charCodeAt(0);

/** Lines of `lines/plain` while they are written. */
export interface LineWriter {
  /** False: the row cannot be a line, and what was written so far is of no use. @throws a record fault for a cell that has no text */
  add(records: Records, row: Row): boolean;
  /** All of them. */
  take(): { readonly wire: readonly Buffer[]; readonly bytes: number };
}

/** `null`: a field is of a type that has no plain text. */
export function openLineWriter({ fields }: Shape): (() => LineWriter) | null {
  const texts = fields.map(({ type }) => columnText(type));
  if (texts.includes(null)) return null;
  return () => lineWriter(texts as readonly ColumnText[]);
}

function lineWriter(texts: readonly ColumnText[]): LineWriter {
  const wire: Buffer[] = [];
  let taken = 0;
  const open: Piece = { bytes: Buffer.allocUnsafeSlow(ROOM_BYTES), at: 0 };
  return {
    add: (records, row) => {
      for (let index = 0; index < texts.length; index++) {
        const cell = decodedCell(records, row, index);
        if (index > 0) putByte(open, TAB);
        if (cell === undefined || !putCell(open, cell, texts[index] as ColumnText)) return false;
      }
      putByte(open, NEWLINE);
      if (open.at < PIECE_BYTES) return true;
      wire.push(open.bytes.subarray(0, open.at));
      taken += open.at;
      open.bytes = Buffer.allocUnsafeSlow(ROOM_BYTES);
      open.at = 0;
      return true;
    },
    take: () => ({ wire: [...wire, open.bytes.subarray(0, open.at)], bytes: taken + open.at }),
  };
}

/** `null`: what no line can hold. */
type ColumnText = (cell: Cell) => string | null;

function columnText(type: LogicalType): ColumnText | null {
  const plain = plainText(type);
  if (plain === null || (type !== 'json' && type !== 'variant')) return plain;
  return (cell) => {
    const text = plain(cell);
    return text.includes(String.raw`\u0000`) ? null : text;
  };
}

interface Piece {
  bytes: Buffer;
  at: number;
}

function reserve(piece: Piece, size: number): void {
  if (piece.at + size <= piece.bytes.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(piece.bytes.length * 2, piece.at + size));
  piece.bytes.copy(larger, 0, 0, piece.at);
  piece.bytes = larger;
}

function putByte(piece: Piece, byte: number): void {
  reserve(piece, 1);
  piece.bytes[piece.at++] = byte;
}

function putCell(piece: Piece, cell: Exclude<Cell, undefined>, textOf: ColumnText): boolean {
  const text = cell === null ? String.raw`\N` : textOf(cell);
  if (text === null) return false;
  // Of UTF-16 no unit takes more than three bytes.
  reserve(piece, text.length * 3);
  if (cell !== null) return putText(piece, text);
  for (let index = 0; index < text.length; index++) piece.bytes[piece.at++] = text.charCodeAt(index);
  return true;
}

function putText(piece: Piece, text: string): boolean {
  const { bytes } = piece;
  let { at } = piece;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 127) {
      piece.at = at;
      return putOther(piece, text.slice(index));
    }
    if (code === 0) return false;
    const letter = LETTERS[code] as number;
    if (letter === 0) bytes[at++] = code;
    else {
      bytes[at++] = BACKSLASH;
      bytes[at++] = letter;
    }
  }
  piece.at = at;
  return true;
}

/** Beyond ASCII; there is room for it. */
function putOther(piece: Piece, text: string): boolean {
  if (!text.isWellFormed() || text.includes('\0')) return false;
  const escaped = text.replaceAll(/[\\\t\n\r]/g, (char) => `\\${String.fromCharCode(LETTERS[char.charCodeAt(0)] as number)}`);
  reserve(piece, escaped.length * 3);
  piece.at += piece.bytes.write(escaped, piece.at, 'utf8');
  return true;
}
