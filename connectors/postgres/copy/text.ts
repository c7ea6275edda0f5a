/*
 * The text format of COPY TO: one row a line, cells apart by tabs, `\N` for NULL. A newline, tab or backslash inside a value is escaped, so a
 * raw newline byte always ends a row and never lies inside a multi-byte character.
 */

/** CopyData messages of COPY's text format: a row each, of the fields in the order of the shape. */
export const TEXT_FORM = 'pgcopy/text';

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

export function unescapeCell(cell: string): string {
  return cell.replaceAll(/\\(.)/gs, (_, char: string) => ESCAPES[char] ?? char);
}
