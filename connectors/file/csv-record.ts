/*
 * CSV as RFC 4180 has it, and as PostgreSQL and spreadsheets write it. Not taken from a library: csv-parse, the one that tells a quoted empty cell from
 * an empty one, tells it by a call per cell, which made it read 2 MB a second; it ends at the first record that is malformed, and has no place in the text
 * for each record, which a reader needs that goes on there. The tests compare with it.
 */

const NEWLINE = 10;

export interface RecordSearch {
  /** Where the record begins. */
  readonly from: number;
  /** Where to go on looking, and whether that place lies between quotes. */
  readonly at: number;
  readonly quoted: boolean;
  readonly delimiter: number;
  /** 0: nothing is a quote. */
  readonly quote: number;
}

/**
 * The line end that ends the record, or -1 and where to go on once there is more. A quote opens at the begin of a cell only: one inside of a cell is
 * malformed, which costs that record and not those after it.
 */
export function csvRecordEnd(
  buffer: Buffer,
  search: RecordSearch,
): { readonly end: number; readonly at: number; readonly quoted: boolean } {
  const { from, delimiter, quote } = search;
  let { at, quoted } = search;
  const { length } = buffer;
  // By the byte: lines and cells are short, and a call of `indexOf` costs as much as looking at a hundred bytes.
  while (at < length) {
    const byte = buffer[at];
    if (quoted) {
      if (byte !== quote) {
        at++;
        continue;
      }
      if (at + 1 >= length) return { end: -1, at, quoted };
      quoted = buffer[at + 1] === quote;
      at += quoted ? 2 : 1;
      continue;
    }
    if (byte === NEWLINE) return { end: at, at, quoted };
    if (byte === quote && quote !== 0 && (at === from || buffer[at - 1] === delimiter)) quoted = true;
    at++;
  }
  return { end: -1, at, quoted };
}

export type CsvCells = { readonly cells: (string | null)[] } | { readonly problem: string; readonly column: number };

/** The cells of one record: `null` where nothing stands, an empty text where two quotes do. `column` counts characters from 1. */
export function csvCells(text: string, delimiter: string, quote: string): CsvCells {
  if (quote === '' || !text.includes(quote)) return { cells: text.split(delimiter).map((cell) => (cell === '' ? null : cell)) };
  const cells: (string | null)[] = [];
  const opens = quote.charCodeAt(0);
  let at = 0;
  for (;;) {
    let end: number;
    if (text.charCodeAt(at) === opens) {
      const cell = quotedCell(text, at, quote);
      if ('problem' in cell) return cell;
      cells.push(cell.value);
      end = cell.end;
    } else {
      const next = text.indexOf(delimiter, at);
      end = next < 0 ? text.length : next;
      const value = end === at ? null : text.slice(at, end);
      const lone = value === null ? -1 : value.indexOf(quote);
      if (lone >= 0) return { problem: LONE_QUOTE, column: at + lone + 1 };
      cells.push(value);
    }
    if (end === text.length) return { cells };
    if (text[end] !== delimiter)
      return { problem: 'after the closing quote of a cell comes something else than a delimiter', column: end + 1 };
    at = end + 1;
  }
}

const LONE_QUOTE = 'a quote stands inside of a cell that does not begin with one; such a cell has to be quoted';

type CsvCell = { readonly value: string | null; readonly end: number } | { readonly problem: string; readonly column: number };

function quotedCell(text: string, start: number, quote: string): CsvCell {
  let value = '';
  for (let at = start + 1; ;) {
    const close = text.indexOf(quote, at);
    if (close < 0) return { problem: 'a quote opens here and is not closed', column: start + 1 };
    value += text.slice(at, close);
    if (text[close + 1] !== quote) return { value, end: close + 1 };
    value += quote;
    at = close + 2;
  }
}

/** The column, from 1, at which a cell of a well-formed record begins. */
export function cellColumn(
  text: string,
  index: number,
  { delimiter, quote }: { readonly delimiter: string; readonly quote: string },
): number {
  let at = 0;
  for (let cell = 0; cell < index; cell++) {
    if (quote !== '' && text.startsWith(quote, at)) {
      const found = quotedCell(text, at, quote);
      if ('problem' in found) return found.column;
      at = found.end + 1;
    } else {
      const next = text.indexOf(delimiter, at);
      at = (next < 0 ? text.length : next) + 1;
    }
  }
  return at + 1;
}

/** A cell as text that reads back as itself: NULL is nothing, an empty text two quotes. */
export function csvText(value: string | null, delimiter: string, quote: string): string {
  if (value === null) return '';
  const plain = value !== '' && !value.includes(delimiter) && !value.includes(quote) && !/[\r\n]|^\s|\s$|^\u{feff}/u.test(value);
  return plain ? value : `${quote}${value.replaceAll(quote, quote + quote)}${quote}`;
}
