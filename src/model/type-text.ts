import { SCALAR_TYPES } from './logical-type.ts';
import type { Field, LogicalType, ScalarType } from './logical-type.ts';

/** Deeper than any document: MongoDB nests 100 levels. */
const MAX_DEPTH = 200;

/** Reads what `typeText` writes: `int64`, `list<text>`, `struct<a: int32, b: text>`. `null` when it is no type. */
export function parseType(text: string): LogicalType | null {
  const reader = { text, at: 0 };
  const type = readType(reader, 0);
  skipSpace(reader);
  return type !== null && reader.at === text.length ? type : null;
}

interface Reader {
  readonly text: string;
  at: number;
}

function readType(reader: Reader, depth: number): LogicalType | null {
  if (depth > MAX_DEPTH) return null;
  skipSpace(reader);
  const word = /^[A-Za-z0-9]+/.exec(reader.text.slice(reader.at, reader.at + 16))?.[0] ?? '';
  reader.at += word.length;
  if (word === 'list') return readList(reader, depth);
  if (word === 'struct') return readStruct(reader, depth);
  return (SCALAR_TYPES as readonly string[]).includes(word) ? (word as ScalarType) : null;
}

function readList(reader: Reader, depth: number): LogicalType | null {
  if (!take(reader, '<')) return null;
  const element = readType(reader, depth + 1);
  return element !== null && take(reader, '>') ? { list: element } : null;
}

function readStruct(reader: Reader, depth: number): LogicalType | null {
  if (!take(reader, '<')) return null;
  const fields: Field[] = [];
  if (take(reader, '>')) return { struct: fields };
  do {
    skipSpace(reader);
    const name = readName(reader);
    if (name === null) return null;
    const type = readType(reader, depth + 1);
    if (type === null) return null;
    fields.push({ name, type, nullable: true });
  } while (take(reader, ','));
  return take(reader, '>') ? { struct: fields } : null;
}

/** Up to its colon, or in JSON quotes. */
function readName(reader: Reader): string | null {
  const quoted = reader.text[reader.at] === '"' ? /"(?:[^"\\]+|\\.)*"/y : null;
  if (quoted === null) {
    const end = reader.text.indexOf(':', reader.at);
    const name = reader.text.slice(reader.at, end);
    reader.at = end + 1;
    return end < 0 ? null : name;
  }
  quoted.lastIndex = reader.at;
  const text = quoted.exec(reader.text)?.[0];
  if (text === undefined) return null;
  reader.at += text.length;
  try {
    return take(reader, ':') ? (JSON.parse(text) as string) : null;
  } catch {
    return null;
  }
}

function take(reader: Reader, character: string): boolean {
  skipSpace(reader);
  if (reader.text[reader.at] !== character) return false;
  reader.at++;
  return true;
}

function skipSpace(reader: Reader): void {
  while (reader.text[reader.at] === ' ') reader.at++;
}
