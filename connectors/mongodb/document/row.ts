import { isForeign, isTrueupError } from '../../../src/sdk.ts';
import type { Cell, Row } from '../../../src/sdk.ts';
import { BSON, rawDocument, rawElements } from '../bson/read.ts';
import type { RawValue } from '../bson/read.ts';
import { valueFinder } from './find-values.ts';
import { ID } from './layout.ts';
import { pathOf } from './path.ts';
import type { DocumentPlan, TargetPlace } from './document.ts';
import { fieldTree, restCell } from './rest.ts';
import type { FieldTree } from './rest.ts';
import { readAs, readKey, sameValue } from './value.ts';

/** A document as cells of the places that were asked for. */
export type ReadDocument = (bytes: Uint8Array) => Row;

export function restTree({ places, rest, mark }: DocumentPlan): FieldTree {
  const paths = places.filter((_place, index) => index !== rest).map(({ path }) => path);
  return fieldTree(paths, mark === null ? null : pathOf(mark));
}

/** Reads documents back as they were written. The key is what `_id` says; whatever somebody else made of a document is read as well. */
export function documentReader(plan: DocumentPlan, wanted: readonly TargetPlace[]): ReadDocument {
  const rest = plan.places[plan.rest];
  const tree = restTree(plan);
  const keyPlaces = plan.key.map((index) => plan.places[index] as TargetPlace);
  const positions = wanted.map((place) => keyPlaces.indexOf(place));
  const find = valueFinder([[ID], ...keyPlaces.map(({ path }) => path), ...wanted.map(({ path }) => path)]);
  const other = positions.findIndex((position) => position < 0);
  return (bytes) => {
    const document = rawDocument(bytes);
    try {
      const [id = null, ...values] = find(document);
      const { cells: key, odd } = keyOf(id, { places: keyPlaces, copies: values });
      const row = wanted.map((place, index): Cell => {
        if (place === rest) return restCell(document, tree);
        const position = positions[index] as number;
        return position < 0 ? readAs(place.fit.stored, values[keyPlaces.length + index] ?? null) : key[position];
      });
      return odd === null || other < 0 ? row : row.with(other, { variant: 'text', value: odd });
    } catch (error) {
      if (!isTrueupError(error) || error.fault !== 'record') throw error;
      // No BSON at all.
      return wanted.map((): Cell => ({ variant: 'text', value: 'a document that cannot be read' }));
    }
  };
}

interface Key {
  /** In key order. */
  readonly cells: Cell[];
  /** What makes the document none of the stream's although its `_id` is; a record differs in this. */
  readonly odd: string | null;
}

interface KeySource {
  readonly places: readonly TargetPlace[];
  /** What stands at each of the places. */
  readonly copies: readonly (RawValue | null)[];
}

function keyOf(id: RawValue | null, { places, copies }: KeySource): Key {
  const parts = id === null ? null : keyParts(id, places);
  if (id === null || parts === null) return { cells: places.map(() => (id === null ? null : readAs('variant', id))), odd: null };
  const cells = parts.map((part, position) => readKey((places[position] as TargetPlace).fit.stored, part));
  const isOdd = cells.some((cell, position) => isForeign(places[position]?.type ?? 'variant', cell));
  if (isOdd) return { cells: places.length === 1 ? cells : places.map(() => readAs('variant', id)), odd: null };
  const odd = places.find(
    (place, position) =>
      place.name !== ID && !isCopy(copies[position] ?? null, { part: parts[position] as RawValue, cell: cells[position], place }),
  );
  return { cells, odd: odd === undefined ? null : `a document whose '${odd.name}' is not its _id` };
}

/** `null`: `_id` is no document of these names. */
function keyParts(id: RawValue, places: readonly TargetPlace[]): RawValue[] | null {
  if (places.length === 1) return [id];
  const elements = id.type === BSON.document ? rawElements(id) : [];
  const isOurs = elements.length === places.length && elements.every(({ name }, position) => name === places[position]?.name);
  return isOurs ? elements.map(({ value }) => value) : null;
}

interface KeyPart {
  readonly part: RawValue;
  readonly cell: Cell;
  readonly place: TargetPlace;
}

/** Whether the key stands under its own name as well, in its own type. `_id` keeps the scale that a decimal had first. */
function isCopy(copy: RawValue | null, { part, cell, place }: KeyPart): boolean {
  const held = readAs(place.fit.stored, copy);
  if (place.fit.stored === 'decimal' && typeof held === 'string' && typeof cell === 'string') return unscaled(held) === unscaled(cell);
  return Object.is(held, cell) || (typeof cell === 'object' && copy !== null && sameValue(copy, part));
}

function unscaled(decimal: string): string {
  return /^-?\d+\.\d+$/.test(decimal) ? decimal.replace(/\.?0+$/, '') : decimal;
}
