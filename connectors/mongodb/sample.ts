import type { Collection } from 'mongodb';
import type { LogicalType } from '../../src/sdk.ts';
import { BSON, rawBinary, rawDocument, rawElements } from './bson/read.ts';
import type { RawValue } from './bson/read.ts';
import { TYPE_NAMES, typedCell } from './native.ts';

/** What was seen at one path. */
export interface PathSample {
  /** How many documents have something there, null included. */
  count: number;
  /** By the name that MongoDB gives the type; `uuid` for binData of subtype 4. */
  readonly types: Map<string, number>;
  /** Of the sub-documents there. */
  readonly names: Map<string, PathSample>;
}

/** What is known of the documents of a collection. It only grows: what was seen once stays known. */
export interface Sample {
  /** How many documents were looked at. */
  documents: number;
  /** What they weighed together. */
  bytes: number;
  readonly root: PathSample;
  /** Paths that were fields of their own once: they stay so, whatever comes later. */
  readonly listed: Set<string>;
  /** Types that fields had in earlier runs. */
  readonly known: Map<string, LogicalType>;
}

/** Deeper paths are not told apart. */
const MAX_DEPTH = 8;
/** A sub-document with more names than this is a map with data for names. */
export const MAX_NAMES = 200;

export function emptySample(): Sample {
  return { documents: 0, bytes: 0, root: emptyPath(), listed: new Set(), known: new Map() };
}

function emptyPath(): PathSample {
  return { count: 0, types: new Map(), names: new Map() };
}

/** Adds documents to what is known. One that is not well-formed tells nothing. */
export function addToSample(sample: Sample, documents: readonly Uint8Array[]): void {
  for (const bytes of documents) {
    try {
      addDocument(sample.root, rawDocument(bytes), 0);
      sample.documents++;
      sample.bytes += bytes.byteLength;
    } catch {
      continue;
    }
  }
}

function addDocument(at: PathSample, document: RawValue, depth: number): void {
  for (const { name, value } of rawElements(document)) {
    const known = at.names.get(name);
    if (known === undefined && at.names.size > MAX_NAMES) continue;
    const path = known ?? emptyPath();
    if (known === undefined) at.names.set(name, path);
    path.count++;
    const type = typeName(value);
    path.types.set(type, (path.types.get(type) ?? 0) + 1);
    if (value.type === BSON.document && depth < MAX_DEPTH) addDocument(path, value, depth + 1);
  }
}

function typeName(value: RawValue): string {
  if (value.type === BSON.binary) {
    const { subtype, content } = rawBinary(value);
    return subtype === 0 ? 'binData' : subtype === 4 && content.length === 16 ? 'uuid' : `binData ${subtype}`;
  }
  const name = TYPE_NAMES[value.type] ?? 'unknown';
  return value.type === BSON.date && typedCell(value)?.type !== 'timestamptz' ? 'date beyond dates' : name;
}

/** Of large documents fewer are looked at: what each part of a sample may weigh. */
const PART_BYTES = 4 * 1024 * 1024;
/** So few at a time, as nobody knows yet what they weigh. */
const AT_ONCE = 25;

export interface ReadSample {
  readonly size: number;
  readonly signal: AbortSignal;
}

/** Looks at the oldest, the newest and random documents: fields that came or went with time are seen, and rare ones mostly. */
export async function readSample(sample: Sample, collection: Collection, { size, signal }: ReadSample): Promise<void> {
  const edge = Math.ceil(size / 4);
  const options = { raw: true, signal, batchSize: AT_ONCE, allowDiskUse: true } as const;
  const oldest = await take(sample, collection.find({}, { ...options, sort: { _id: 1 }, limit: edge }));
  if (oldest === 'all' && sample.documents < edge) return;
  await take(sample, collection.find({}, { ...options, sort: { _id: -1 }, limit: edge }));
  await take(sample, collection.aggregate([{ $sample: { size: size - 2 * edge } }], options));
}

/** Documents one by one, until they weigh too much. */
async function take(sample: Sample, cursor: AsyncIterable<unknown> & { close(): Promise<void> }): Promise<'all' | 'some'> {
  let bytes = 0;
  try {
    for await (const document of cursor as AsyncIterable<Uint8Array>) {
      addToSample(sample, [document]);
      bytes += document.byteLength;
      if (bytes > PART_BYTES) return 'some';
    }
    return 'all';
  } finally {
    await cursor.close();
  }
}
