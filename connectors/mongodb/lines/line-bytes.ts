import { isUtf8 } from 'node:buffer';

/** What cannot be written as a line. The records that it stands among travel as cells, which say what is wrong with it, or carry it. */
export class Unfit extends Error {
  override readonly name = 'Unfit';
}

const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const CAPITAL_N = 0x4e;
/** What stands behind the backslash, by character; 0: nothing does. */
const ESCAPES = escapes({ '\\': '\\', '\t': 't', '\n': 'n', '\r': 'r' });
const JSON_ESCAPES = escapes({ '"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\t': 't', '\n': 'n', '\r': 'r' });
const HEX = Buffer.from('0123456789abcdef', 'latin1');

function escapes(of: Readonly<Record<string, string>>): Uint8Array {
  const table = new Uint8Array(128);
  for (const [char, letter] of Object.entries(of)) table[char.charCodeAt(0)] = letter.charCodeAt(0);
  return table;
}

/** Bytes of lines, one after another. Grows with what is written. */
export class LineBytes {
  bytes: Buffer;
  at = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }

  /** So much can be written after it. */
  room(size: number): void {
    if (this.at + size <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.at + size));
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
  }

  byte(code: number): void {
    this.room(1);
    this.bytes[this.at++] = code;
  }

  null(): void {
    this.room(2);
    this.bytes[this.at++] = BACKSLASH;
    this.bytes[this.at++] = CAPITAL_N;
  }

  /** As they are. */
  raw(bytes: Buffer, length: number): void {
    this.room(length);
    bytes.copy(this.bytes, this.at, 0, length);
    this.at += length;
  }

  /** A text of ASCII that holds nothing to escape. */
  ascii(text: string): void {
    this.room(text.length);
    for (let index = 0; index < text.length; index++) this.bytes[this.at++] = text.charCodeAt(index);
  }

  hex(from: Buffer, start: number, end: number): void {
    this.room((end - start) * 2);
    for (let index = start; index < end; index++) {
      const byte = from[index] as number;
      this.bytes[this.at++] = HEX[byte >> 4] as number;
      this.bytes[this.at++] = HEX[byte & 15] as number;
    }
  }

  /** The digits of a number from 0 on, below 2³¹. */
  digits(value: number): void {
    let length = 1;
    for (let limit = 10; limit <= value; limit *= 10) length++;
    this.padded(value, length);
  }

  /** `length` digits, zeros in front. */
  padded(value: number, length: number): void {
    this.room(length);
    let rest = value | 0;
    for (let index = this.at + length - 1; index >= this.at; index--) {
      const tenth = (rest / 10) | 0;
      this.bytes[index] = 48 + rest - tenth * 10;
      rest = tenth;
    }
    this.at += length;
  }

  /** A text in UTF-8. @throws {Unfit} for bytes that are none, and for NUL */
  text(from: Buffer, start: number, end: number): void {
    this.room((end - start) * 2);
    const { bytes } = this;
    let { at } = this;
    let checked = false;
    for (let index = start; index < end; index++) {
      const byte = from[index] as number;
      if (byte > 127) {
        if (!checked) checkUtf8(from, start, end);
        checked = true;
      } else if (ESCAPES[byte] !== 0) {
        bytes[at++] = BACKSLASH;
        bytes[at++] = ESCAPES[byte] as number;
        continue;
      } else if (byte === 0) throw new Unfit();
      bytes[at++] = byte;
    }
    this.at = at;
  }

  /** The same text as a string of JSON. */
  jsonText(from: Buffer, start: number, end: number): void {
    this.room((end - start) * 7 + 2);
    const { bytes } = this;
    let { at } = this;
    let checked = false;
    bytes[at++] = QUOTE;
    for (let index = start; index < end; index++) {
      const byte = from[index] as number;
      if (byte > 127) {
        if (!checked) checkUtf8(from, start, end);
        checked = true;
        bytes[at++] = byte;
      } else if (JSON_ESCAPES[byte] === 0 && byte >= 32) bytes[at++] = byte;
      else {
        // A backslash of JSON is one that the line escapes.
        bytes[at++] = BACKSLASH;
        bytes[at++] = BACKSLASH;
        at = this.#escaped(byte, at);
      }
    }
    bytes[at++] = QUOTE;
    this.at = at;
  }

  #escaped(byte: number, start: number): number {
    const { bytes } = this;
    let at = start;
    const letter = JSON_ESCAPES[byte] as number;
    if (letter === BACKSLASH) bytes[at++] = BACKSLASH;
    if (letter !== 0) {
      bytes[at++] = letter;
      return at;
    }
    if (byte === 0) throw new Unfit();
    bytes.write(`u${byte.toString(16).padStart(4, '0')}`, at, 'latin1');
    return at + 5;
  }

  /** Any text. */
  string(text: string): void {
    if (!text.isWellFormed()) throw new Unfit();
    const encoded = Buffer.from(text, 'utf8');
    this.text(encoded, 0, encoded.length);
  }
}

function checkUtf8(from: Buffer, start: number, end: number): void {
  if (!isUtf8(from.subarray(start, end))) throw new Unfit();
}
