/*
 * Rows of COPY's text format while they wait to be written: the bytes that the server sent. Strings and cells weigh several times as much, on the
 * garbage-collected heap, so they are made only once somebody looks at the rows.
 */

const NEWLINE = 10;

/** How much of the end of a line is looked at for its last cells: enough for key cells, which an index bounds to about 2,700 bytes each. */
const TAIL_BYTES = 128 * 1024;

/** Whole lines, each with its newline, in pieces that may be cut anywhere. */
export interface Lines {
  readonly pieces: readonly Buffer[];
  readonly count: number;
  readonly bytes: number;
}

/** A row that is too large to be kept: its size, and its last cells. */
export interface OversizedLine {
  /** Without the newline. */
  readonly bytes: number;
  /** The end of the line, from somewhere inside it. */
  readonly tail: string;
  /** How many of the kept lines stand before it. */
  readonly after: number;
}

export interface LineLimits {
  /** Of lines, those that are too large included. */
  readonly count: number;
  readonly bytes: number;
  /** Bytes that a line counts for besides its own. */
  readonly perLine: number;
  /** Of one line without its newline; a longer one is passed over without being kept in memory. */
  readonly lineBytes: number;
}

export interface LineCollector {
  /** Takes lines off `chunk` until one of the limits is reached. Returns where it stopped: at the end of the chunk unless it is full. */
  add(chunk: Buffer, from: number): number;
  /** Whether a limit is reached. */
  readonly full: boolean;
  /** Whether nothing has come together since the last `take`. */
  readonly empty: boolean;
  /** Whether a line is still waiting for its end. */
  readonly open: boolean;
  /** What has come together; the collector is empty again, but for the open line. */
  take(): { readonly lines: Lines; readonly oversized: readonly OversizedLine[] };
}

export function lineCollector(limits: LineLimits): LineCollector {
  let pieces: Buffer[] = [];
  let count = 0;
  let bytes = 0;
  let lastBytes = 0;
  let oversized: OversizedLine[] = [];
  const open = openLine(limits.lineBytes);
  // Another line like the last one must fit, else two values of 5 MB would make a batch of 10.
  const isFull = () =>
    count + oversized.length >= limits.count || (count > 0 && bytes + lastBytes + (count + 1) * limits.perLine > limits.bytes);

  return {
    get full() {
      return isFull();
    },
    get empty() {
      return count + oversized.length === 0;
    },
    get open() {
      return open.bytes > 0;
    },
    add(chunk, from) {
      let run = from; // whole lines from here to `at` are not among the pieces yet
      let at = from;
      for (let end = chunk.indexOf(NEWLINE, at); end !== -1 && !isFull(); end = chunk.indexOf(NEWLINE, at)) {
        const size = open.bytes + end - at;
        if (size <= limits.lineBytes) {
          pieces.push(...open.take());
          count++;
          lastBytes = size + 1;
          bytes += lastBytes;
        } else {
          if (run < at) pieces.push(chunk.subarray(run, at));
          open.add(chunk.subarray(at, end));
          oversized.push({ bytes: size, tail: Buffer.concat(open.take()).toString(), after: count });
          run = end + 1;
        }
        at = end + 1;
      }
      if (run < at) pieces.push(chunk.subarray(run, at));
      if (isFull() || at === chunk.length) return at;
      open.add(chunk.subarray(at));
      return chunk.length;
    },
    take() {
      const taken = { lines: { pieces, count, bytes }, oversized };
      pieces = [];
      oversized = [];
      count = bytes = 0;
      return taken;
    },
  };
}

/** The line that is not complete: all of it, or its end when it is too long already. */
function openLine(maxBytes: number) {
  let parts: Buffer[] = [];
  let kept = 0;
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    add(part: Buffer) {
      parts.push(part);
      kept += part.length;
      bytes += part.length;
      if (bytes > maxBytes) while (kept - (parts[0] as Buffer).length >= TAIL_BYTES) kept -= (parts.shift() as Buffer).length;
    },
    take(): Buffer[] {
      const taken = parts;
      parts = [];
      kept = bytes = 0;
      return taken;
    },
  };
}

/** The lines as text, in order. */
export function* lineTexts({ pieces }: Lines): Generator<string> {
  let parts: Buffer[] = [];
  for (const piece of pieces) {
    const last = piece.lastIndexOf(NEWLINE);
    if (last === -1) {
      parts.push(piece);
      continue;
    }
    let from = 0;
    if (parts.length > 0) {
      const end = piece.indexOf(NEWLINE);
      parts.push(piece.subarray(0, end));
      yield joinedText(parts);
      parts = [];
      from = end + 1;
    }
    if (from <= last) yield* piece.toString('utf8', from, last).split('\n');
    if (last + 1 < piece.length) parts.push(piece.subarray(last + 1));
  }
}

/** The end of the last line; the whole of it where it is not longer than `atLeast` bytes. */
export function lastLineTail({ pieces }: Lines, atLeast = TAIL_BYTES): string {
  const parts: Buffer[] = [];
  let size = 0;
  for (let index = pieces.length - 1; index >= 0 && size <= atLeast; index--) {
    const piece = pieces[index] as Buffer;
    const text = parts.length === 0 ? piece.subarray(0, -1) : piece; // its own newline ends the last piece
    const start = text.lastIndexOf(NEWLINE) + 1;
    const part = text.subarray(start);
    parts.unshift(part);
    size += part.length;
    if (start > 0) break;
  }
  return Buffer.concat(parts).toString();
}

/** Where long lines are put together before they become text: bytes outside of the heap that are not needed a moment later. */
let scratch = Buffer.alloc(0);
const MAX_SCRATCH = 16 * 1024 * 1024;

function joinedText(parts: readonly Buffer[]): string {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only.toString();
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  if (size > MAX_SCRATCH) return Buffer.concat(parts).toString();
  if (size > scratch.length) scratch = Buffer.allocUnsafeSlow(Math.min(MAX_SCRATCH, 2 ** Math.ceil(Math.log2(size))));
  let at = 0;
  for (const part of parts) at += part.copy(scratch, at);
  return scratch.toString('utf8', 0, size);
}
