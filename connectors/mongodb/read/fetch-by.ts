import { BSONRegExp } from 'bson';
import type { Document } from 'mongodb';
import type { Batch, Cell, Field } from '../../../src/sdk.ts';
import { batches } from './batches.ts';
import type { Open } from './batches.ts';
import { bsonOf } from './key-bounds.ts';
import { all, literalValue } from './order.ts';
import { requireField } from './reading.ts';
import type { Reading } from './reading.ts';
import { openPoint, weightOf } from '../stream-context.ts';
import type { StreamContext } from '../stream-context.ts';
import type { BsonValue } from '../bson/value.ts';

/** Values of one query; what they weigh stays far below the 16 MiB of a command. */
const VALUES_AT_ONCE = 1000;

export interface FetchBy {
  readonly fields: readonly string[];
  /** Carriers, aligned to `fields`. */
  readonly values: readonly (readonly Cell[])[];
}

/** Current documents whose fields equal one of the values, from one snapshot. NULL equals nothing; an array equals an array, never one of its elements. */
export async function* readBy(context: StreamContext, { fields, values }: FetchBy): AsyncGenerator<Batch> {
  const open: Open = { reading: await context.knowledge.reading(context.ref, context.signal) };
  const wanted = fields.map((name) => wantedField(open.reading, name));
  const asked = values.filter((cells) => !cells.includes(null) && !cells.includes(undefined));
  if (asked.length === 0) return;
  const { knowledge, limits, ref } = context;
  const point = await openPoint(context);
  try {
    for (let from = 0; from < asked.length; from += VALUES_AT_ONCE) {
      const filter = matching(wanted, asked.slice(from, from + VALUES_AT_ONCE));
      const found = point.find({ collection: ref.name, filter, sort: {}, weight: weightOf(context) });
      yield* batches(open, found, { knowledge, limits, placeAfter: () => ({ cursor: null, position: { text: 'a look-up' } }) });
    }
  } finally {
    await point.end();
  }
}

export function wantedField({ layout, ref }: Reading, name: string): Field {
  requireField(layout, ref.name, name);
  return layout.shape.fields.find((field) => field.name === name) as Field;
}

/** Documents whose fields equal one of these rows of cells. */
export function matching(fields: readonly Field[], rows: readonly (readonly Cell[])[]): Document {
  const [only] = fields;
  if (fields.length === 1 && only !== undefined)
    return oneOf(
      only,
      rows.map((cells) => cells[0]),
    );
  return { $or: rows.map((cells) => all(fields.map((field, index) => oneOf(field, [cells[index]])))) };
}

function oneOf(field: Field, cells: readonly Cell[]): Document {
  const values = cells.map((cell) => bsonOf(field, cell));
  const plain = values.filter((value) => !isSpecial(value));
  const special = values.filter(isSpecial).map((value): Document => ({ $expr: { $eq: [`$${field.name}`, literalValue(value)] } }));
  // A query for a value also finds arrays that hold it.
  const single: Document = { $and: [{ [field.name]: { $in: plain } }, { $expr: { $not: [{ $isArray: [`$${field.name}`] }] } }] };
  const either = [...(plain.length > 0 ? [single] : []), ...special];
  return either.length === 1 ? (either[0] as Document) : { $or: either };
}

/** What `$in` would take for something else: a pattern, or a list of values. */
function isSpecial(value: BsonValue): boolean {
  return value instanceof BSONRegExp || Array.isArray(value);
}
