import type { Document } from 'mongodb';
import { TrueupError, planConversion } from '../../../src/sdk.ts';
import type { Cell, Field, KeyBounds } from '../../../src/sdk.ts';
import { literalValue } from './order.ts';
import type { Reading } from './reading.ts';
import { toBson } from '../bson/to-bson.ts';
import type { BsonValue } from '../bson/value.ts';

/** Conditions for the key bounds that a person gave, compared field by field in the order of all BSON types. */
export function keyBounds(reading: Reading, bounds: KeyBounds | undefined): Document[] {
  const parts: Document[] = [];
  if (bounds?.from !== undefined) parts.push({ $expr: rowCompare(reading, bounds.from, '$gt') });
  if (bounds?.to !== undefined) parts.push({ $expr: rowCompare(reading, bounds.to, '$lt') });
  return parts;
}

/** `(a, b) >= (x, y)` as `a > x or (a = x and (b > y or b = y))`. */
function rowCompare(reading: Reading, texts: readonly string[], operator: '$gt' | '$lt'): Document {
  const fields = reading.shape.key.map((index) => reading.shape.fields[index] as Field);
  return texts.reduceRight<Document>((rest, text, index) => {
    const field = fields[index] as Field;
    const value = literalValue(keyValue(field, text));
    const path = `$${field.name}`;
    return { $or: [{ [operator]: [path, value] }, { $and: [{ $eq: [path, value] }, rest] }] };
  }, literalValue(true));
}

function keyValue(field: Field, text: string): BsonValue {
  const place = `key field '${field.name}'`;
  return bsonOf(
    field,
    planConversion({ from: 'text', to: field.type, onLoss: 'error', place }).convert(text, () => undefined),
  );
}

/** A cell of a field of this connector as BSON. */
export function bsonOf(field: Field, cell: Cell): BsonValue {
  if (cell === undefined) throw new TrueupError('E_BUG', `field '${field.name}': an absent cell was looked up`);
  return toBson(field.type, cell, { extendedJson: true, place: `field '${field.name}'` });
}
