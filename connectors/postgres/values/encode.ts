import { TrueupError, typeText } from '../../../src/sdk.ts';
import type { Cell, LogicalType } from '../../../src/sdk.ts';
import { formatInstant } from './instant.ts';

/** Turns a carrier that is not NULL into the text that Postgres' input function of the type reads back as the same value. */
export type Encode = (cell: Cell) => string;

/** @param delimiter between the elements of a list: `;` for boxes, else `,` */
export function typeEncoder(type: LogicalType, delimiter = ','): Encode {
  if (typeof type !== 'string') {
    return 'list' in type
      ? listEncoder(typeEncoder(type.list, delimiter), delimiter)
      : structEncoder(type.struct.map((field) => typeEncoder(field.type)));
  }
  switch (type) {
    case 'bool':
      return (cell) => (cell === true ? 't' : 'f');
    case 'int32':
    case 'int64':
      return String;
    case 'float64':
      return (cell) => (Object.is(cell, -0) ? '-0' : String(cell as number));
    case 'timestamptz':
      return (cell) => formatInstant(cell as bigint);
    case 'bytes':
      return (cell) => `\\x${hex(cell as Uint8Array)}`;
    case 'variant':
      return () => {
        throw new TrueupError('E_BUG', 'A variant reached PostgreSQL without a conversion.');
      };
    default:
      return (cell) => {
        if (typeof cell !== 'string')
          throw new TrueupError('E_RECORD_VALUE', `expected the text of ${typeText(type)}, got another kind of value`);
        return cell;
      };
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** Every element in quotes, so that none can be taken for NULL, a delimiter or a brace; lists in lists are further dimensions. */
function listEncoder(encode: Encode, delimiter: string): Encode {
  const element = (cell: Cell): string => {
    if (cell === null || cell === undefined) return 'NULL';
    const text = encode(cell);
    return Array.isArray(cell) && text.startsWith('{') ? text : quoted(text);
  };
  return (cell) => `{${(cell as readonly Cell[]).map(element).join(delimiter)}}`;
}

function structEncoder(encoders: readonly Encode[]): Encode {
  return (cell) => `(${encoders.map((encode, index) => structPart((cell as readonly Cell[])[index], encode)).join(',')})`;
}

function structPart(cell: Cell, encode: Encode): string {
  return cell === null || cell === undefined ? '' : quoted(encode(cell));
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}

const SPECIAL = /[\\\t\n\r\0]/;

/** A value as it stands in a line of COPY's text format; `null`: it holds a NUL, which no text of Postgres can. */
export function copyText(text: string): string | null {
  if (!SPECIAL.test(text)) return text;
  if (text.includes('\0')) return null;
  return text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
}

export const COPY_NULL = '\\N';
