import { TrueupError, isTrueupError, planConversion, sameType, typeText } from '../../../src/sdk.ts';
import type { Cell, Field, LogicalType, Reject, Row, Shape } from '../../../src/sdk.ts';
import { BSON, rawDocument, rawElements } from '../bson/read.ts';
import type { RawElement, RawValue } from '../bson/read.ts';
import { extendedJson } from '../bson/ejson-write.ts';
import { jsonText } from '../bson/json-text.ts';
import { REST } from '../document/layout.ts';
import type { Layout, Node } from '../document/layout.ts';
import { typedCell } from '../native.ts';
import type { TypedCell } from '../native.ts';

/** What a document becomes: a row aligned to the shape, a record fault, or the news that a value has a type that its field has not. */
export type Decoded = { readonly row: Row } | { readonly reject: Reject } | { readonly deviates: string };

export interface Decoder {
  decode(bytes: Uint8Array): Decoded;
}

export interface DecoderInit {
  readonly layout: Layout;
  /** What is delivered: fields of the layout, in its order. */
  readonly shape: Shape;
  /** Never delivered, neither as a field nor inside of `*`. */
  readonly except: ReadonlySet<string>;
  readonly maxRecordBytes: number;
}

interface Work {
  readonly cells: Cell[];
  deviates: string | null;
}

/** Collects what no field holds, in the order of the document. */
interface Rest {
  readonly struct: { readonly name: string; readonly type: LogicalType; readonly nullable: boolean }[];
  readonly cells: Cell[];
}

/** Takes documents apart. In `*` is everything of a document that the other cells do not say: unlisted names, and names of fields that are there and null. */
export function openDecoder({ layout, shape, except, maxRecordBytes }: DecoderInit): Decoder {
  const places = new Map(shape.fields.map((field, index) => [field.name, { field, index }] as const));
  const restAt = places.get(REST)?.index ?? -1;

  const fill = (work: Work, names: ReadonlyMap<string, Node>, elements: readonly RawElement[], path: string): Rest => {
    const rest: Rest = { struct: [], cells: [] };
    for (const { name, value } of elements) {
      const at = path === '' ? name : `${path}.${name}`;
      if (except.has(at)) continue;
      const node = names.get(name);
      if (node === undefined) keep(rest, name, value);
      else if (node.kind === 'field') fillField(work, rest, { name, value, field: node.field });
      else fillBranch(work, rest, { name, value, names: node.names, path: at });
    }
    return rest;
  };
  const keep = (rest: Rest, name: string, value: RawValue): void => {
    if (restAt >= 0) add(rest, name, typedCell(value));
  };
  const fillField = (work: Work, rest: Rest, { name, value, field }: { name: string; value: RawValue; field: string }): void => {
    const place = places.get(field);
    if (value.type === BSON.null) {
      if (field !== '_id') keep(rest, name, value);
      return;
    }
    if (place === undefined) return;
    if (work.cells[place.index] !== null)
      throw new TrueupError('E_RECORD_VALUE', `field '${field}': the name stands twice in the document; read it with \`documents: whole\``);
    work.cells[place.index] = fieldCell(work, place.field, value);
  };
  const fillBranch = (
    work: Work,
    rest: Rest,
    { name, value, names, path }: { name: string; value: RawValue; names: ReadonlyMap<string, Node>; path: string },
  ): void => {
    if (value.type !== BSON.document) return keep(rest, name, value);
    const elements = rawElements(value);
    const inner = fill(work, names, elements, path);
    if (restAt >= 0 && (elements.length === 0 || inner.struct.length > 0))
      add(rest, name, { type: { struct: inner.struct }, cell: inner.cells });
  };
  const fieldCell = (work: Work, field: Field, value: RawValue): Cell => {
    if (field.type === 'json') return jsonText(value, `field '${field.name}'`);
    const typed = typedCell(value) as TypedCell;
    if (field.type === 'variant') return { variant: typeText(typed.type), value: typed.cell };
    if (sameType(field.type, typed.type)) return typed.cell;
    if (layout.declared.has(field.name)) return declaredCell(field, typed);
    work.deviates ??= field.name;
    return null;
  };

  return {
    decode: (bytes) => {
      const document = rawDocument(bytes);
      const work: Work = { cells: shape.fields.map(() => null), deviates: null };
      try {
        const rest = fill(work, layout.names, rawElements(document), '');
        if (restAt >= 0 && rest.struct.length > 0) work.cells[restAt] = { variant: typeText({ struct: rest.struct }), value: rest.cells };
      } catch (error) {
        if (!isTrueupError(error) || error.fault !== 'record') throw error;
        return { reject: rejected(document, { shape, row: work.cells, code: error.code, message: error.message }) };
      }
      if (work.deviates !== null) return { deviates: work.deviates };
      const missing = shape.key.find((index) => work.cells[index] === null);
      if (missing !== undefined) return { reject: keyless(document, shape.fields[missing]?.name ?? '') };
      if (document.to <= maxRecordBytes) return { row: work.cells };
      const message = `The document weighs ${document.to} bytes, more than maxRecordBytes (${maxRecordBytes}).`;
      return { reject: rejected(document, { shape, row: work.cells, code: 'E_RECORD_TOO_LARGE', message }) };
    },
  };
}

function add(rest: Rest, name: string, typed: TypedCell | null): void {
  rest.struct.push({ name, type: typed?.type ?? 'variant', nullable: true });
  rest.cells.push(typed?.cell ?? null);
}

/** To the declared type where that is exact. @throws {TrueupError} of a record fault, naming the field and both types */
export function declaredCell(field: Field, typed: TypedCell): Cell {
  const plan = planConversion({ from: typed.type, to: field.type, onLoss: 'error', place: `field '${field.name}'` });
  if (plan.kind !== 'impossible') return plan.convert(typed.cell, () => undefined);
  const types = `${typeText(typed.type)}, and ${typeText(field.type)} is declared`;
  throw new TrueupError('E_RECORD_VALUE', `field '${field.name}': the value is ${types}; declare variant to take it as it is`);
}

interface RejectInit {
  readonly shape: Shape;
  readonly row: Row;
  readonly code: Reject['code'];
  readonly message: string;
}

function rejected(document: RawValue, { shape, row, code, message }: RejectInit): Reject {
  const key = shape.key.map((index) => row[index]);
  const complete = key.every((cell) => cell !== null && cell !== undefined);
  return { ...(complete ? { key } : {}), position: positionOf(document), code, message };
}

function keyless(document: RawValue, field: string): Reject {
  return { position: positionOf(document), code: 'E_RECORD_VALUE', message: `key field '${field}': the document has no value there` };
}

function positionOf(document: RawValue): string {
  try {
    const id = rawAt(document, ['_id']);
    return id === null ? 'a document without _id' : `_id ${extendedJson(id)}`;
  } catch {
    return 'a document that is not well-formed';
  }
}

/** The value at a path of sub-documents. `null`: nothing is there. */
export function rawAt(document: RawValue, path: readonly string[]): RawValue | null {
  let current: RawValue | null = document;
  for (const name of path) {
    if (current?.type !== BSON.document) return null;
    current = rawElements(current).find((element) => element.name === name)?.value ?? null;
  }
  return current;
}
