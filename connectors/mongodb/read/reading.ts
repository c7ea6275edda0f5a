import { TrueupError, parseType, typeText } from '../../../src/sdk.ts';
import type { Json, LogicalType, Shape, StreamRef } from '../../../src/sdk.ts';
import { openDecoder } from './decode.ts';
import type { Decoder, DecoderInit } from './decode.ts';
import { REST, layoutOf } from '../document/layout.ts';
import type { Layout, LayoutRules } from '../document/layout.ts';
import type { MongoOptions } from '../options.ts';
import { addToSample, emptySample, readSample } from '../sample.ts';
import type { Sample } from '../sample.ts';
import type { Session } from '../session.ts';

/** A stream as a job reads it. */
export interface Reading {
  readonly ref: StreamRef;
  readonly layout: Layout;
  readonly shape: Shape;
  readonly decoder: Decoder;
  /** What the decoder was made of. */
  readonly decoding: DecoderInit;
}

/** What one opened source knows of its collections. Types widen and fields are added, never the other way, so that a plan and the reads after it agree. */
export interface Knowledge {
  /** What is known of a collection; the first time it is looked at. */
  known(collection: string, signal: AbortSignal): Promise<Layout>;
  reading(ref: StreamRef, signal: AbortSignal): Promise<Reading>;
  /** After documents that the reading could not decode. */
  learn(reading: Reading, documents: readonly Uint8Array[]): Reading;
  sample(collection: string): Sample;
  /** What a run noted of a collection, to be told to the next: the type of each field. `null`: nothing is known. */
  note(collection: string): Json;
  /** Fields of earlier runs stay fields, so that no column depends on the luck of a sample. */
  recall(collection: string, note: Json): void;
}

export function openKnowledge(session: Session): Knowledge {
  const samples = new Map<string, Sample>();
  const layouts = new Map<string, Layout>();
  const readings = new Map<string, Reading>();
  const sampleOf = (collection: string): Sample => {
    const known = samples.get(collection) ?? emptySample();
    samples.set(collection, known);
    return known;
  };
  const settle = (collection: string): Layout => {
    const layout = layoutOf(sampleOf(collection), rulesOf(session.options, collection));
    const known = layouts.get(collection);
    // The same object as long as nothing changed: readers compare identity first.
    if (known !== undefined && JSON.stringify(known.shape) === JSON.stringify(layout.shape)) return known;
    layouts.set(collection, layout);
    return layout;
  };
  const look = async (collection: string, signal: AbortSignal): Promise<Layout> => {
    const size = session.options.sample;
    await session.run(signal, (db) => readSample(sampleOf(collection), db.collection(collection), { size, signal }));
    return settle(collection);
  };
  const readingOf = (ref: StreamRef, layout: Layout): Reading => {
    const id = JSON.stringify([ref.name, ref.key, ref.fields, ref.except, ref.maxRecordBytes]);
    const known = readings.get(id);
    if (known !== undefined && known.layout === layout) return { ...known, ref };
    const reading = resolveReading(ref, layout);
    readings.set(id, reading);
    return reading;
  };

  // An empty collection may have got its first documents since.
  const known = async (collection: string, signal: AbortSignal): Promise<Layout> =>
    (sampleOf(collection).documents > 0 ? layouts.get(collection) : undefined) ?? (await look(collection, signal));

  return {
    known,
    sample: sampleOf,
    note: (collection) => {
      const layout = layouts.get(collection);
      if (layout === undefined || sampleOf(collection).documents === 0) return null;
      const fields = layout.shape.fields.filter(({ name }) => name !== REST && !layout.declared.has(name));
      return fields.map(({ name, type }) => [name, typeText(type)]);
    },
    recall: (collection, note) => {
      const sample = sampleOf(collection);
      for (const [name, type] of notedFields(note)) {
        sample.known.set(name, type);
        sample.listed.add(name);
      }
    },
    reading: async (ref, signal) => readingOf(ref, await known(ref.name, signal)),
    learn: (reading, documents) => {
      addToSample(sampleOf(reading.ref.name), documents);
      return readingOf(reading.ref, settle(reading.ref.name));
    },
  };
}

/** What this version cannot read is left out: then samples decide. */
function notedFields(note: Json): (readonly [string, LogicalType])[] {
  return (Array.isArray(note) ? (note as readonly Json[]) : []).flatMap((pair) => {
    const [name, text] = Array.isArray(pair) ? (pair as readonly Json[]) : [];
    const type = typeof text === 'string' ? parseType(text) : null;
    return typeof name !== 'string' || type === null ? [] : [[name, type] as const];
  });
}

export function rulesOf(options: MongoOptions, collection: string): LayoutRules {
  const own = options.collections[collection];
  return { documents: own?.documents ?? options.documents, fields: own?.fields ?? {} };
}

/** @throws {TrueupError} `E_STREAM_UNKNOWN` for a field that the layout does not have */
function resolveReading(ref: StreamRef, layout: Layout): Reading {
  for (const name of [...(ref.fields ?? []), ...ref.key]) requireField(layout, ref.name, name);
  const wanted = (name: string): boolean =>
    ref.key.includes(name) || (!ref.except.includes(name) && (ref.fields === null || ref.fields.includes(name)));
  const fields = layout.shape.fields
    .filter((field) => wanted(field.name))
    .map((field) => (ref.key.includes(field.name) ? { ...field, nullable: false } : field));
  const shape: Shape = {
    fields,
    key: ref.key.map((name) => fields.findIndex((field) => field.name === name)),
    open: fields.at(-1)?.name === '*',
  };
  const except = new Set(ref.except.filter((name) => !ref.key.includes(name)));
  const decoding = { layout, shape, except, maxRecordBytes: ref.maxRecordBytes };
  return { ref, layout, shape, decoding, decoder: openDecoder(decoding) };
}

export function requireField(layout: Layout, collection: string, name: string): void {
  if (layout.shape.fields.some((field) => field.name === name)) return;
  const known = layout.shape.fields.map((field) => field.name).join(', ');
  throw new TrueupError(
    'E_STREAM_UNKNOWN',
    `Collection '${collection}' has no field '${name}' in the documents that were looked at. Fields: ${known}. Declare it under \`collections\` of the connection if it is rare.`,
  );
}
