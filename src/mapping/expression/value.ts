import { INSTANT_INFINITY } from '../../model/cell.ts';
import { compareDecimals, decimalText, parseDecimal } from '../../model/decimal.ts';
import type { Decimal } from '../../model/decimal.ts';
import { instantCellText } from '../../model/scalar-text.ts';

/** An instant, in the carrier of timestamptz. */
export interface Instant {
  readonly instant: bigint;
}

/** A length of time in microseconds. */
export interface Duration {
  readonly duration: bigint;
}

/** A date, time of day or timestamp without a zone. */
export interface Civil {
  readonly civil: 'date' | 'time' | 'datetime';
  /** Where it stands among its like. */
  readonly order: bigint;
  /** Canonical. */
  readonly text: string;
}

/** A decimal that is no number: NaN, Infinity, -Infinity. */
export interface SpecialDecimal {
  readonly special: number;
}

/** What expressions compute with. Maps are what json objects become. `null` is NULL. */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Decimal
  | SpecialDecimal
  | Instant
  | Duration
  | Civil
  | readonly Value[]
  | ReadonlyMap<string, Value>;

/** The scalar types of expressions. `dyn` is known at run time only: what is inside json. */
export type ScalarCelType =
  | 'null'
  | 'bool'
  | 'int'
  | 'double'
  | 'decimal'
  | 'string'
  | 'bytes'
  | 'timestamp'
  | 'duration'
  | 'date'
  | 'time'
  | 'datetime'
  | 'map'
  | 'dyn';
export type CelType = ScalarCelType | { readonly list: CelType };

export function celTypeText(type: CelType): string {
  return typeof type === 'string' ? type : `list(${celTypeText(type.list)})`;
}

export function sameCelType(a: CelType, b: CelType): boolean {
  return celTypeText(a) === celTypeText(b);
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** What a value is. Lists are `{ list: 'dyn' }`. */
export function typeOfValue(value: Value): CelType {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
    case 'string':
      return 'string';
    default:
      return typeOfObject(value);
  }
}

function typeOfObject(value: Exclude<Value, boolean | bigint | number | string>): CelType {
  if (value === null) return 'null';
  if (isList(value)) return { list: 'dyn' };
  if (value instanceof Map) return 'map';
  if (value instanceof Uint8Array) return 'bytes';
  if ('digits' in value || 'special' in value) return 'decimal';
  if ('instant' in value) return 'timestamp';
  if ('duration' in value) return 'duration';
  return (value as Civil).civil;
}

/** -1, 0, 1; `null`: not to be compared (NaN among doubles). Both of one type, or both numbers. */
export function compareValues(a: Value, b: Value): number | null {
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b);
  if (typeof a === 'bigint' && typeof b === 'bigint') return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : a > b ? 1 : a === b ? 0 : null;
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Math.sign(Buffer.compare(a, b));
  const left = orderOf(a);
  const right = orderOf(b);
  if (left !== null && right !== null) return left < right ? -1 : left > right ? 1 : 0;
  return compareNumbers(a, b);
}

function orderOf(value: Value): bigint | null {
  if (typeof value !== 'object' || value === null) return null;
  if ('instant' in value) return value.instant;
  if ('duration' in value) return value.duration;
  return 'order' in value ? value.order : null;
}

/** By exact value, whatever mixture of int, double and decimal. NaN of a decimal equals itself and is greater than every number, as in Postgres. */
function compareNumbers(a: Value, b: Value): number | null {
  if (Number.isNaN(a) || Number.isNaN(b)) return null;
  const left = rank(a);
  const right = rank(b);
  if (left !== 0 || right !== 0) return Math.sign(left - right);
  return compareDecimals(exact(a), exact(b));
}

/** Beyond all finite numbers: -1 and 1; 2 for NaN. */
function rank(value: Value): number {
  const number = typeof value === 'number' ? value : typeof value === 'object' && value !== null && 'special' in value ? value.special : 0;
  return Number.isNaN(number) ? 2 : number === Infinity ? 1 : number === -Infinity ? -1 : 0;
}

/** The exact value of a finite number; of a double that is its binary value, not its shortest text. */
export function exact(value: Value): Decimal {
  if (typeof value === 'bigint') return { digits: value, scale: 0 };
  if (typeof value === 'number') return exactDouble(value);
  return value as Decimal;
}

function exactDouble(value: number): Decimal {
  if (Number.isInteger(value)) return { digits: BigInt(value), scale: 0 };
  let scale = 0;
  let scaled = value;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    scale++;
  }
  return { digits: BigInt(scaled) * 5n ** BigInt(scale), scale };
}

/** Unicode code point order, which UTF-16 order is not. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left === right) continue;
    const surrogates = Number(left >= 0xd800 && left <= 0xdfff) - Number(right >= 0xd800 && right <= 0xdfff);
    return surrogates !== 0 ? surrogates : left < right ? -1 : 1;
  }
  return a.length < b.length ? -1 : 1;
}

/** CEL's equality: null is a value that equals itself; numbers are equal by value; values of different types are not. */
export function equalValues(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a === null || b === null) return false;
  if (isList(a)) return isList(b) && a.length === b.length && a.every((item, index) => equalValues(item, b[index] as Value));
  if (a instanceof Map) return b instanceof Map && equalMaps(a as ReadonlyMap<string, Value>, b as ReadonlyMap<string, Value>);
  const left = typeOfValue(a);
  const right = typeOfValue(b);
  return (left === right || (isNumeric(left) && isNumeric(right))) && compareValues(a, b) === 0;
}

function equalMaps(a: ReadonlyMap<string, Value>, b: ReadonlyMap<string, Value>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (!b.has(key) || !equalValues(value, b.get(key) as Value)) return false;
  return true;
}

export function isNumeric(type: CelType): boolean {
  return type === 'int' || type === 'double' || type === 'decimal';
}

export function decimalValue(text: string): Decimal | SpecialDecimal | null {
  return text === 'NaN' || text === 'Infinity' || text === '-Infinity' ? { special: Number(text) } : parseDecimal(text);
}

export function decimalValueText(value: Decimal | SpecialDecimal): string {
  return 'special' in value ? String(value.special) : decimalText(value);
}

export function instantValueText({ instant }: Instant): string {
  return instantCellText(instant);
}

export function isFiniteInstant({ instant }: Instant): boolean {
  return instant !== INSTANT_INFINITY && instant !== -INSTANT_INFINITY;
}
