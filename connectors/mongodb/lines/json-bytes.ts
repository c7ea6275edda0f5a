import { cellToText, plainText } from '../../../src/sdk.ts';
import type { Cell } from '../../../src/sdk.ts';
import { BSON, terminator, valueLength } from '../bson/read.ts';
import type { RawValue } from '../bson/read.ts';
import { typedCell, variantCell } from '../native.ts';
import { Unfit } from './line-bytes.ts';
import type { LineBytes } from './line-bytes.ts';
import { writeDouble, writeInstant, writeInt32, writeInt64 } from './scalar-bytes.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const jsonOf = plainText('variant') as (cell: Cell) => string;

/** A value as the JSON that a variant becomes. @throws {Unfit} where it becomes none */
export function writeJson(out: LineBytes, bytes: Buffer, type: number, from: number, to: number): void {
  switch (type) {
    case BSON.null:
      return out.ascii('null');
    case BSON.bool:
      return out.ascii(bytes[from] === 1 ? 'true' : 'false');
    case BSON.int32:
      return writeInt32(out, bytes, from);
    case BSON.int64:
      return writeInt64(out, bytes, from);
    case BSON.double:
      if (!Number.isFinite(bytes.readDoubleLE(from))) throw new Unfit();
      return writeDouble(out, bytes, from);
    case BSON.string:
      return out.jsonText(bytes, from + 4, to - 1);
    case BSON.objectId:
      out.byte(QUOTE);
      out.hex(bytes, from, to);
      return out.byte(QUOTE);
    case BSON.document:
    case BSON.array:
      return writeMembers(out, bytes, type, from, to);
    default:
      return writeOther(out, { bytes, type, from, to });
  }
}

function writeMembers(out: LineBytes, bytes: Buffer, type: number, from: number, to: number): void {
  const named = type === BSON.document;
  const end = to - 1;
  if (to - from < 5 || bytes.readInt32LE(from) !== to - from || bytes[end] !== 0) throw new Unfit();
  out.byte(named ? 0x7b : 0x5b);
  for (let at = from + 4; at < end;) {
    const nameEnd = terminator(bytes, at + 1, end);
    const start = nameEnd + 1;
    const type_ = bytes[at] as number;
    const stop = start + valueLength(bytes, type_, start, end);
    if (stop > end) throw new Unfit();
    if (at > from + 4) out.byte(COMMA);
    if (named) {
      out.jsonText(bytes, at + 1, nameEnd);
      out.byte(0x3a);
    }
    writeJson(out, bytes, type_, start, stop);
    at = stop;
  }
  out.byte(named ? 0x7d : 0x5d);
}

function writeOther(out: LineBytes, value: RawValue): void {
  if (value.type === BSON.date) {
    const start = out.at;
    out.byte(QUOTE);
    if (writeInstant(out, value.bytes, value.from)) return out.byte(QUOTE);
    out.at = start;
  }
  if (value.type === BSON.decimal) {
    const text = cellToText('decimal', typedCell(value)?.cell) as string;
    if (!/^-?\d/.test(text)) throw new Unfit();
    return out.ascii(text);
  }
  out.string(jsonOf(variantCell(value)));
}
