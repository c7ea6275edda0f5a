import { TrueupError } from '../../src/sdk.ts';
import type { Batch, Cursor, Json, Position, StreamRef } from '../../src/sdk.ts';
import type { Document } from 'mongodb';
import type { BatchLimits } from './read/batches.ts';
import { rawDocument } from './bson/read.ts';
import type { RawValue } from './bson/read.ts';
import { rawAt } from './read/decode.ts';
import { parseExtendedJson } from './bson/ejson-read.ts';
import { extendedJson } from './bson/ejson-write.ts';
import type { Knowledge, Reading } from './read/reading.ts';
import type { Session } from './session.ts';
import { openSnapshot } from './read/snapshot.ts';
import type { Snapshot } from './read/snapshot.ts';

/** What all reads of one opened source share. */
export interface SourceContext {
  readonly session: Session;
  readonly knowledge: Knowledge;
}

/** One read of one stream. */
export interface StreamContext extends SourceContext {
  readonly ref: StreamRef;
  readonly limits: BatchLimits;
  readonly signal: AbortSignal;
}

export const openPoint = ({ session, limits, signal, ref }: StreamContext): Promise<Snapshot> =>
  openSnapshot({ session, limits, signal, ...(ref.changes.by === 'log' ? { logged: ref.name } : {}) });

/** Bytes of a document on average, as far as samples tell. */
export function weightOf({ knowledge, ref }: StreamContext): number {
  const { bytes, documents } = knowledge.sample(ref.name);
  return documents === 0 ? 1000 : bytes / documents;
}

export function idText(document: Uint8Array): string | null {
  return valueText(rawAt(rawDocument(document), ['_id']));
}

export function fieldText(document: Uint8Array, field: string): string | null {
  return valueText(rawAt(rawDocument(document), field.split('.')));
}

function valueText(value: RawValue | null): string | null {
  return value === null ? null : extendedJson(value);
}

/** A filter in Extended JSON, or as JSON. @throws {TrueupError} `E_CONFIG_INVALID` */
export function filterOf(where: Json | undefined): Document[] {
  if (where === undefined || where === null) return [];
  const text = typeof where === 'string' ? where : JSON.stringify(where);
  try {
    const filter = parseExtendedJson(text, 'the filter');
    if (filter instanceof Map) return [filter as unknown as Document];
  } catch {
    // told below
  }
  throw new TrueupError(
    'E_CONFIG_INVALID',
    'The filter of a mongodb stream is a query in Extended JSON, such as {"status": "open", "n": {"$gt": 5}}.',
  );
}

/** Progress without records. */
export function progress(reading: Reading, cursor: Cursor, position: Position): Batch {
  const records = { form: 'cells', count: 0, bytes: 0, textDialect: null, rows: () => [], decoder: () => null } as const;
  return {
    stream: null,
    shape: reading.shape,
    records: { ...records, slice: () => progress(reading, cursor, position).records },
    ops: null,
    distinctKeys: true,
    cursor,
    position,
  };
}
