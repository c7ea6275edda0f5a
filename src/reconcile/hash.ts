import type { Canonical } from './canonical.ts';

/**
 * A 64-bit hash of a sequence of canonical values, as two lanes of 32 bits: MurmurHash3 with two sets of constants, over UTF-16 units, so that a text is
 * hashed where it stands. Nothing is allocated. Not for keeping secrets, and not against somebody who looks for collisions.
 */
export interface Hash {
  /** Of the lanes; signed. Not to be read as a hash before `finish`. */
  first: number;
  second: number;
  /** Set by `finish`: the halves of the hash, unsigned. */
  low: number;
  high: number;
}

export function createHash(): Hash {
  return { first: 0, second: 0, low: 0, high: 0 };
}

export function resetHash(hash: Hash): void {
  hash.first = 0x2545f491;
  hash.second = 0x4f6cdd1d;
}

/** The kind of a value is part of its hash, a text with its length: no two sequences of values read the same. */
const TAG = { null: 1, absent: 2, true: 3, false: 4, number: 5, bigint: 6, text: 7 } as const;

const numbers = new DataView(new ArrayBuffer(8));

/** Texts of this length on are copied once, which is cheaper than asking for their characters one by one. */
const LONG = 48;
const MAX_COPIED = 16 * 1024;
const units = new Uint16Array(MAX_COPIED);
const unitBytes = Buffer.from(units.buffer);
const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

export function addToHash(hash: Hash, value: Canonical): void {
  switch (typeof value) {
    case 'string':
      return addText(hash, value);
    case 'number':
      numbers.setFloat64(0, value);
      // Of the many bit patterns of NaN one counts.
      return Number.isNaN(value)
        ? addWords(hash, TAG.number, 0x7ff80000, 1)
        : addWords(hash, TAG.number, numbers.getInt32(0), numbers.getInt32(4));
    case 'bigint':
      numbers.setBigInt64(0, value);
      return addWords(hash, TAG.bigint, numbers.getInt32(0), numbers.getInt32(4));
    case 'boolean':
      return addWords(hash, value ? TAG.true : TAG.false, 0, 0);
    default:
      return addWords(hash, value === null ? TAG.null : TAG.absent, 0, 0);
  }
}

/** Makes `low` and `high` of what was added so far. More may be added after it. */
export function finishHash(hash: Hash): void {
  let first = hash.first;
  let second = (hash.second + first) | 0;
  first = avalanche((first + second) | 0);
  second = avalanche(second);
  first = (first + second) | 0;
  hash.low = first >>> 0;
  hash.high = (second + first) >>> 0;
}

function addText(hash: Hash, text: string): void {
  const { length } = text;
  if (length >= LONG && length <= MAX_COPIED && isLittleEndian) return addLongText(hash, text);
  let first = mixFirst(hash.first, TAG.text);
  let second = mixSecond(hash.second, length);
  const even = length & ~1;
  for (let at = 0; at < even; at += 2) {
    const word = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16);
    first = mixFirst(first, word);
    second = mixSecond(second, word);
  }
  if (even < length) {
    first = mixFirst(first, text.charCodeAt(even));
    second = mixSecond(second, text.charCodeAt(even));
  }
  hash.first = mixFirst(first, length);
  hash.second = mixSecond(second, TAG.text);
}

/** The same as `addText`, from a copy of the text's units. */
function addLongText(hash: Hash, text: string): void {
  const { length } = text;
  unitBytes.write(text, 'utf16le');
  let first = mixFirst(hash.first, TAG.text);
  let second = mixSecond(hash.second, length);
  const even = length & ~1;
  for (let at = 0; at < even; at += 2) {
    const word = (units[at] as number) | ((units[at + 1] as number) << 16);
    first = mixFirst(first, word);
    second = mixSecond(second, word);
  }
  if (even < length) {
    first = mixFirst(first, units[even] as number);
    second = mixSecond(second, units[even] as number);
  }
  hash.first = mixFirst(first, length);
  hash.second = mixSecond(second, TAG.text);
}

function addWords(hash: Hash, tag: number, high: number, low: number): void {
  hash.first = mixFirst(mixFirst(mixFirst(hash.first, tag), high), low);
  hash.second = mixSecond(mixSecond(mixSecond(hash.second, tag), high), low);
}

function mixFirst(state: number, word: number): number {
  let mixed = Math.imul(word, 0xcc9e2d51);
  mixed = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593) ^ state;
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function mixSecond(state: number, word: number): number {
  let mixed = Math.imul(word, 0x239b961b);
  mixed = Math.imul((mixed << 16) | (mixed >>> 16), 0xab0e9789) ^ state;
  return (Math.imul((mixed << 17) | (mixed >>> 15), 5) + 0x0bcaa747) | 0;
}

function avalanche(state: number): number {
  let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
