import type { Cell, LogicalType, Variant } from '../../src/sdk.ts';
import { typeText } from '../../src/sdk.ts';
import { BSON, eachElement, nameOf, rawBinary, textAt } from './bson/read.ts';
import type { RawValue } from './bson/read.ts';
import { listType, structRoot, withName } from './interned-type.ts';
import { decimal128Text, extendedJson } from './bson/ejson-write.ts';

/*
 * BSON and logical types. Every value has an exact carrier:
 *
 * | BSON | logical type | carrier |
 * | --- | --- | --- |
 * | double | float64 | number: NaN, ±Infinity and -0 are kept; all NaN are one |
 * | int, long | int32, int64 | number, bigint |
 * | decimal (Decimal128) | decimal | text: `1.50`, `NaN`, `-Infinity`, `-0`; `1E+3` where plain digits would be another Decimal128 |
 * | string, objectId, bool | text, objectId, bool | |
 * | date | timestamptz | microseconds; beyond the years ±275,760 unknown |
 * | binData 0 and 4 | bytes, uuid | |
 * | object | struct, in the order of its names | a cell per name |
 * | array | list of the one type that its values have, else list of variant | |
 * | null | NULL | |
 * | every other: regex, timestamp, minKey, maxKey, symbol, javascript, further binData, … | unknown | canonical Extended JSON |
 *
 * Where types vary from document to document a cell is a `Variant`: the logical type as text beside the carrier.
 */

export const SYSTEM = 'mongodb';

/** A value with the type that it has itself. `null`: the value null. */
export interface TypedCell {
  readonly type: LogicalType;
  readonly cell: Cell;
}

/** The largest instant of a JavaScript Date, in which the driver writes: ms since 1970. */
export const MAX_DATE_MS = 8_640_000_000_000_000n;

export function typedCell(value: RawValue): TypedCell | null {
  const cell = cellOf(value.bytes, value.type, value.from, value.to);
  return lastType === null ? null : { type: lastType, cell };
}

/** Of the cell that `cellOf` made last; `null`: of the value null. An object for each of them is what decoding would cost most. */
let lastType: LogicalType | null = null;

function cellOf(bytes: Buffer, type: number, from: number, to: number): Cell {
  switch (type) {
    case BSON.null:
      lastType = null;
      return null;
    case BSON.double:
      lastType = 'float64';
      return bytes.readDoubleLE(from);
    case BSON.string:
      lastType = 'text';
      return textAt(bytes, from, to);
    case BSON.int32:
      lastType = 'int32';
      return bytes.readInt32LE(from);
    case BSON.int64:
      lastType = 'int64';
      return bytes.readBigInt64LE(from);
    case BSON.bool:
      lastType = 'bool';
      return bytes[from] === 1;
    case BSON.objectId:
      lastType = 'objectId';
      return bytes.toString('hex', from, from + 12);
    case BSON.document:
      return structCell(bytes, from, to);
    case BSON.array:
      return listCell(bytes, from, to);
    default:
      return otherCell({ bytes, type, from, to });
  }
}

function otherCell(value: RawValue): Cell {
  const { type, cell } = otherTyped(value);
  lastType = type;
  return cell;
}

function otherTyped(value: RawValue): TypedCell {
  const { bytes, type, from } = value;
  switch (type) {
    case BSON.date: {
      const ms = bytes.readBigInt64LE(from);
      return ms > MAX_DATE_MS || ms < -MAX_DATE_MS ? unknown(value) : { type: 'timestamptz', cell: ms * 1000n };
    }
    case BSON.decimal:
      return { type: 'decimal', cell: smallDecimal(value) ?? decimalCarrier(decimal128Text(value)) };
    case BSON.binary:
      return binaryCell(value);
    default:
      return unknown(value);
  }
}

/** As `typedCell`, in one cell. */
export function variantCell(value: RawValue): Variant | null {
  const typed = typedCell(value);
  return typed === null ? null : { variant: typeText(typed.type), value: typed.cell };
}

function unknown(value: RawValue): TypedCell {
  return { type: 'unknown', cell: extendedJson(value) };
}

function binaryCell(value: RawValue): TypedCell {
  const { subtype, content } = rawBinary(value);
  if (subtype === 0) return { type: 'bytes', cell: new Uint8Array(content) };
  if (subtype !== 4 || content.length !== 16) return unknown(value);
  const hex = content.toString('hex');
  return { type: 'uuid', cell: [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-') };
}

function structCell(bytes: Buffer, from: number, to: number): Cell {
  let node = structRoot();
  const cells: Cell[] = [];
  eachElement(bytes, from, to, (type, nameFrom, nameTo, stop) => {
    const cell = cellOf(bytes, type, nameTo + 1, stop);
    node = withName(node, nameOf(bytes, nameFrom, nameTo), lastType ?? 'variant');
    cells.push(cell);
  });
  lastType = node.type;
  return cells;
}

function listCell(bytes: Buffer, from: number, to: number): Cell {
  const cells: Cell[] = [];
  const types: (LogicalType | null)[] = [];
  let only: LogicalType | null = null;
  let same = true;
  eachElement(bytes, from, to, (type, _nameFrom, nameTo, stop) => {
    cells.push(cellOf(bytes, type, nameTo + 1, stop));
    types.push(lastType);
    if (lastType === null || lastType === only) return;
    if (only !== null && typeText(only) !== typeText(lastType)) same = false;
    only ??= lastType;
  });
  if (same && only !== null) {
    lastType = listType(only);
    return cells;
  }
  lastType = listType('variant');
  return cells.map((cell, index): Cell => {
    const type = types[index] ?? null;
    return type === null ? null : { variant: typeText(type), value: cell };
  });
}

/** Digits that a number holds exactly, none or some of them behind the point: nearly all decimals there are. `null`: another one. */
function smallDecimal({ bytes, from }: RawValue): string | null {
  const top = bytes.readUInt32LE(from + 12);
  const low = bytes.readUInt32LE(from + 4);
  if ((top & 0x1ffff) !== 0 || bytes.readUInt32LE(from + 8) !== 0 || (top & 0x60000000) === 0x60000000 || low >= 1 << 21) return null;
  const scale = 6176 - ((top >>> 17) & 0x3fff);
  if (scale < 0 || scale > 20) return null;
  const digits = String(low * 2 ** 32 + bytes.readUInt32LE(from));
  const sign = top >>> 31 === 1 ? '-' : '';
  if (scale === 0) return sign + digits;
  const padded = digits.padStart(scale + 1, '0');
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}

/** Plain notation wherever it reads back as the same Decimal128, digits and exponent. */
function decimalCarrier(text: string): string {
  const match = /^(-?)(\d)(?:\.(\d+))?E-(\d+)$/.exec(text);
  if (match === null) return text;
  const [, sign, whole = '', fraction = '', exponent] = match;
  return `${sign}0.${'0'.repeat(Number(exponent) - 1)}${whole}${fraction}`;
}

/** The names that MongoDB gives the types, for people. */
export const TYPE_NAMES: Readonly<Record<number, string>> = {
  [BSON.double]: 'double',
  [BSON.string]: 'string',
  [BSON.document]: 'object',
  [BSON.array]: 'array',
  [BSON.binary]: 'binData',
  [BSON.undefined]: 'undefined',
  [BSON.objectId]: 'objectId',
  [BSON.bool]: 'bool',
  [BSON.date]: 'date',
  [BSON.null]: 'null',
  [BSON.regex]: 'regex',
  [BSON.dbPointer]: 'dbPointer',
  [BSON.code]: 'javascript',
  [BSON.symbol]: 'symbol',
  [BSON.codeWithScope]: 'javascriptWithScope',
  [BSON.int32]: 'int',
  [BSON.timestamp]: 'timestamp',
  [BSON.int64]: 'long',
  [BSON.decimal]: 'decimal',
  [BSON.minKey]: 'minKey',
  [BSON.maxKey]: 'maxKey',
};
