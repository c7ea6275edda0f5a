import { csvRecordEnd } from './csv-record.ts';

/** One record as it stands in the text. */
export interface Frame {
  /** Without the line end. Of a record that is too long, its beginning. */
  readonly bytes: Buffer;
  /** Where it begins in the text, bytes. */
  readonly start: number;
  /** Where the next one begins. */
  readonly end: number;
  /** Its first line, from 1. */
  readonly line: number;
  /** Lines that it covers. */
  readonly lines: number;
  /** Whether its end is there. Only the last of a text may lack it. */
  readonly ended: boolean;
  /** Longer than may be kept. */
  readonly tooLong: boolean;
}

export interface Framing {
  /** Of the first byte of `chunks` within the text, and its line. */
  readonly start: number;
  readonly line: number;
  /** `null`: a record is a line. Else it may hold line ends between quotes. */
  readonly csv: { readonly delimiter: number; readonly quote: number } | null;
  /** Bytes of one record that are kept at most. */
  readonly maxBytes: number;
}

const NEWLINE = 10;
const RETURN = 13;

/**
 * Cuts a text into its records, whatever the pieces that it arrives in. Memory is bounded by a piece and `maxBytes`.
 *
 * Yields the records of one piece after another, each cut when it is asked for; they are taken to the last before the next piece is asked for.
 */
export async function* frames(chunks: AsyncIterable<Buffer>, framing: Framing): AsyncGenerator<Iterable<Frame>> {
  const cutter = openCutter(framing);
  for await (const chunk of chunks) yield cutter.cut(chunk);
  const rest = cutter.rest();
  if (rest !== null) yield [rest];
}

interface Cutter {
  cut(chunk: Buffer): Generator<Frame>;
  /** What has no end. `null`: nothing. */
  rest(): Frame | null;
}

function openCutter({ start, line: firstLine, csv, maxBytes }: Framing): Cutter {
  let pending: Buffer = Buffer.alloc(0);
  let at = start;
  let line = firstLine;
  /** How far the end was looked for, from the begin of `pending`; whether that place lies between quotes. */
  let scanned = 0;
  let quoted = false;
  /** Bytes of the record under way that were dropped because they are too many, and the beginning that was kept. */
  let dropped = 0;
  let head: Buffer | null = null;
  let headLines = 0;

  const frame = (bytes: Buffer, size: number, ended: boolean): Frame => {
    const kept = head ?? bytes;
    const lines = headLines + countLines(bytes) + 1;
    const made = {
      bytes: ended ? withoutReturn(kept) : kept,
      start: at,
      end: at + dropped + size,
      line,
      lines,
      ended,
      tooLong: head !== null,
    };
    at += dropped + size;
    line += lines;
    [dropped, head, headLines, scanned, quoted] = [0, null, 0, 0, false];
    return made;
  };

  return {
    *cut(chunk) {
      const buffer = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      let from = 0;
      for (;;) {
        let end: number;
        if (csv === null) end = buffer.indexOf(NEWLINE, from + scanned);
        else {
          const looked = csvRecordEnd(buffer, { from, at: from + scanned, quoted, ...csv });
          end = looked.end;
          if (end < 0) [scanned, quoted] = [looked.at - from, looked.quoted];
        }
        if (end < 0) break;
        const begin = from;
        from = end + 1;
        yield frame(buffer.subarray(begin, end), from - begin, true);
      }
      pending = buffer.subarray(from);
      if (csv === null) scanned = pending.length;
      if (pending.length > maxBytes || head !== null) drop();
    },
    rest() {
      if (pending.length === 0 && dropped === 0) return null;
      return frame(pending, pending.length, false);
    },
  };

  /** Keeps the beginning of a record that is too long, and of the rest no more than what the search for its end needs. */
  function drop(): void {
    const keep = Math.max(1, pending.length - scanned);
    head ??= Buffer.from(pending.subarray(0, maxBytes));
    const gone = pending.length - keep;
    if (gone <= 0) return;
    headLines += countLines(pending.subarray(0, gone));
    dropped += gone;
    scanned -= gone;
    pending = Buffer.from(pending.subarray(gone));
  }
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

function withoutReturn(bytes: Buffer): Buffer {
  return bytes.at(-1) === RETURN ? bytes.subarray(0, -1) : bytes;
}
