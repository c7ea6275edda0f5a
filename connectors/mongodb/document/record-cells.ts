import { fieldIndex } from '../../../src/sdk.ts';
import type { Cell, Decode, Records, Row, Shape } from '../../../src/sdk.ts';
import type { DocumentPlan } from './document.ts';

/** Where the places of a plan stand in the rows of a batch. */
export interface BatchFields {
  /** For each place its index in a row; -1: the batch does not have it. */
  readonly indices: readonly number[];
  /** For each place; not `null`: its text cells are to be decoded. */
  readonly decoders: readonly (Decode | null)[];
}

/** A record on its way into a document. */
export interface RecordCells {
  readonly row: Row;
  readonly fields: BatchFields;
}

export function batchFields({ places }: DocumentPlan, shape: Shape, records: Records): BatchFields {
  const indices = places.map(({ name }) => fieldIndex(shape, name));
  return { indices, decoders: indices.map((index) => (index < 0 ? null : records.decoder(index))) };
}

/** As it is in the row: `undecoded` tells whether it is text still. */
export function rawCell({ row, fields }: RecordCells, place: number): Cell {
  const index = fields.indices[place] as number;
  return index < 0 ? undefined : row[index];
}

export function undecoded({ fields }: RecordCells, place: number, cell: Cell): Decode | null {
  return typeof cell === 'string' ? (fields.decoders[place] as Decode | null) : null;
}

export function carrierAt(record: RecordCells, place: number): Cell {
  const cell = rawCell(record, place);
  const decode = undecoded(record, place, cell);
  return decode === null ? cell : decode(cell as string);
}

export function keyCells({ key }: DocumentPlan, record: RecordCells): Cell[] {
  return key.map((place) => carrierAt(record, place));
}
