import { Binary, Code, Decimal128, Double, Int32, Long, ObjectId, serialize } from 'bson';
import type { BsonValue } from './value.ts';

/** What MongoDB holds in one document, in bytes. */
export const MAX_DOCUMENT = 16 * 1024 * 1024;

/** Bytes of a value in BSON, without its name. */
export function bsonSize(value: BsonValue): number {
  if (value === null) return 0;
  if (typeof value === 'string') return 5 + Buffer.byteLength(value);
  if (typeof value === 'boolean') return 1;
  if (value instanceof Map) return mapSize(value as ReadonlyMap<string, BsonValue>);
  if (Array.isArray(value))
    return (value as readonly BsonValue[]).reduce<number>((sum, item, index) => sum + 2 + String(index).length + bsonSize(item), 5);
  if (value instanceof Int32) return 4;
  if (value instanceof Double || value instanceof Long || value instanceof Date) return 8;
  if (value instanceof ObjectId) return 12;
  if (value instanceof Decimal128) return 16;
  if (value instanceof Binary && value.sub_type !== Binary.SUBTYPE_BYTE_ARRAY) return 5 + value.length();
  // Patterns, code with a scope and the like are rare.
  return serialize(new Map([['', value]]) as never).length - 7 + (value instanceof Code ? 1 : 0);
}

function mapSize(map: ReadonlyMap<string, BsonValue>): number {
  let size = 5;
  for (const [name, value] of map) size += 2 + Buffer.byteLength(name) + bsonSize(value);
  return size;
}
