import { BSONRegExp, BSONSymbol, Binary, Code, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp } from 'bson';
import { TrueupError } from '../../../src/sdk.ts';
import type { BsonValue } from './value.ts';
import { parseJson } from './json-parse.ts';
import type { JsonPairs, ParsedJson } from './json-parse.ts';

/**
 * The value that canonical Extended JSON stands for, as the driver writes it; documents are Maps. Plain JSON numbers, as people write them in filters, are int32
 * where they fit, else int64, else double.
 *
 * @param place what the text belongs to, for the message
 * @throws {TrueupError} `E_RECORD_VALUE` naming the place, never the text
 */
export function parseExtendedJson(text: string, place: string): BsonValue {
  try {
    return toValue(parseJson(text));
  } catch {
    throw new TrueupError('E_RECORD_VALUE', `${place}: expected Extended JSON, got text that is none or that the driver cannot write`);
  }
}

function toValue(json: ParsedJson): BsonValue {
  if (json === null || typeof json === 'boolean' || typeof json === 'string') return json;
  if ('number' in json) return plainNumber(Number(json.number));
  if ('pairs' in json) return objectValue(json);
  return json.map(toValue);
}

function plainNumber(json: number): BsonValue {
  if ((json | 0) === json && !Object.is(json, -0)) return new Int32(json);
  return Number.isSafeInteger(json) && !Object.is(json, -0) ? Long.fromNumber(json) : new Double(json);
}

function objectValue({ pairs }: JsonPairs): BsonValue {
  const [name, inner] = pairs[0] ?? ['', null];
  const known = pairs.length === 1 ? SINGLE[name] : undefined;
  if (known !== undefined) return known(inner);
  if (name === '$code' && pairs[1]?.[0] === '$scope') return new Code(stringOf(inner), toValue(pairs[1][1]) as never);
  const map = new Map(pairs.map(([key, value]) => [key, toValue(value)] as const));
  if (map.size !== pairs.length) throw new Error('a name stands twice');
  return map;
}

const SINGLE: Readonly<Record<string, (inner: ParsedJson) => BsonValue>> = {
  __proto__: null as never, // names like 'constructor' are names
  $numberInt: (inner) => new Int32(Number(stringOf(inner))),
  $numberLong: (inner) => Long.fromBigInt(BigInt(stringOf(inner))),
  $numberDouble: (inner) => new Double(Number(stringOf(inner).replace(/^(-?)Inf$/, '$1Infinity'))),
  $numberDecimal: (inner) => Decimal128.fromString(stringOf(inner)),
  $oid: (inner) => ObjectId.createFromHexString(stringOf(inner)),
  $date: (inner) => dateOf(typeof inner === 'string' ? BigInt(Date.parse(inner)) : (toValue(inner) as Long).toBigInt()),
  $timestamp: (inner) => new Timestamp({ t: numberOf(member(inner, 't')), i: numberOf(member(inner, 'i')) }),
  $binary: (inner) =>
    new Binary(Buffer.from(stringOf(member(inner, 'base64')), 'base64'), Number.parseInt(stringOf(member(inner, 'subType')), 16)),
  $regularExpression: (inner) => new BSONRegExp(stringOf(member(inner, 'pattern')), stringOf(member(inner, 'options'))),
  $symbol: (inner) => new BSONSymbol(stringOf(inner)),
  $code: (inner) => new Code(stringOf(inner)),
  $minKey: () => new MinKey(),
  $maxKey: () => new MaxKey(),
  // The driver would write them as null or as a document.
  $undefined: refused,
  $dbPointer: refused,
};

/** @throws for an instant that a JavaScript Date, and so the driver, cannot hold */
export function dateOf(ms: bigint): Date {
  const date = new Date(Number(ms));
  if (Number.isNaN(date.getTime())) throw new RangeError('beyond the range of dates');
  return date;
}

function refused(): never {
  throw new Error('not written by the driver');
}

function stringOf(json: ParsedJson | undefined): string {
  if (typeof json !== 'string') throw new Error('expected a string');
  return json;
}

function numberOf(json: ParsedJson | undefined): number {
  if (typeof json !== 'object' || json === null || !('number' in json)) throw new Error('expected a number');
  return Number(json.number);
}

function member(json: ParsedJson, name: string): ParsedJson | undefined {
  if (typeof json !== 'object' || json === null || !('pairs' in json)) throw new Error('expected an object');
  return json.pairs.find(([key]) => key === name)?.[1];
}
