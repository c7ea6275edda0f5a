import { plainText, sameType } from '../../../src/sdk.ts';
import type { Cell, Field } from '../../../src/sdk.ts';
import { BSON, nameOf, terminator, valueLength } from '../bson/read.ts';
import type { RawValue } from '../bson/read.ts';
import { declaredCell } from '../read/decode.ts';
import type { DecoderInit } from '../read/decode.ts';
import { jsonText } from '../bson/json-text.ts';
import { REST } from '../document/layout.ts';
import { typedCell } from '../native.ts';
import { LineBytes, Unfit } from './line-bytes.ts';
import { linePlan } from './line-plan.ts';
import type { Level, Step } from './line-plan.ts';
import { writeJson } from './json-bytes.ts';
import { writeDouble, writeInstant, writeInt32, writeInt64, writeSmallDecimal } from './scalar-bytes.ts';

const TAB = 9;
const NEWLINE = 10;
/** Where no value of BSON has its type. */
const NOTHING = 0;

/** Writes documents as lines of `lines/plain`, as the decoder would have taken them apart, without anything in between. */
export interface DocumentLines {
  /**
   * Writes the document that begins at `from`, and returns its bytes.
   *
   * @throws a record fault or `Unfit` where the document is to be decoded; nothing of it is written then
   */
  write(bytes: Buffer, from: number, out: LineBytes): number;
}

/** `null`: a field is of a type that has no plain text. */
export function openDocumentLines({ layout, shape, except, maxRecordBytes }: DecoderInit): DocumentLines | null {
  const { fields } = shape;
  if (fields.some(({ type }) => plainText(type) === null)) return null;
  const restAt = fields.findIndex(({ name }) => name === REST);
  const plan = linePlan(layout, new Map(fields.map(({ name }, index) => [name, index])), except);
  const writers = fields.map((field) => fieldWriter(field, layout.declared.has(field.name)));
  const walk: Walk = {
    types: new Int32Array(fields.length),
    starts: new Int32Array(fields.length),
    ends: new Int32Array(fields.length),
    rest: restAt < 0 ? null : new LineBytes(1024),
    except,
  };

  return {
    write: (bytes, from, out) => {
      const size = bytes.readInt32LE(from);
      if (size > maxRecordBytes) throw new Unfit();
      const { types, starts, ends, rest } = walk;
      types.fill(NOTHING);
      if (rest !== null) rest.at = 0;
      const kept = walkLevel(walk, plan, bytes, from, from + size);
      for (const index of shape.key) if (types[index] === NOTHING) throw new Unfit();
      const start = out.at;
      try {
        for (let index = 0; index < writers.length; index++) {
          if (index > 0) out.byte(TAB);
          const type = types[index] as number;
          if (type !== NOTHING) (writers[index] as Write)(out, bytes, type, starts[index] as number, ends[index] as number);
          else if (index === restAt && kept > 0) writeRest(out, rest as LineBytes);
          else out.null();
        }
        out.byte(NEWLINE);
        return size;
      } catch (error) {
        out.at = start;
        throw error;
      }
    },
  };
}

function writeRest(out: LineBytes, rest: LineBytes): void {
  out.byte(0x7b);
  out.raw(rest.bytes, rest.at);
  out.byte(0x7d);
}

/** What a document holds for each field of the shape, and the rest of it as members of JSON. */
interface Walk {
  readonly types: Int32Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly rest: LineBytes | null;
  readonly except: ReadonlySet<string>;
}

/** Returns how many names of the level are in the rest. */
function walkLevel(walk: Walk, level: Level, bytes: Buffer, from: number, to: number): number {
  const end = to - 1;
  if (to - from < 5 || bytes.readInt32LE(from) !== to - from || bytes[end] !== 0) throw new Unfit();
  let expected = 0;
  let kept = 0;
  for (let at = from + 4; at < end;) {
    const type = bytes[at] as number;
    const nameFrom = at + 1;
    let step = level.steps[expected];
    let nameEnd: number;
    if (step !== undefined && isName(bytes, nameFrom, step.name)) nameEnd = nameFrom + step.name.length;
    else {
      nameEnd = terminator(bytes, nameFrom, end);
      step = level.byName.get(nameOf(bytes, nameFrom, nameEnd));
    }
    if (step !== undefined) expected = step.position + 1;
    const start = nameEnd + 1;
    const stop = start + valueLength(bytes, type, start, end);
    if (stop > end) throw new Unfit();
    if (step === undefined) {
      if (!isExcepted(walk, level, bytes, nameFrom, nameEnd)) kept += keep(walk, kept, { bytes, nameFrom, nameEnd, type, start, stop });
    } else if (step.kind === 'branch' && type === BSON.document)
      kept += walkBranch(walk, step.level as Level, kept, { bytes, nameFrom, nameEnd, type, start, stop });
    else if (step.kind === 'branch' || (step.kind === 'field' && type === BSON.null)) {
      if (step.kind === 'branch' || step.keepsNull) kept += keep(walk, kept, { bytes, nameFrom, nameEnd, type, start, stop });
    } else take(walk, step, type, start, stop);
    at = stop;
  }
  return kept;
}

function isName(bytes: Buffer, from: number, name: Buffer): boolean {
  for (let at = 0; at < name.length; at++) if (bytes[from + at] !== name[at]) return false;
  return bytes[from + name.length] === 0;
}

function take({ types, starts, ends }: Walk, { slot }: Step, type: number, start: number, stop: number): void {
  if (slot < 0) return;
  // The name stands twice.
  if (types[slot] !== NOTHING) throw new Unfit();
  types[slot] = type;
  starts[slot] = start;
  ends[slot] = stop;
}

function isExcepted({ except }: Walk, { path }: Level, bytes: Buffer, from: number, to: number): boolean {
  return except.size > 0 && except.has(path + nameOf(bytes, from, to));
}

interface Element {
  readonly bytes: Buffer;
  readonly nameFrom: number;
  readonly nameEnd: number;
  readonly type: number;
  readonly start: number;
  readonly stop: number;
}

function keep({ rest }: Walk, before: number, { bytes, nameFrom, nameEnd, type, start, stop }: Element): number {
  if (rest === null) return 0;
  writeName(rest, before, bytes, nameFrom, nameEnd);
  writeJson(rest, bytes, type, start, stop);
  return 1;
}

function writeName(rest: LineBytes, before: number, bytes: Buffer, from: number, to: number): void {
  if (before > 0) rest.byte(0x2c);
  rest.jsonText(bytes, from, to);
  rest.byte(0x3a);
}

function walkBranch(walk: Walk, level: Level, before: number, { bytes, nameFrom, nameEnd, start, stop }: Element): number {
  const { rest } = walk;
  if (rest === null) {
    walkLevel(walk, level, bytes, start, stop);
    return 0;
  }
  const mark = rest.at;
  writeName(rest, before, bytes, nameFrom, nameEnd);
  rest.byte(0x7b);
  const kept = walkLevel(walk, level, bytes, start, stop);
  const isEmpty = stop - start === 5;
  if (kept > 0 || isEmpty) rest.byte(0x7d);
  else rest.at = mark;
  return kept > 0 || isEmpty ? 1 : 0;
}

type Write = (out: LineBytes, bytes: Buffer, type: number, from: number, to: number) => void;

function fieldWriter(field: Field, isDeclared: boolean): Write {
  if (field.type === 'variant') return writeJson;
  if (field.type === 'json')
    return (out, bytes, type, from, to) => out.string(jsonText({ bytes, type, from, to }, `field '${field.name}'`));
  const other = otherWriter(field, isDeclared);
  switch (field.type) {
    case 'text':
      return (out, bytes, type, from, to) => (type === BSON.string ? out.text(bytes, from + 4, to - 1) : other(out, bytes, type, from, to));
    case 'int32':
      return (out, bytes, type, from, to) => (type === BSON.int32 ? writeInt32(out, bytes, from) : other(out, bytes, type, from, to));
    case 'int64':
      return (out, bytes, type, from, to) => (type === BSON.int64 ? writeInt64(out, bytes, from) : other(out, bytes, type, from, to));
    case 'float64':
      return (out, bytes, type, from, to) => (type === BSON.double ? writeDouble(out, bytes, from) : other(out, bytes, type, from, to));
    case 'bool':
      return (out, bytes, type, from, to) =>
        type === BSON.bool ? out.ascii(bytes[from] === 1 ? 'true' : 'false') : other(out, bytes, type, from, to);
    case 'objectId':
      return (out, bytes, type, from, to) => (type === BSON.objectId ? out.hex(bytes, from, to) : other(out, bytes, type, from, to));
    case 'timestamptz':
      return (out, bytes, type, from, to) => {
        if (type !== BSON.date || !writeInstant(out, bytes, from)) other(out, bytes, type, from, to);
      };
    case 'decimal':
      return (out, bytes, type, from, to) => {
        if (type !== BSON.decimal || !writeSmallDecimal(out, bytes, from)) other(out, bytes, type, from, to);
      };
    default:
      return other;
  }
}

/** By way of the cell. */
function otherWriter(field: Field, isDeclared: boolean): Write {
  const text = plainText(field.type) as (cell: Cell) => string;
  return (out, bytes, type, from, to) => {
    const value: RawValue = { bytes, type, from, to };
    const typed = typedCell(value);
    if (typed === null) throw new Unfit();
    const cell = sameType(field.type, typed.type) ? typed.cell : isDeclared ? declaredCell(field, typed) : undefined;
    if (cell === undefined) throw new Unfit();
    if (cell === null) return out.null();
    out.string(text(cell));
  };
}
