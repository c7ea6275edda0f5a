import { SCALAR_TYPES } from './logical-type.ts';
import type { Field, LogicalType, ScalarType } from './logical-type.ts';

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
  if (depth > 32) return null;
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
    const end = reader.text.indexOf(':', reader.at);
    if (end < 0) return null;
    const name = reader.text.slice(reader.at, end);
    reader.at = end + 1;
    const type = readType(reader, depth + 1);
    if (type === null) return null;
    fields.push({ name, type, nullable: true });
  } while (take(reader, ','));
  return take(reader, '>') ? { struct: fields } : null;
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
