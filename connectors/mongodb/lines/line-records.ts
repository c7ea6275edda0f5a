import { PLAIN_LINES, TrueupError, cellRecords, isTrueupError } from '../../../src/sdk.ts';
import type { Records, Row } from '../../../src/sdk.ts';
import type { Reading } from '../read/reading.ts';
import type { DocumentLines } from './document-lines.ts';
import { LineBytes, Unfit } from './line-bytes.ts';

/** Pieces of this many bytes and the line that goes beyond. */
const PIECE_BYTES = 256 * 1024;
const ROOM_BYTES = 320 * 1024;
/** Kept for later at most: what the batches of some feeds take. */
const MAX_FREE = 64;

/** Used again and again: batches live long enough to become old garbage, of which V8 lets much come together. */
const free: LineBytes[] = [];

function giveBack(pieces: readonly LineBytes[]): void {
  for (const piece of pieces) {
    if (piece.bytes.length !== ROOM_BYTES || free.length >= MAX_FREE) continue;
    piece.at = 0;
    free.push(piece);
  }
}

/** All of these documents as lines, or `null`: there is one that has to be decoded. */
export function lineRecords(reading: Reading, lines: DocumentLines, documents: readonly Uint8Array[]): Records | null {
  const pieces: LineBytes[] = [];
  let bytes = 0;
  let out: LineBytes | undefined;
  try {
    for (const document of documents) {
      if (out === undefined || out.at >= PIECE_BYTES) pieces.push((out = free.pop() ?? new LineBytes(ROOM_BYTES)));
      lines.write(Buffer.from(document.buffer, document.byteOffset, document.byteLength), out);
      bytes += document.byteLength;
    }
  } catch (error) {
    giveBack(pieces);
    if (error instanceof Unfit || (isTrueupError(error) && error.fault === 'record')) return null;
    throw error;
  }
  return recordsOver(reading, documents, { pieces, bytes });
}

function recordsOver(
  reading: Reading,
  documents: readonly Uint8Array[],
  { pieces, bytes }: { readonly pieces: readonly LineBytes[]; readonly bytes: number },
): Records {
  let made: readonly Row[] | null = null;
  const rows = (): readonly Row[] => (made ??= documents.map((document) => decodedRow(reading, document)));
  return {
    form: PLAIN_LINES,
    wire: pieces.map((piece) => piece.bytes.subarray(0, piece.at)),
    count: documents.length,
    bytes,
    textDialect: null,
    rows,
    decoder: () => null,
    slice: (from, to) => cellRecords({ rows: rows(), bytes }).slice(from, to),
    release: () => giveBack(pieces),
  };
}

function decodedRow(reading: Reading, document: Uint8Array): Row {
  const decoded = reading.decoder.decode(document);
  if ('row' in decoded) return decoded.row;
  throw new TrueupError('E_BUG', `A document of '${reading.ref.name}' was written as a line and cannot be decoded.`);
}
