import { isTrueupError } from '../errors.ts';
import { cellToText } from '../model/cell-text.ts';
import type { Cell, Row } from '../model/cell.ts';
import type { LogicalType } from '../model/logical-type.ts';
import type { Records } from '../model/records.ts';
import { canonicalizer } from './canonical.ts';
import type { Canonicalize } from './canonical.ts';

/** A field that is compared: what it is called in the target, and the type that the target gives it back in. */
export interface ComparedField {
  readonly name: string;
  readonly type: LogicalType;
  readonly canonical: Canonicalize;
}

/** Where the cells of one side come from: a field of its records, and what the target makes of its values. */
export interface CellSource {
  readonly index: number;
  /** `null`: the cell as it is. */
  readonly convert: ((cell: Cell) => Cell) | null;
}

export function comparedField(name: string, type: LogicalType): ComparedField {
  return { name, type, canonical: canonicalizer(type) };
}

/**
 * One field of a record as its carrier, as the target holds it. Text that no carrier can hold (an array of two dimensions), which the same system copies
 * unread, stays that text.
 *
 * @throws {TrueupError} of a record fault, where the target would not take the value
 */
export function storedCell(records: Records, row: Row, { index, convert }: CellSource): Cell {
  let cell = row[index];
  if (typeof cell === 'string') {
    const decode = records.decoder(index);
    if (decode !== null) {
      const text = cell;
      try {
        cell = decode(text);
      } catch (error) {
        if (isTrueupError(error) && error.fault === 'record') return text;
        throw error;
      }
    }
  }
  return convert === null ? cell : convert(cell);
}

/** The key of a record, as `ListedRecord.key` has it. Cells are carriers in key order, as many as there are. */
export function canonicalKey(fields: readonly ComparedField[], cells: readonly Cell[]): string {
  return JSON.stringify(cells.map((cell, position) => keyPart(fields[position] as ComparedField, cell)));
}

function keyPart({ type, canonical }: ComparedField, cell: Cell): string | null {
  if (cell instanceof Uint8Array || cell === null || cell === undefined) return cellToText(type, cell);
  const value = canonical(cell);
  return typeof value === 'string' ? value : cellToText(type, cell);
}
