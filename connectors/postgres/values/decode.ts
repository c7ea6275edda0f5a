import { TrueupError } from '../../../src/sdk.ts';
import type { Cell, Decode, LogicalType } from '../../../src/sdk.ts';
import { parseInstant } from './instant.ts';
import { parseArray, parseComposite } from './nested.ts';
import type { PgType, PgTypes } from './native.ts';
import { logicalType } from './native.ts';

/** The dialect that undecoded cells of Postgres are in: what its output functions write under the settings of `session.ts`. */
export const TEXT_DIALECT = 'postgres';

/**
 * How the text of a type becomes its carrier. `null`: the text is the carrier (text, decimal, uuid, json, civil dates and times, intervals in ISO
 * 8601, and everything unknown). A decoder throws E_RECORD_LOSS for what the carrier cannot hold (array bounds, more than one dimension).
 */
export function typeDecoder(oid: string, types: PgTypes): Decode | null {
  const type = types.get(oid);
  switch (type?.kind) {
    case 'array':
      return arrayDecoder(type, types);
    case 'domain':
      return typeDecoder(type.of as string, types);
    case 'composite':
      return compositeDecoder(type, types);
    default:
      return scalarDecoder(logicalType(oid, types));
  }
}

function scalarDecoder(type: LogicalType): Decode | null {
  switch (type) {
    case 'bool':
      return decodeBool;
    case 'int32':
      return decodeInt32;
    case 'int64':
      return decodeInt64;
    case 'float64':
      return decodeFloat;
    case 'bytes':
      return decodeBytes;
    case 'timestamptz':
      return decodeInstant;
    default:
      return null;
  }
}

function unreadable(type: string): TrueupError {
  return new TrueupError('E_RECORD_UNREADABLE', `The server sent a text that is not of type ${type}.`);
}

const decodeBool: Decode = (text) => {
  if (text === 't' || text === 'true') return true;
  if (text === 'f' || text === 'false') return false;
  throw unreadable('boolean');
};

const decodeInt32: Decode = (text) => {
  const value = Number(text);
  if ((value | 0) !== value || text === '') throw unreadable('integer');
  return value;
};

const decodeInt64: Decode = (text) => {
  if (!/^-?\d+$/.test(text)) throw unreadable('bigint');
  return BigInt(text);
};

const decodeFloat: Decode = (text) => {
  const value = Number(text);
  if (Number.isNaN(value) && text !== 'NaN') throw unreadable('double precision');
  return value;
};

const decodeBytes: Decode = (text) => {
  if (!text.startsWith('\\x')) throw unreadable('bytea');
  const bytes = Buffer.from(text.slice(2), 'hex');
  if (bytes.length * 2 !== text.length - 2) throw unreadable('bytea'); // Buffer stops silently at what is no hex
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
};

const decodeInstant: Decode = (text) => {
  try {
    return parseInstant(text);
  } catch {
    throw unreadable('timestamp with time zone');
  }
};

function arrayDecoder(array: PgType, types: PgTypes): Decode {
  const decode = typeDecoder(array.of as string, types);
  return (text) =>
    parseArray(text, array.delimiter).map((element): Cell => (element === null || decode === null ? element : decode(element)));
}

function compositeDecoder(composite: PgType, types: PgTypes): Decode {
  const decoders = composite.attributes.map((attribute) => typeDecoder(attribute.type, types));
  return (text) => {
    const cells = parseComposite(text);
    if (cells.length !== decoders.length) throw unreadable(composite.text);
    return cells.map((cell, index): Cell => {
      const decode = decoders[index] ?? null;
      return cell === null || decode === null ? cell : decode(cell);
    });
  };
}
