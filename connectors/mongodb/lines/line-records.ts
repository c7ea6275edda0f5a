import { PLAIN_LINES, TrueupError, cellRecords, isTrueupError } from '../../../src/sdk.ts';
import type { Records, Row } from '../../../src/sdk.ts';
import { documentsOf } from '../read/documents.ts';
import type { DocumentSpan } from '../read/documents.ts';
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
export function lineRecords(reading: Reading, lines: DocumentLines, spans: readonly DocumentSpan[]): Records | null {
  const pieces: LineBytes[] = [];
  let bytes = 0;
  let out: LineBytes | undefined;
  try {
    for (const { group, from, to } of spans) {
      for (let index = from; index < to; index++) {
        if (out === undefined || out.at >= PIECE_BYTES) pieces.push((out = free.pop() ?? new LineBytes(ROOM_BYTES)));
        bytes += lines.write(group.bytes, group.starts[index] as number, out);
      }
    }
  } catch (error) {
    giveBack(pieces);
    if (error instanceof Unfit || (isTrueupError(error) && error.fault === 'record')) return null;
    throw error;
  }
  return recordsOver(reading, spans, { pieces, bytes });
}

function recordsOver(
  reading: Reading,
  spans: readonly DocumentSpan[],
  { pieces, bytes }: { readonly pieces: readonly LineBytes[]; readonly bytes: number },
): Records {
  let made: readonly Row[] | null = null;
  const rows = (): readonly Row[] => (made ??= documentsOf(spans).map((document) => decodedRow(reading, document)));
  return {
    form: PLAIN_LINES,
    wire: pieces.map((piece) => piece.bytes.subarray(0, piece.at)),
    count: spans.reduce((sum, { from, to }) => sum + to - from, 0),
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
