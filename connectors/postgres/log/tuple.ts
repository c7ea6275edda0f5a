import type { Reader } from './pgoutput.ts';

/** Where the cells of a tuple stand in the buffer of its message, by the fields of the stream. */
export interface Tuple {
  readonly starts: Int32Array;
  /** Bytes, or one of the two below. */
  readonly lengths: Int32Array;
}

export const NULL_LENGTH = -1;
/** Not in the log: a large value that was not changed, or a column that the tuple does not have. */
export const ABSENT_LENGTH = -2;

const NULL_CELL = 0x6e; // n
const UNCHANGED = 0x75; // u
const TEXT = 0x74; // t
const BINARY = 0x62; // b

export function emptyTuple(width: number): Tuple {
  return { starts: new Int32Array(width), lengths: new Int32Array(width) };
}

/**
 * Looks where the cells of a tuple stand; reads none of them.
 *
 * @param fields for each column of the tuple its field, -1: not wanted
 * @returns whether a wanted cell is missing because it was not changed
 */
export function scanTuple(reader: Reader, fields: Int32Array, { starts, lengths }: Tuple): boolean {
  const { bytes } = reader;
  let { at } = reader;
  const count = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  at += 2;
  lengths.fill(ABSENT_LENGTH);
  let missing = false;
  for (let column = 0; column < count; column += 1) {
    const field = fields[column] ?? -1;
    const kind = bytes[at++];
    if (kind === TEXT || kind === BINARY) {
      const size = bytes.readInt32BE(at);
      at += 4;
      if (field !== -1) {
        starts[field] = at;
        lengths[field] = size;
      }
      at += size;
    } else if (kind === NULL_CELL) {
      if (field !== -1) lengths[field] = NULL_LENGTH;
    } else if (kind === UNCHANGED) missing ||= field !== -1;
    else throw new RangeError(`a cell of kind ${String(kind)} in the log`);
  }
  reader.at = at;
  return missing;
}

/** Takes from the old tuple of the same message what the new one lacks, in these fields. Returns whether something is still missing. */
export function fillTuple(tuple: Tuple, old: Tuple, fields: Iterable<number>): boolean {
  let missing = false;
  for (const field of fields) {
    if (tuple.lengths[field] === ABSENT_LENGTH) {
      tuple.starts[field] = old.starts[field] as number;
      tuple.lengths[field] = old.lengths[field] as number;
    }
    missing ||= tuple.lengths[field] === ABSENT_LENGTH;
  }
  return missing;
}
