/*
 * The text format of COPY TO: one row a line, cells apart by tabs, `\N` for NULL. A newline, tab or backslash inside a value is escaped, so a
 * raw newline byte always ends a row and never lies inside a multi-byte character.
 */

/** A row that is too large to be kept: its size, and its last cells. */
export interface OversizedLine {
  readonly bytes: number;
  /** The end of the line, from somewhere inside it. */
  readonly tail: string;
}

export type Line = string | OversizedLine;

/** How much of the end of an oversized line is kept: enough for key cells, which an index bounds to about 2,700 bytes each. */
const TAIL_BYTES = 128 * 1024;

export interface LineSplitter {
  /** The lines that a chunk completes. Chunks may be cut anywhere. */
  push(chunk: Buffer): Line[];
  /** Whether a line is still waiting for its end. */
  readonly open: boolean;
}

/** @param maxBytes of a line; a longer one is passed over without being kept in memory */
export function lineSplitter(maxBytes: number): LineSplitter {
  let parts: Buffer[] = [];
  let size = 0;
  let oversized = 0;

  const keep = (part: Buffer) => {
    parts.push(part);
    size += part.length;
    if (oversized === 0 && size <= maxBytes) return;
    oversized += oversized === 0 ? size : part.length;
    while (size - (parts[0] as Buffer).length >= TAIL_BYTES) size -= (parts.shift() as Buffer).length;
  };
  const take = (): Line => {
    const text = parts.length === 1 ? (parts[0] as Buffer).toString() : Buffer.concat(parts).toString();
    const line = oversized > 0 ? { bytes: oversized, tail: text } : text;
    parts = [];
    size = oversized = 0;
    return line;
  };

  return {
    get open() {
      return parts.length > 0;
    },
    push(chunk) {
      const last = chunk.lastIndexOf(10);
      if (last === -1) {
        keep(chunk);
        return [];
      }
      const lines: Line[] = [];
      let from = 0;
      if (parts.length > 0) {
        const end = chunk.indexOf(10);
        keep(chunk.subarray(0, end));
        lines.push(take());
        from = end + 1;
      }
      if (from <= last) for (const line of chunk.toString('utf8', from, last).split('\n')) lines.push(checked(line, maxBytes));
      if (last + 1 < chunk.length) keep(chunk.subarray(last + 1));
      return lines;
    },
  };
}

function checked(line: string, maxBytes: number): Line {
  if (line.length * 3 <= maxBytes) return line;
  const bytes = Buffer.byteLength(line);
  return bytes <= maxBytes ? line : { bytes, tail: line.slice(-TAIL_BYTES) };
}

/** The cells of a line. */
export function splitLine(line: string): (string | null)[] {
  const cells: (string | null)[] = line.split('\t');
  if (line.indexOf('\\') === -1) return cells;
  for (let index = 0; index < cells.length; index++) {
    const cell = cells[index] as string;
    if (cell === '\\N') cells[index] = null;
    else if (cell.indexOf('\\') !== -1) cells[index] = unescapeCell(cell);
  }
  return cells;
}

/** The last `count` cells of a line of which only the end is known; `null` when they do not all lie in it. */
export function lastCells(tail: string, count: number): (string | null)[] | null {
  const cells = splitLine(tail);
  return cells.length > count ? cells.slice(-count) : null;
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

function unescapeCell(cell: string): string {
  return cell.replaceAll(/\\(.)/gs, (_, char: string) => ESCAPES[char] ?? char);
}
