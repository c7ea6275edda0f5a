import type { Cell } from './cell.ts';

/** Records as lines of a text format: cells that nobody looks into are copied from them as bytes. */
export interface LineRecords {
  /** The wire form whose lines they are, which says how cells stand in them. */
  readonly form: string;
  /** For each field, which cell of the line it is; -1: it is in no line, but among what was made. */
  readonly cells: readonly number[];
  /** A cell that is looked into, as a record's row holds it. */
  textAt(line: Line, cell: number): string | null;
  /** One after another. Always the same object, which stands for the next record afterwards. */
  scan(): Iterable<Line>;
}

export interface Line {
  /** Where the line lies; nobody changes it before the records are let go. */
  bytes: Uint8Array;
  /** Where each cell begins, and after the last one where another would; one byte lies between two of them. */
  readonly starts: Int32Array;
  /** By field: cells that are in no line. */
  readonly made: Cell[];
}
