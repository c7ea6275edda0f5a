import { serialize } from 'bson';
import type { Batch, Cell, Field } from '../../../src/sdk.ts';
import { TrueupError } from '../../../src/sdk.ts';
import { batches } from './batches.ts';
import { rawDocument } from '../bson/read.ts';
import { dateJson } from './cursor.ts';
import type { ChangesCursor } from './cursor.ts';
import { documentAt } from './documents.ts';
import { extendedJson } from '../bson/ejson-write.ts';
import { matching } from './fetch-by.ts';
import { mayHoldArrays } from '../index-facts.ts';
import { bsonOf } from './key-bounds.ts';
import { all, from, ordered } from './order.ts';
import { PHASES, phaseFilter } from './pass.ts';
import type { Reading } from './reading.ts';
import { filterOf, openPoint, weightOf } from '../stream-context.ts';
import type { StreamContext } from '../stream-context.ts';

const KEYS_AT_ONCE = 1000;

/** Which of these keys, in key order, belong to a document that a drain from the cursor would deliver now. By the conditions of the drain itself, in one snapshot. */
export async function readUndelivered(
  context: StreamContext,
  field: string,
  asked: { readonly after: ChangesCursor; readonly keys: readonly (readonly Cell[])[] },
): Promise<boolean[]> {
  const { knowledge, ref, signal } = context;
  const reading = await knowledge.reading({ ...ref, fields: ref.key, maxRecordBytes: Number.POSITIVE_INFINITY }, signal);
  const fields = reading.shape.key.map((index) => reading.shape.fields[index] as Field);
  const arrays = await mayHoldArrays(context, field);
  // A drain always ends with a whole pass, which holds what is left of an unfinished one.
  const whole = { ...asked.after, pass: null };
  const filters = PHASES.map((phase) => phaseFilter(phase, whole, { field, lookbackMs: ref.lookbackMs, arrays })).filter(
    (filter) => filter !== null,
  );
  const found = new Set<string>();
  const point = await openPoint(context);
  try {
    for (let at = 0; at < asked.keys.length; at += KEYS_AT_ONCE) {
      const some = asked.keys.slice(at, at + KEYS_AT_ONCE).filter((key) => !key.includes(null));
      if (some.length === 0) continue;
      const filter = all([matching(fields, some), { $or: filters }, ...filterOf(ref.where)]);
      for await (const group of point.find({ collection: ref.name, filter, sort: {}, weight: weightOf(context) }))
        group.starts.forEach((_start, index) => found.add(keyOf(reading, documentAt(group, index))));
    }
  } finally {
    await point.end();
  }
  return asked.keys.map((key) => found.has(keyText(fields, key)));
}

function keyOf(reading: Reading, document: Uint8Array): string {
  const decoded = reading.decoder.decode(document);
  const fields = reading.shape.key.map((index) => reading.shape.fields[index] as Field);
  return 'row' in decoded
    ? keyText(
        fields,
        reading.shape.key.map((index) => decoded.row[index]),
      )
    : '';
}

/** A text that equal keys share. */
export function keyText(fields: readonly Field[], key: readonly Cell[]): string {
  const values = fields.map((field, index) => [field.name, key[index] === null ? null : bsonOf(field, key[index])] as const);
  return extendedJson(rawDocument(serialize(new Map(values) as never)));
}

/** Documents that date their last change at this time or later. */
export async function* readChangedSince(context: StreamContext, field: string, sinceMs: number): AsyncGenerator<Batch> {
  const { knowledge, limits, ref, signal } = context;
  const open = { reading: await knowledge.reading(ref, signal) };
  const type = open.reading.layout.shape.fields.find((one) => one.name === field)?.type;
  if (type !== 'timestamptz')
    throw new TrueupError(
      'E_COMPARE_UNSUPPORTED',
      `Stream '${ref.name}': the values of '${field}' are not dates, so its changes have no time.`,
    );
  const point = await openPoint(context);
  try {
    const filter = all([ordered(field), from(field, dateJson(Math.ceil(sinceMs))), ...filterOf(ref.where)]);
    const found = point.find({ collection: ref.name, filter, sort: {}, weight: weightOf(context) });
    yield* batches(open, found, {
      knowledge,
      limits,
      placeAfter: () => ({ cursor: null, position: { text: `changed since ${new Date(sinceMs).toISOString()}` } }),
    });
  } finally {
    await point.end();
  }
}
