import { TrueupError } from '../../../src/sdk.ts';
import { BSON } from './read.ts';

/*
 * BSON as bytes, written straight from cells: the objects that the driver would make bytes of cost more than the bytes. https://bsonspec.org/spec.html
 * Every `put…` writes one element: its type, its name, its value.
 */

/** Bytes that grow; what counts are those before `at`. */
export interface Sink {
  bytes: Buffer;
  at: number;
}

const START_BYTES = 64 * 1024;

export function openSink(): Sink {
  return { bytes: Buffer.allocUnsafeSlow(START_BYTES), at: 0 };
}

/** What one command of large documents took is not kept for the next. */
const KEPT_BYTES = 4 * 1024 * 1024;
/** Room beyond what is needed, of a large sink: a large document would otherwise take twice its weight, and be copied to get it. */
const SPARE_BYTES = 1024 * 1024;

export function emptySink(sink: Sink): void {
  sink.at = 0;
  if (sink.bytes.length <= KEPT_BYTES) return;
  // Given back at once: V8 counts memory outside of its heap only now and then, and large documents would come together as garbage.
  (sink.bytes.buffer as ArrayBuffer).transfer(0);
  sink.bytes = Buffer.allocUnsafeSlow(START_BYTES);
}

/** Room for so many bytes more. */
function reserve(sink: Sink, more: number): Buffer {
  const needed = sink.at + more;
  if (needed <= sink.bytes.length) return sink.bytes;
  const grown = Buffer.allocUnsafeSlow(needed > SPARE_BYTES ? needed + SPARE_BYTES : Math.max(needed, sink.bytes.length * 2));
  sink.bytes.copy(grown, 0, 0, sink.at);
  sink.bytes = grown;
  return grown;
}

/** The name of an element: its bytes and the NUL behind them. */
export function elementName(name: string): Uint8Array {
  return new Uint8Array(Buffer.from(`${name}\0`));
}

const indexNames: Uint8Array[] = [];

/** The names of an array's elements: its indices. */
export function indexName(index: number): Uint8Array {
  return index < 10_000 ? (indexNames[index] ??= elementName(String(index))) : elementName(String(index));
}

/** Type and name; room for `more` bytes of value. */
function head(sink: Sink, type: number, name: Uint8Array, more: number): Buffer {
  const bytes = reserve(sink, 1 + name.length + more);
  let at = sink.at;
  bytes[at++] = type;
  for (let index = 0; index < name.length; index++) bytes[at++] = name[index] as number;
  sink.at = at;
  return bytes;
}

function put32(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** A whole number that JavaScript holds exactly, as 64 bits. */
function put64(bytes: Buffer, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  put32(bytes, at, value - high * 0x1_0000_0000);
  put32(bytes, at + 4, high);
}

export function putNull(sink: Sink, name: Uint8Array): void {
  head(sink, BSON.null, name, 0);
}

export function putBool(sink: Sink, name: Uint8Array, value: boolean): void {
  head(sink, BSON.bool, name, 1)[sink.at++] = value ? 1 : 0;
}

export function putInt32(sink: Sink, name: Uint8Array, value: number): void {
  put32(head(sink, BSON.int32, name, 4), sink.at, value);
  sink.at += 4;
}

/** @param value exact */
export function putInt64(sink: Sink, name: Uint8Array, value: number): void {
  put64(head(sink, BSON.int64, name, 8), sink.at, value);
  sink.at += 8;
}

export function putBigInt64(sink: Sink, name: Uint8Array, value: bigint): void {
  const exact = Number(value);
  if (Number.isSafeInteger(exact)) return putInt64(sink, name, exact);
  sink.at = head(sink, BSON.int64, name, 8).writeBigInt64LE(value, sink.at);
}

export function putDouble(sink: Sink, name: Uint8Array, value: number): void {
  sink.at = head(sink, BSON.double, name, 8).writeDoubleLE(value, sink.at);
}

/** @param ms since 1970, exact */
export function putDate(sink: Sink, name: Uint8Array, ms: number): void {
  put64(head(sink, BSON.date, name, 8), sink.at, ms);
  sink.at += 8;
}

/** @param digits without sign and point, exact; `scale` of them stand behind the point */
export function putDecimal(
  sink: Sink,
  name: Uint8Array,
  { negative, digits, scale }: { readonly negative: boolean; readonly digits: number; readonly scale: number },
): void {
  const bytes = head(sink, BSON.decimal, name, 16);
  put64(bytes, sink.at, digits);
  put32(bytes, sink.at + 8, 0);
  put32(bytes, sink.at + 12, ((6176 - scale) << 17) | (negative ? 0x8000_0000 : 0));
  sink.at += 16;
}

export function putBinary(
  sink: Sink,
  name: Uint8Array,
  { subtype, content }: { readonly subtype: number; readonly content: Uint8Array },
): void {
  const bytes = head(sink, BSON.binary, name, 5 + content.length);
  put32(bytes, sink.at, content.length);
  bytes[sink.at + 4] = subtype;
  bytes.set(content, sink.at + 5);
  sink.at += 5 + content.length;
}

/** A value whose bytes are known. */
export function putBytes(sink: Sink, name: Uint8Array, { type, content }: { readonly type: number; readonly content: Uint8Array }): void {
  head(sink, type, name, content.length).set(content, sink.at);
  sink.at += content.length;
}

const HEX = new Int8Array(128).fill(-1);
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  HEX[digit.charCodeAt(0)] = value;
  HEX[digit.toUpperCase().charCodeAt(0)] = value;
}

/** `false`, and nothing is written: the text is another one than 24 hexadecimal digits. */
export function putObjectId(sink: Sink, name: Uint8Array, hex: string): boolean {
  const start = sink.at;
  head(sink, BSON.objectId, name, 12);
  return hex.length === 24 && putHex(sink, hex) === 12 ? true : ((sink.at = start), false);
}

/** Dashes are passed over. `false`, and nothing is written: no UUID. */
export function putUuid(sink: Sink, name: Uint8Array, text: string): boolean {
  const start = sink.at;
  const bytes = head(sink, BSON.binary, name, 21);
  put32(bytes, sink.at, 16);
  bytes[sink.at + 4] = 4;
  sink.at += 5;
  return text.length === 36 && putHex(sink, text) === 16 ? true : ((sink.at = start), false);
}

/** How many bytes were written; -1: the text holds what is no digit. Never more than half of its length. */
function putHex(sink: Sink, text: string): number {
  const from = sink.at;
  let high = -1;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 45) continue;
    const digit = code < 128 ? (HEX[code] as number) : -1;
    if (digit < 0) return -1;
    if (high < 0) high = digit;
    else {
      sink.bytes[sink.at++] = high * 16 + digit;
      high = -1;
    }
  }
  return sink.at - from;
}

/** Shorter texts are copied here faster than by asking for it. */
const SHORT = 32;
/** Of longer texts the bytes are counted first: three a character would be far too many. */
const LONG = 4096;

/** @param place for the message. @throws {TrueupError} `E_RECORD_VALUE` for a lone surrogate: encoding would make another character of it without a word */
export function putText(sink: Sink, name: Uint8Array, text: string, place: string): void {
  const bytes = head(sink, BSON.string, name, 5 + (text.length > LONG ? Buffer.byteLength(text) : text.length * 3));
  const from = sink.at + 4;
  const end = text.length <= SHORT ? shortEnd(bytes, from, text) : from + bytes.write(text, from, 'utf8');
  if (end - from !== text.length && !text.isWellFormed())
    throw new TrueupError('E_RECORD_VALUE', `${place} holds a lone surrogate, which no UTF-8 text can hold`);
  put32(bytes, sink.at, end - from + 1);
  bytes[end] = 0;
  sink.at = end + 1;
}

function shortEnd(bytes: Buffer, from: number, text: string): number {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 127) return from + bytes.write(text, from, 'utf8');
    bytes[from + index] = code;
  }
  return from + text.length;
}

/** Returns where the document begins, for `endDocument`. */
export function beginDocument(sink: Sink, name: Uint8Array, type: number = BSON.document): number {
  head(sink, type, name, 5);
  sink.at += 4;
  return sink.at - 4;
}

/** Documents whose bytes are known. */
export function appendBytes(sink: Sink, content: Uint8Array): void {
  reserve(sink, content.length).set(content, sink.at);
  sink.at += content.length;
}

/** A document that is the whole, not an element. */
export function beginRoot(sink: Sink): number {
  reserve(sink, 5);
  sink.at += 4;
  return sink.at - 4;
}

export function endDocument(sink: Sink, from: number): void {
  const bytes = reserve(sink, 1);
  bytes[sink.at++] = 0;
  put32(bytes, from, sink.at - from);
}
