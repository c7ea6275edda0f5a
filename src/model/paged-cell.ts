import { TrueupError } from '../errors.ts';
import { carrierProblem, isVariant } from './carrier.ts';
import { cellFromText } from './cell-text.ts';
import type { Cell } from './cell.ts';
import { typeText } from './logical-type.ts';
import type { LogicalType, ScalarType } from './logical-type.ts';

/** Numbers with at most so many significant digits come out of JSON.parse as they were written. */
const EXACT_DIGITS = 15;

/**
 * A value out of JSON as the carrier of a declared type. Carriers pass as they are. int64 and decimal are taken from text or from a number that
 * JSON.parse cannot have rounded; what has no JSON form of its own (times, uuid, bytes as `\x…`) from its text; `json` takes any JSON value.
 *
 * @param place what the value belongs to, for the message: `field 'total'`
 * @throws {TrueupError} `E_RECORD_UNREADABLE` naming place and type, never the value
 */
export function cellFromJson(type: LogicalType, value: unknown, place: string): Cell {
  if (value === null || value === undefined) return null;
  if (typeof type !== 'string') return 'list' in type ? listFromJson(type.list, value, place) : structFromJson(type, value, place);
  const cell = scalarFromJson(type, value, place);
  if (cell === undefined) throw unreadable(type, value, place);
  const problem = carrierProblem(type, cell);
  if (problem !== null) throw new TrueupError('E_RECORD_UNREADABLE', `${place}: ${problem}`);
  return cell;
}

/** `undefined`: the value is no such thing. */
function scalarFromJson(type: ScalarType, value: unknown, place: string): Cell {
  if (type === 'json') return jsonText(value, place);
  if (type === 'variant') return isVariant(value as Cell) ? (value as Cell) : undefined;
  if (type === 'text' || type === 'unknown') return typeof value === 'string' ? value : undefined;
  if (typeof value === 'string') return parsed(type, value, place);
  switch (type) {
    case 'bool':
      return typeof value === 'boolean' ? value : undefined;
    case 'int32':
    case 'float64':
      return typeof value === 'number' ? value : undefined;
    case 'int64':
      return Number.isSafeInteger(value) ? BigInt(value as number) : typeof value === 'bigint' ? value : undefined;
    case 'timestamptz':
      return typeof value === 'bigint' ? value : undefined;
    case 'decimal':
      return isExact(value) ? parsed(type, String(value), place) : undefined;
    case 'bytes':
      return value instanceof Uint8Array ? value : undefined;
    default:
      return undefined;
  }
}

function parsed(type: ScalarType, text: string, place: string): Cell {
  try {
    return cellFromText(type, text, place);
  } catch (error) {
    throw new TrueupError('E_RECORD_UNREADABLE', error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** Whether a number is most likely what was written: JSON.parse rounds beyond 2^53, and beyond 15 significant digits. */
function isExact(value: unknown): value is number {
  if (typeof value !== 'number' || Math.abs(value) > Number.MAX_SAFE_INTEGER) return false;
  const digits = value.toExponential().replace(/e.*$/, '').replace(/\D/g, '');
  return Number.isSafeInteger(value) || digits.length <= EXACT_DIGITS;
}

function jsonText(value: unknown, place: string): string {
  if (holdsRounded(value))
    throw new TrueupError(
      'E_RECORD_UNREADABLE',
      `${place}: the json holds a number beyond 2^53, which JSON.parse may have rounded; deliver it as text`,
    );
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw unreadable('json', value, place);
  return text;
}

function holdsRounded(value: unknown): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsRounded);
}

function listFromJson(item: LogicalType, value: unknown, place: string): Cell {
  if (!Array.isArray(value)) throw unreadable({ list: item }, value, place);
  return value.map((entry, index) => cellFromJson(item, entry, `${place}[${index}]`));
}

/** An object by field name, or an array in the order of the fields. */
function structFromJson(type: Extract<LogicalType, { struct: unknown }>, value: unknown, place: string): Cell {
  if (typeof value !== 'object' || value === null) throw unreadable(type, value, place);
  const entries = Array.isArray(value) ? (value as unknown[]) : type.struct.map((field) => ownValue(value, field.name));
  if (entries.length !== type.struct.length) throw unreadable(type, value, place);
  return type.struct.map((field, index) => cellFromJson(field.type, entries[index], `${place}.${field.name}`));
}

/** A member of the object itself: a row may have a field that is called `constructor`, or none. */
export function ownValue(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined;
}

function unreadable(type: LogicalType, value: unknown, place: string): TrueupError {
  const isNumber = typeof value === 'number' && (type === 'int64' || type === 'decimal');
  const got = isNumber
    ? 'a number that JSON.parse may have rounded; deliver it as text'
    : Array.isArray(value)
      ? 'an array'
      : `a ${typeof value}`;
  return new TrueupError('E_RECORD_UNREADABLE', `${place}: expected ${typeText(type)}, got ${got}`);
}
