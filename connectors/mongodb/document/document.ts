import { TrueupError, isForeign } from '../../../src/sdk.ts';
import type { Cell, LogicalType, TargetStream } from '../../../src/sdk.ts';
import type { BsonValue } from '../bson/value.ts';
import { ID, REST } from './layout.ts';
import { pathOf } from './path.ts';
import { fitField } from './field.ts';
import type { FieldFit, JsonAs, Note } from './field.ts';

/** A field of a stream and where documents hold it. */
export interface TargetPlace {
  readonly name: string;
  readonly path: readonly string[];
  readonly nullable: boolean;
  /** Of the mapped values. */
  readonly type: LogicalType;
  readonly fit: FieldFit;
}

/** A stream as documents of a collection. */
export interface DocumentPlan {
  readonly stream: TargetStream;
  /** Aligned to `stream.shape`. */
  readonly places: readonly TargetPlace[];
  readonly key: readonly number[];
  /** The field `*`: all that documents hold beside the others, so that they are replaced as a whole. -1: fields of the target's own are kept. */
  readonly rest: number;
  readonly mark: string | null;
}

export type BsonMap = Map<string, BsonValue>;

export function documentPlan(stream: TargetStream, json: JsonAs): DocumentPlan {
  const { shape } = stream;
  const rest = shape.open ? shape.fields.findIndex(({ name }) => name === REST) : -1;
  const places = shape.fields.map((field, index) => {
    const isKey = shape.key.includes(index);
    // A key that loses something would make two records one, and an array is no `_id`.
    const fit = fitField(field, isKey ? { onLoss: 'error', json: 'text' } : { onLoss: stream.onLoss[index] ?? 'error', json });
    return { name: field.name, path: pathOf(field.name), nullable: field.nullable, type: field.type, fit };
  });
  return { stream, places, key: shape.key, rest, mark: typeof stream.onDelete === 'object' ? stream.onDelete.mark : null };
}

/** `_id`: the key itself, or a document of the key's fields in key order. */
export function idOf({ key, places }: DocumentPlan, cells: readonly Cell[]): BsonValue {
  // Of an `_id` that somebody else made every cell is the whole.
  const foreign = key.length === 1 ? -1 : key.findIndex((field, position) => isForeign(places[field]?.type ?? 'variant', cells[position]));
  if (foreign >= 0) return places[key[foreign] as number]?.fit.toValue(cells[foreign], refuseLoss) ?? null;
  const values = key.map((field, index) => places[field]?.fit.toValue(cells[index], refuseLoss) ?? null);
  return key.length === 1
    ? (values[0] ?? null)
    : new Map(key.map((field, index) => [places[field]?.name ?? '', values[index] ?? null] as const));
}

export function refuseLoss(): never {
  throw new TrueupError('E_BUG', 'A key was converted with a loss.');
}

/** The values of a record by path, in the order of its fields; absent cells are left out, and so is `_id`. */
export interface Values {
  readonly set: readonly (readonly [TargetPlace, BsonValue])[];
  /** What `*` holds. */
  readonly rest: BsonMap | null;
}

export function valuesOf(plan: DocumentPlan, cells: readonly Cell[], note: (field: string, kind: string) => void): Values {
  const set: (readonly [TargetPlace, BsonValue])[] = [];
  let rest: BsonMap | null = null;
  plan.places.forEach((place, index) => {
    const cell = cells[index];
    if (cell === undefined || (place.name === ID && plan.key.length === 1)) return;
    const noted: Note = (kind) => note(place.name, kind);
    if (cell === null && !place.nullable) throw new TrueupError('E_RECORD_VALUE', `field '${place.name}' is NULL, and must not be`);
    const value = place.fit.toValue(cell, noted);
    if (index === plan.rest) rest = value instanceof Map ? (value as BsonMap) : null;
    // An open document says itself which of its names are there and null.
    else if (value !== null || plan.rest < 0) set.push([place, value]);
  });
  return { set, rest };
}

/** The whole document. */
export function wholeDocument({ mark }: DocumentPlan, id: BsonValue, { set, rest }: Values): BsonMap {
  const document: BsonMap = new Map([['_id', id]]);
  for (const [{ path }, value] of set) put(document, path, value);
  if (rest !== null) merge(document, rest);
  if (mark !== null) put(document, pathOf(mark), null);
  return document;
}

function put(document: BsonMap, path: readonly string[], value: BsonValue): void {
  let at = document;
  for (const name of path.slice(0, -1)) {
    const inner = (at.get(name) as BsonMap | undefined) ?? new Map<string, BsonValue>();
    at.set(name, inner);
    at = inner;
  }
  at.set(path.at(-1) as string, value);
}

function merge(into: BsonMap, from: BsonMap): void {
  for (const [name, value] of from) {
    const held = into.get(name);
    if (held instanceof Map && value instanceof Map) merge(held as BsonMap, value as BsonMap);
    else if (!into.has(name)) into.set(name, value);
  }
}
