import { BINARY_FORM } from '../copy/binary.ts';
import { binaryText, binaryType } from '../copy/binary-text.ts';
import { asWire } from '../read/reading.ts';
import type { Reading, WireForm } from '../read/reading.ts';
import { ABSENT_LENGTH, NULL_LENGTH, emptyTuple } from './tuple.ts';
import type { Tuple } from './tuple.ts';

/** What tells records of one table apart: equal where the bytes of their keys are. */
export type WireKey = number | string;

/** How the tuples of a table become rows of COPY without becoming cells. */
export interface WireTable {
  readonly form: WireForm;
  /** The stream, its rows as they are handed on. */
  readonly reading: Reading;
  /** Of the message at hand; written over by the next. */
  readonly tuple: Tuple;
  readonly old: Tuple;
  /** `null`: a cell of the key is NULL or missing. */
  keyOf(bytes: Buffer, tuple: Tuple): WireKey | null;
  /** The text of a cell; `undefined`: it is not in the log. */
  textOf(bytes: Buffer, tuple: Tuple, field: number): string | null | undefined;
}

/**
 * @param fields for each column of the log its field, -1: not wanted
 * @returns `null`: its rows cannot be handed on, because the columns stand in another order than the fields, or a key may be NULL or stand twice
 */
export function wireTable(reading: Reading, fields: Int32Array, form: WireForm): WireTable | null {
  const wired = asWire(reading, form);
  if (wired.placeFields === null || wired.wire !== form || !isInOrder(fields)) return null;
  const { shape } = reading;
  const width = shape.fields.length;
  const decoders = shape.fields.map(({ native }) => (form === BINARY_FORM ? binaryText(binaryType(native?.type) ?? '') : null));
  return {
    form,
    reading: wired,
    tuple: emptyTuple(width),
    old: emptyTuple(width),
    keyOf: keyReader(shape, form),
    textOf(bytes, { starts, lengths }, field) {
      const length = lengths[field] as number;
      if (length === NULL_LENGTH) return null;
      if (length === ABSENT_LENGTH) return undefined;
      const start = starts[field] as number;
      const decode = decoders[field] ?? null;
      return decode === null ? bytes.toString('utf8', start, start + length) : decode(bytes.subarray(start, start + length));
    },
  };
}

function isInOrder(fields: Int32Array): boolean {
  const wanted = [...fields].filter((field) => field !== -1);
  return wanted.every((field, index) => field === index);
}

function keyReader({ key, fields }: Reading['shape'], form: WireForm): WireTable['keyOf'] {
  const [only = -1] = key;
  const type = binaryType(fields[only]?.native?.type);
  if (key.length === 1 && form === BINARY_FORM && type === 'integer')
    return (bytes, { starts, lengths }) => ((lengths[only] as number) < 0 ? null : bytes.readInt32BE(starts[only] as number));
  if (key.length === 1)
    return (bytes, { starts, lengths }) => {
      const [start, length] = [starts[only] as number, lengths[only] as number];
      if (length < 0) return null;
      // Small whole numbers are found without making a text of each.
      if (type === 'bigint' && form === BINARY_FORM && bytes.readInt32BE(start) === 0) return bytes.readUInt32BE(start + 4);
      return bytes.toString('latin1', start, start + length);
    };
  return (bytes, { starts, lengths }) => {
    let text = '';
    for (const field of key) {
      const [start, length] = [starts[field] as number, lengths[field] as number];
      if (length < 0) return null;
      text += `${length}:${bytes.toString('latin1', start, start + length)}`;
    }
    return text;
  };
}
