import { Decimal128, Double, Int32, Long } from 'bson';
import { TrueupError, isExactNumber } from '../../../src/sdk.ts';
import type { BsonValue } from './value.ts';
import { parseJson } from './json-parse.ts';
import type { JsonPairs, ParsedJson } from './json-parse.ts';
import { roundedDecimal } from './rounded-decimal.ts';

/** What became of a JSON text: the value, and what it lost on the way, by kind. */
export interface JsonDocument {
  readonly value: BsonValue;
  readonly losses: ReadonlyMap<LossKind, string>;
}
export type LossKind = 'rounded' | 'json-null' | 'repeated-name';

/** What a JSON text may lose, in the plan's words. */
export const JSON_LOSS = 'numbers of more than 34 digits, null in place of a document, names that stand twice';

/**
 * JSON as people expect it in documents: objects and arrays as such, whole numbers as int or long, numbers with a point or an exponent as double where the double reads back as
 * the same number, every other number as a Decimal128. Order and names are kept as they are written.
 *
 * @throws {TrueupError} `E_RECORD_VALUE` for what no document holds, naming the place, never the text
 */
export function jsonDocument(text: string, place: string): JsonDocument {
  const losses = new Map<LossKind, string>();
  const json = parsed(text, place);
  if (json === null) losses.set('json-null', 'the JSON value null would be one with NULL');
  return { value: valueOf(json, { place, losses }), losses };
}

interface Reading {
  readonly place: string;
  readonly losses: Map<LossKind, string>;
}

function parsed(text: string, place: string): ParsedJson {
  try {
    return parseJson(text);
  } catch {
    throw new TrueupError(
      'E_RECORD_VALUE',
      `${place}: expected JSON, got text that is none, or that is nested more deeply than a document may be`,
    );
  }
}

function valueOf(json: ParsedJson, reading: Reading): BsonValue {
  if (json === null || typeof json === 'boolean') return json;
  if (typeof json === 'string') return wellFormed(json, reading);
  if ('number' in json) return numberOf(json.number, reading);
  return 'pairs' in json ? documentOf(json, reading) : json.map((item) => valueOf(item, reading));
}

/** Of a name that stands twice the last one counts, as everywhere in JSON; it keeps the first one's place. */
function documentOf({ pairs }: JsonPairs, reading: Reading): BsonValue {
  const document = new Map<string, BsonValue>();
  for (const [name, value] of pairs) {
    if (name.includes('\0')) throw new TrueupError('E_RECORD_VALUE', `${reading.place}: a name holds a NUL, which no document can hold`);
    document.set(wellFormed(name, reading), valueOf(value, reading));
  }
  if (document.size < pairs.length) reading.losses.set('repeated-name', 'a name stands twice in one object');
  return document;
}

function numberOf(text: string, { place, losses }: Reading): BsonValue {
  if (/^-?\d+$/.test(text) && text !== '-0') {
    const whole = BigInt(text);
    if (BigInt.asIntN(32, whole) === whole) return new Int32(Number(whole));
    if (BigInt.asIntN(64, whole) === whole) return Long.fromBigInt(whole);
  }
  if (isExactNumber(text)) return new Double(Number(text));
  try {
    return Decimal128.fromString(text);
  } catch {
    const rounded = roundedDecimal(text);
    if (rounded === null) throw new TrueupError('E_RECORD_LOSS', `${place}: a number in the JSON has an exponent beyond a Decimal128`);
    losses.set('rounded', 'a number in the JSON has more than the 34 digits of a Decimal128');
    return rounded;
  }
}

function wellFormed(text: string, { place }: Reading): string {
  if (text.isWellFormed()) return text;
  throw new TrueupError('E_RECORD_VALUE', `${place} holds a lone surrogate, which no UTF-8 text can hold`);
}
