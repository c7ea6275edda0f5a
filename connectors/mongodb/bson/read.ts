import { TrueupError } from '../../../src/sdk.ts';

/*
 * BSON as the server sent it. Documents are walked element by element and never become JavaScript objects, which would reorder names like '1',
 * drop a name that stands twice, and confuse int32 with double. https://bsonspec.org/spec.html
 */

export const BSON = {
  double: 1,
  string: 2,
  document: 3,
  array: 4,
  binary: 5,
  undefined: 6,
  objectId: 7,
  bool: 8,
  date: 9,
  null: 10,
  regex: 11,
  dbPointer: 12,
  code: 13,
  symbol: 14,
  codeWithScope: 15,
  int32: 16,
  timestamp: 17,
  int64: 18,
  decimal: 19,
  maxKey: 127,
  minKey: 255,
} as const;

/** One value inside a document: its type and where its bytes are, `from <= i < to`. */
export interface RawValue {
  readonly bytes: Buffer;
  readonly type: number;
  readonly from: number;
  readonly to: number;
}

export interface RawElement {
  readonly name: string;
  readonly value: RawValue;
}

/** How long a value of fixed length is. */
const FIXED: Readonly<Record<number, number>> = {
  [BSON.double]: 8,
  [BSON.undefined]: 0,
  [BSON.objectId]: 12,
  [BSON.bool]: 1,
  [BSON.date]: 8,
  [BSON.null]: 0,
  [BSON.int32]: 4,
  [BSON.timestamp]: 8,
  [BSON.int64]: 8,
  [BSON.decimal]: 16,
  [BSON.maxKey]: 0,
  [BSON.minKey]: 0,
};

export function rawDocument(bytes: Uint8Array): RawValue {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { bytes: buffer, type: BSON.document, from: 0, to: buffer.length };
}

/** The elements of a document or array, in their order. @throws {TrueupError} `E_RECORD_VALUE` for bytes that are no BSON */
export function rawElements({ bytes, from, to }: RawValue): RawElement[] {
  const elements: RawElement[] = [];
  eachElement(bytes, from, to, (type, nameFrom, nameTo, stop) => {
    elements.push({ name: nameOf(bytes, nameFrom, nameTo), value: { bytes, type, from: nameTo + 1, to: stop } });
  });
  return elements;
}

/** Where an element is: its value begins behind the end of its name. */
type VisitElement = (type: number, nameFrom: number, nameTo: number, stop: number) => void;

/** Goes through the elements of a document or array. @throws {TrueupError} `E_RECORD_VALUE` for bytes that are no BSON */
export function eachElement(bytes: Buffer, from: number, to: number, visit: VisitElement): void {
  const end = to - 1;
  if (to - from < 5 || bytes.readInt32LE(from) !== to - from || bytes[end] !== 0) throw broken();
  let at = from + 4;
  while (at < end) {
    const type = bytes[at] as number;
    const nameEnd = terminator(bytes, at + 1, end);
    const start = nameEnd + 1;
    const stop = start + valueLength(bytes, type, start, end);
    if (stop > end) throw broken();
    visit(type, at + 1, nameEnd, stop);
    at = stop;
  }
}

/** Bytes of a value that begins at `at`. @throws {TrueupError} `E_RECORD_VALUE` */
export function valueLength(bytes: Buffer, type: number, at: number, end: number): number {
  const fixed = FIXED[type];
  if (fixed !== undefined) return fixed;
  if (type === BSON.regex) return terminator(bytes, terminator(bytes, at, end) + 1, end) + 1 - at;
  if (at + 4 > end) throw broken();
  const length = bytes.readInt32LE(at);
  switch (type) {
    case BSON.document:
    case BSON.array:
    case BSON.codeWithScope:
      if (length < 5) throw broken();
      return length;
    case BSON.string:
    case BSON.code:
    case BSON.symbol:
      if (length < 1 || bytes[at + 3 + length] !== 0) throw broken();
      return 4 + length;
    case BSON.dbPointer:
      return 4 + length + 12;
    case BSON.binary:
      if (length < 0) throw broken();
      return 5 + length;
    default:
      throw new TrueupError('E_RECORD_VALUE', `the document holds a value of BSON type 0x${type.toString(16)}, which trueup does not know`);
  }
}

/** The text of a string, code or symbol. */
export function rawText({ bytes, from, to }: RawValue): string {
  return textAt(bytes, from, to);
}

export function textAt(bytes: Buffer, from: number, to: number): string {
  return utf8(bytes, from + 4, to - 1);
}

/** Pattern and options of a regular expression. */
export function rawRegex({ bytes, from, to }: RawValue): { readonly pattern: string; readonly options: string } {
  const middle = terminator(bytes, from, to);
  return { pattern: utf8(bytes, from, middle), options: utf8(bytes, middle + 1, to - 1) };
}

/** Code and the document that is its scope. */
export function rawScopedCode({ bytes, from, to }: RawValue): { readonly code: string; readonly scope: RawValue } {
  const length = bytes.readInt32LE(from + 4);
  const scopeFrom = from + 8 + length;
  return { code: utf8(bytes, from + 8, scopeFrom - 1), scope: { bytes, type: BSON.document, from: scopeFrom, to } };
}

/** Subtype and content. Subtype 2 has its length once more inside of it. */
export function rawBinary({ bytes, from, to }: RawValue): { readonly subtype: number; readonly content: Buffer } {
  const subtype = bytes[from + 4] as number;
  return { subtype, content: bytes.subarray(subtype === 2 ? from + 9 : from + 5, to) };
}

/** Where the next zero byte is. @throws {TrueupError} `E_RECORD_VALUE` when there is none */
export function terminator(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at <= end && bytes[at] !== 0) at++;
  if (at > end) throw broken();
  return at;
}

/** By length and last byte; ASCII only. */
const names: (string | undefined)[] = [];

/** The name that stands there. The documents of a collection repeat a few names, and making a text of bytes is what reading costs most. */
export function nameOf(bytes: Buffer, from: number, to: number): string {
  const slot = (to - from) * 256 + (to === from ? 0 : (bytes[to - 1] as number));
  const known = names[slot];
  if (known !== undefined && isText(bytes, from, known)) return known;
  const name = utf8(bytes, from, to);
  if (name.length === to - from && name.length <= 64) names[slot] = name;
  return name;
}

function isText(bytes: Buffer, from: number, text: string): boolean {
  for (let at = 0; at < text.length; at++) if (bytes[from + at] !== text.charCodeAt(at)) return false;
  return true;
}

/** Shorter texts are made here faster than by asking for them. */
const SHORT = 24;

function shortAscii(bytes: Buffer, from: number, to: number): number[] | null {
  const codes: number[] = [];
  for (let at = from; at < to; at++) {
    const code = bytes[at] as number;
    if (code > 127) return null;
    codes.push(code);
  }
  return codes;
}

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws {TrueupError} `E_RECORD_VALUE` for bytes that are no UTF-8: a replacement character would hide them */
function utf8(bytes: Buffer, from: number, to: number): string {
  if (to - from <= SHORT) {
    const codes = shortAscii(bytes, from, to);
    if (codes !== null) return String.fromCharCode(...codes);
  }
  const text = bytes.toString('utf8', from, to);
  if (!text.includes('\uFFFD')) return text;
  try {
    return STRICT.decode(bytes.subarray(from, to));
  } catch {
    throw new TrueupError('E_RECORD_VALUE', 'the document holds a text or a name that is not UTF-8');
  }
}

function broken(): TrueupError {
  return new TrueupError('E_RECORD_VALUE', 'the document is not well-formed BSON');
}
