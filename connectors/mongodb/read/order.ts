import type { Document } from 'mongodb';
import type { Place } from './cursor.ts';
import { parseExtendedJson } from '../bson/ejson-read.ts';
import type { BsonValue } from '../bson/value.ts';

/*
 * Conditions over the order (cursor field, _id). They are aggregation expressions, as those compare values of any two types in the one order that sorting uses,
 * while operators of queries ($gt) see values of the same type only. An index on (field, _id) serves them.
 */

/** A constant that the server never takes for a path or an operator. */
export function literal(text: string): Document {
  const outside = /^\{"\$date":\{"\$numberLong":"(-?\d+)"\}\}$/.exec(text)?.[1];
  // Beyond what a JavaScript Date holds: the server makes it.
  if (outside !== undefined && Number.isNaN(new Date(Number(outside)).getTime()))
    return { $toDate: parseExtendedJson(`{"$numberLong":"${outside}"}`, 'a cursor') };
  return literalValue(parseExtendedJson(text, 'a cursor'));
}

export function literalValue(value: BsonValue): Document {
  return { $literal: value };
}

/** No place in the order: nothing there, null, or an array, which sorting would take for its smallest element. */
export function isLoose(field: string): Document {
  return { $in: [{ $type: `$${field}` }, ['missing', 'null', 'undefined', 'array']] };
}

/** Documents with a place. */
export function ordered(field: string): Document {
  return { $expr: { $not: [isLoose(field)] } };
}

/** Documents without a place. `arrays: false`: an index says that the field never holds one, and then a query for null finds them all. */
export function loose(field: string, arrays: boolean): Document {
  return arrays ? { $expr: isLoose(field) } : { $and: [{ [field]: null }, { $expr: isLoose(field) }] };
}

/** After a place. The first condition gives an index its bound. */
export function after(field: string, { c, id }: Place): Document {
  const value = literal(c);
  return {
    $and: [
      { $expr: { $gte: [`$${field}`, value] } },
      { $expr: { $or: [{ $gt: [`$${field}`, value] }, { $and: [{ $eq: [`$${field}`, value] }, { $gt: ['$_id', literal(id)] }] }] } },
    ],
  };
}

/** Up to a place, itself included. */
export function upTo(field: string, { c, id }: Place): Document {
  const value = literal(c);
  return {
    $and: [
      { $expr: { $lte: [`$${field}`, value] } },
      { $expr: { $or: [{ $lt: [`$${field}`, value] }, { $and: [{ $eq: [`$${field}`, value] }, { $lte: ['$_id', literal(id)] }] }] } },
    ],
  };
}

/** From a value on. */
export function from(field: string, value: string): Document {
  return { $expr: { $gte: [`$${field}`, literal(value)] } };
}

/** A range of `_id`: Extended JSON. */
export interface IdRange {
  readonly after?: string;
  readonly to?: string;
}

export function idRange({ after: above, to }: IdRange): Document[] {
  return [
    ...(above === undefined ? [] : [{ $expr: { $gt: ['$_id', literal(above)] } }]),
    ...(to === undefined ? [] : [{ $expr: { $lte: ['$_id', literal(to)] } }]),
  ];
}

/** All of these conditions; `{}` for none. */
export function all(conditions: readonly Document[]): Document {
  return conditions.length === 0 ? {} : conditions.length === 1 ? (conditions[0] as Document) : { $and: [...conditions] };
}
