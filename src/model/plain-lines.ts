import { cellToText } from './cell-text.ts';
import type { Cell } from './cell.ts';
import { planConversion } from './conversion.ts';
import type { Form } from './records.ts';
import type { LogicalType } from './logical-type.ts';

/**
 * A line per record, of the fields in the order of the shape: cells apart by tabs, `\N` for NULL; a backslash, tab, newline or carriage return inside
 * of a cell is written `\\`, `\t`, `\n`, `\r` (the text format of PostgreSQL's COPY, which others read as well). UTF-8, without NUL. A cell is the plain
 * text of its value: see `plainText`. What has none travels as cells.
 */
export const PLAIN_LINES: Form = 'lines/plain';

/**
 * How values of a type are written in `lines/plain`; `null`: values of the type have no plain text.
 *
 * - a decimal as its carrier is, a variant as the JSON that its value becomes, every other value as its canonical text
 *
 * @returns a function that takes carriers that are not NULL, and throws a record fault for one that cannot be written
 */
export function plainText(type: LogicalType): ((cell: Cell) => string) | null {
  if (typeof type !== 'string' || type === 'interval') return null;
  if (type === 'decimal') return (cell) => cell as string;
  if (type !== 'variant') return (cell) => cellToText(type, cell) as string;
  const { convert } = planConversion({ from: 'variant', to: 'json', onLoss: 'error' });
  return (cell) => convert(cell, () => undefined) as string;
}
