import { TrueupError, fieldIndex } from '../../src/sdk.ts';
import type { Json, Row, Shape, StreamRef } from '../../src/sdk.ts';
import { plainText } from './cells.ts';
import type { Collection } from './collection.ts';

/** A stream as a job reads it: chosen fields of a collection, in the collection's order, with the key that the job names. */
export interface View {
  readonly stream: StreamRef;
  readonly shape: Shape;
  /** A row of the collection as a row of the view. Absent cells of a patch stay absent. */
  project(row: Row): Row;
}

/** Makes views, and the same view, with the same shape object, as long as a collection's shape and the stream stay the same. */
export function openViews(): (from: Shape, stream: StreamRef) => View {
  const known = new WeakMap<Shape, Map<string, View>>();
  return (from, stream) => {
    const views = known.get(from) ?? new Map<string, View>();
    known.set(from, views);
    const id = JSON.stringify([stream.name, stream.changes, stream.key, stream.fields, stream.except]);
    const view = views.get(id) ?? makeView(from, stream);
    views.set(id, view);
    return view;
  };
}

function makeView(from: Shape, stream: StreamRef): View {
  for (const name of [...(stream.fields ?? []), ...stream.key]) requireField(from, stream.name, name);
  const chosen = from.fields
    .map((_field, index) => index)
    .filter((index) => {
      const name = from.fields[index]?.name ?? '';
      return !stream.except.includes(name) && (stream.fields === null || stream.fields.includes(name) || stream.key.includes(name));
    });
  const fields = chosen.flatMap((index) => from.fields[index] ?? []);
  const shape: Shape = { fields, key: stream.key.map((name) => fields.findIndex((field) => field.name === name)), open: false };
  return { stream, shape, project: (row) => chosen.map((index) => row[index]) };
}

/** The index of a field that must be there. Throws E_STREAM_UNKNOWN and names those that are. */
export function requireField(shape: Shape, collection: string, name: string): number {
  const index = fieldIndex(shape, name);
  if (index >= 0) return index;
  throw new TrueupError(
    'E_STREAM_UNKNOWN',
    `Collection '${collection}' has no field '${name}'. Fields: ${shape.fields.map((field) => field.name).join(', ')}.`,
  );
}

/** The source's own filter notation: `{ field: text }`, all of which must equal the row's values; `null` stands for NULL. */
export function matcher(collection: Collection, where: Json | undefined): (row: Row) => boolean {
  if (where === undefined || where === null) return () => true;
  const wanted = Object.entries(where).map(
    ([name, text]) => [requireField(collection.shape, collection.name, name), text === null ? null : String(text)] as const,
  );
  return (row) => wanted.every(([index, text]) => plainText(row[index]) === text);
}
