import type { Cell, Row } from './cell.ts';
import type { LogicalType } from './logical-type.ts';
import { plainText } from './plain-lines.ts';
import { decodedCell } from './records.ts';
import type { Records } from './records.ts';
import type { Shape } from './shape.ts';

/** Lines are encoded so many characters at a time. */
const CHUNK_CHARS = 64 * 1024;

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };
/** Types whose text may hold what a line escapes. */
const ESCAPED: ReadonlySet<LogicalType> = new Set<LogicalType>(['text', 'json', 'variant', 'unknown', 'bytes']);

/** Lines of `lines/plain` while they are written. */
export interface LineWriter {
  /** False: the row cannot be a line, and what was written so far is of no use. @throws a record fault for a cell that has no text */
  add(records: Records, row: Row): boolean;
  /** All of them, as bytes; `null`: one of them holds what is no text. */
  take(): { readonly wire: readonly Buffer[]; readonly bytes: number } | null;
}

/** `null`: a field is of a type that has no plain text. */
export function openLineWriter({ fields }: Shape): (() => LineWriter) | null {
  const texts = fields.map(({ type }) => plainText(type));
  if (texts.includes(null)) return null;
  const columns = fields.map(({ type }, index) => columnText(texts[index] as (cell: Cell) => string, ESCAPED.has(type)));
  return () => {
    const wire: Buffer[] = [];
    let bytes = 0;
    let text = '';
    let isText = true;
    const flush = (): void => {
      isText &&= text.isWellFormed();
      const encoded = Buffer.from(text, 'utf8');
      bytes += encoded.length;
      wire.push(encoded);
      text = '';
    };
    return {
      add: (records, row) => {
        for (let index = 0; index < columns.length; index++) {
          const cell = decodedCell(records, row, index);
          if (cell === undefined) return false;
          const column = cell === null ? '\\N' : (columns[index] as ColumnText)(cell);
          if (column === null) return false;
          text += index === 0 ? column : `\t${column}`;
        }
        text += '\n';
        if (text.length >= CHUNK_CHARS) flush();
        return true;
      },
      take: () => {
        if (text !== '') flush();
        return isText ? { wire, bytes } : null;
      },
    };
  };
}

/** `null`: the text holds a NUL, as itself or as JSON writes it. */
type ColumnText = (cell: Cell) => string | null;

function columnText(plain: (cell: Cell) => string, escapes: boolean): ColumnText {
  if (!escapes) return plain;
  return (cell) => {
    const text = plain(cell);
    if (!/[\\\t\n\r\0]/.test(text)) return text;
    if (text.includes('\0') || text.includes('\\u0000')) return null;
    return text.replaceAll(/[\\\t\n\r]/g, (char) => ESCAPES[char] as string);
  };
}
