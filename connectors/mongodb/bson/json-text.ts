import { TrueupError } from '../../../src/sdk.ts';
import { BSON, rawElements, rawText } from './read.ts';
import type { RawValue } from './read.ts';
import { decimal128Text } from './ejson-write.ts';
import { TYPE_NAMES } from '../native.ts';

/**
 * A value as plain JSON: every digit, and the order of names. A double has a point or an exponent, so that it comes back as a double. The inverse of `jsonDocument`.
 *
 * @throws {TrueupError} `E_RECORD_VALUE` for what JSON has no notation for (dates, ids, bytes, NaN), naming the place and the type
 */
export function jsonText(value: RawValue, place: string): string {
  const { bytes, type, from } = value;
  switch (type) {
    case BSON.document:
      return `{${rawElements(value)
        .map((element) => `${JSON.stringify(element.name)}:${jsonText(element.value, place)}`)
        .join(',')}}`;
    case BSON.array:
      return `[${rawElements(value)
        .map((element) => jsonText(element.value, place))
        .join(',')}]`;
    case BSON.string:
      return JSON.stringify(rawText(value));
    case BSON.bool:
      return bytes[from] === 1 ? 'true' : 'false';
    case BSON.null:
      return 'null';
    case BSON.int32:
      return String(bytes.readInt32LE(from));
    case BSON.int64:
      return String(bytes.readBigInt64LE(from));
    case BSON.double:
      return doubleText(bytes.readDoubleLE(from), place);
    case BSON.decimal:
      return decimalText(decimal128Text(value), place);
    default:
      throw new TrueupError('E_RECORD_VALUE', `${place}: JSON has no notation for a value of BSON type ${TYPE_NAMES[type] ?? 'unknown'}`);
  }
}

function doubleText(number: number, place: string): string {
  if (!Number.isFinite(number)) throw noNumber(place);
  if (Object.is(number, -0)) return '-0.0';
  const text = String(number);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function decimalText(text: string, place: string): string {
  if (!/^-?\d/.test(text)) throw noNumber(place);
  return text;
}

function noNumber(place: string): TrueupError {
  return new TrueupError('E_RECORD_VALUE', `${place}: JSON has no NaN and no Infinity`);
}
