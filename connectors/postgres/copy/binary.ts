import { TrueupError } from '../../../src/sdk.ts';
import type { Row, Shape } from '../../../src/sdk.ts';
import { binaryText, binaryType } from './binary-text.ts';
import type { BinaryText } from './binary-text.ts';
import { HEADER_BYTES } from './out.ts';

/*
 * The binary format of COPY: a signature with flags before the first row, in the same message with it; for each row the number of its fields, and for
 * each field its length (-1: NULL) and bytes; at the end, in a message of its own, -1 for a number of fields.
 */

/** CopyData messages of COPY's binary format, without signature and end: a row each, of the fields in the order of the shape. */
export const BINARY_FORM = 'pgcopy/binary';

/** Signature, no flags, no extension. */
export const SIGNATURE = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex');
/** The message that ends the rows. None of a row is as short. */
export const END_BYTES = HEADER_BYTES + 2;

/** Whether both sides send and receive the same bytes for the values of a column. */
export function sameBinary(from: string | undefined, to: string | undefined): boolean {
  const name = binaryType(from);
  return name !== null && name === binaryType(to);
}

/** Whether every field is of a type whose bytes are known here. */
export function isBinary({ fields }: Shape): boolean {
  return fields.every(({ native }) => native?.system === 'postgres' && binaryType(native.type) !== null);
}

/** Takes the signature out of the first of the runs of CopyData messages. */
export function signatureStripper(): (run: Buffer) => Buffer {
  const whole = HEADER_BYTES + SIGNATURE.length;
  let begin: Buffer | null = Buffer.alloc(0);
  return (run) => {
    if (begin === null) return run;
    begin = Buffer.concat([begin, run]);
    if (begin.length < whole) return Buffer.alloc(0);
    if (!begin.subarray(HEADER_BYTES, HEADER_BYTES + SIGNATURE.length - 4).equals(SIGNATURE.subarray(0, -4)))
      throw new TrueupError('E_BUG', 'The rows of a binary COPY do not begin with its signature.');
    const rest = begin.subarray(SIGNATURE.length);
    rest[0] = begin[0] as number;
    rest.writeUInt32BE(begin.readUInt32BE(1) - SIGNATURE.length, 1);
    begin = null;
    return rest;
  };
}

/** What makes a text of the bytes of each field. */
export function fieldTexts({ fields }: Shape): readonly BinaryText[] {
  return fields.map(({ native }) => binaryText(binaryType(native?.type) ?? ''));
}

/** Reads one row, without its header, as the texts that the server would have sent. */
export function binaryRowReader(shape: Shape): (row: Buffer) => (string | null)[] {
  const decoders = fieldTexts(shape);
  return (row) => {
    if (row.readInt16BE(0) !== decoders.length)
      throw new TrueupError('E_BUG', `A row has ${row.readInt16BE(0)} cells, expected ${decoders.length}.`);
    let at = 2;
    return decoders.map((decode) => {
      const length = row.readInt32BE(at);
      at += 4;
      if (length === -1) return null;
      at += length;
      return decode(row.subarray(at - length, at));
    });
  };
}

/** The rows of messages, in pieces that may be cut anywhere. */
export function* binaryRows(shape: Shape, pieces: readonly Buffer[]): Generator<Row> {
  const read = binaryRowReader(shape);
  const all = Buffer.concat(pieces);
  for (let at = 0; at < all.length;) {
    const end = at + 1 + all.readUInt32BE(at + 1);
    yield read(all.subarray(at + HEADER_BYTES, end));
    at = end;
  }
}
