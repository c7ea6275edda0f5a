import { TrueupError, isTrueupError } from '../errors.ts';
import type { Cell, Row } from '../model/cell.ts';
import { typeText } from '../model/logical-type.ts';
import type { Field } from '../model/logical-type.ts';
import type { Decode } from '../model/records.ts';

/** The record that is being mapped. One object serves all records of a batch, one after the other. */
export interface RowContext {
  row: Row;
  /** Per source field; not `null`: its string cells are text still. */
  decoders: readonly (Decode | null)[];
}

export type ReadCell = (context: RowContext) => Cell;

/**
 * Reads one field of the record as its carrier, decoding where it must.
 *
 * @returns a function that throws `E_RECORD_UNREADABLE` for text that is not of the field's type
 */
export function cellReader(field: Field, index: number): ReadCell {
  return (context) => {
    const cell = context.row[index];
    if (typeof cell !== 'string') return cell;
    const decode = context.decoders[index];
    return decode === null || decode === undefined ? cell : decoded(field, decode, cell);
  };
}

function decoded(field: Field, decode: Decode, text: string): Cell {
  try {
    return decode(text);
  } catch (error) {
    if (isTrueupError(error) && error.fault === 'record') throw error;
    throw new TrueupError('E_RECORD_UNREADABLE', `field '${field.name}': the source's text does not stand for a ${typeText(field.type)}`);
  }
}
