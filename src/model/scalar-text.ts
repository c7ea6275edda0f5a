import { TrueupError } from '../errors.ts';
import { INSTANT_INFINITY } from './cell.ts';
import type { Cell } from './cell.ts';
import {
  dateText,
  instantText,
  parseDate,
  parseInstant,
  parseTimeOfDay,
  parseTimestamp,
  timeOfDayText,
  timestampText,
} from './civil-time.ts';
import { canonicalDecimal } from './decimal.ts';
import type { ScalarType } from './logical-type.ts';

/** The scalar types whose values have a text of their own; a variant is written as JSON. */
export type TextScalar = Exclude<ScalarType, 'variant'>;

/** The canonical text of a cell that is not NULL. */
export function scalarToText(type: TextScalar, cell: Cell): string {
  switch (type) {
    case 'float64':
      return Object.is(cell, -0) ? '-0' : String(cell as number);
    case 'timestamptz':
      return instantCellText(cell as bigint);
    case 'bytes':
      return `\\x${hex(cell as Uint8Array)}`;
    case 'decimal':
    case 'date':
    case 'time':
    case 'timestamp':
    case 'uuid':
    case 'objectId':
      return canonicalText(type, cell as string) ?? (cell as string);
    case 'bool':
    case 'int32':
    case 'int64':
      return String(cell as boolean | number | bigint);
    default:
      return cell as string;
  }
}

/** @throws {TrueupError} `E_RECORD_VALUE` naming type and place, never the text */
export function readScalar(type: TextScalar, text: string, place: string): Cell {
  const cell = scalarFromText(type, text);
  if (cell === undefined) throw new TrueupError('E_RECORD_VALUE', `${place}: expected ${expectation(type)}, got text that is none`);
  return cell;
}

/** `undefined`: the text is no such value. */
export function scalarFromText(type: TextScalar, text: string): Exclude<Cell, undefined> | undefined {
  switch (type) {
    case 'bool':
      return text === 'true' || text === 't' ? true : text === 'false' || text === 'f' ? false : undefined;
    case 'int32': {
      const number = /^[+-]?\d{1,11}$/.test(text) ? Number(text) : undefined;
      return number !== undefined && (number | 0) === number ? number | 0 : undefined;
    }
    case 'int64': {
      const digits = /^[+-]?\d{1,20}$/.test(text) ? BigInt(text.startsWith('+') ? text.slice(1) : text) : undefined;
      return digits !== undefined && BigInt.asIntN(64, digits) === digits ? digits : undefined;
    }
    case 'float64':
      return floatFromText(text);
    case 'timestamptz':
      return instantFromText(text);
    case 'bytes':
      return bytesFromText(text);
    case 'json':
      return isJson(text) ? text : undefined;
    case 'interval':
      return INTERVAL.test(text) ? text : undefined;
    case 'text':
    case 'unknown':
      return text;
    default:
      return canonicalText(type, text) ?? undefined;
  }
}

/** ISO 8601 as Postgres writes it under `intervalstyle = iso_8601` (parts may be negative), or an infinity. */
const INTERVAL =
  /^(?:-?infinity|-?P(?=.)(?:-?\d+(?:\.\d+)?Y)?(?:-?\d+(?:\.\d+)?M)?(?:-?\d+(?:\.\d+)?W)?(?:-?\d+(?:\.\d+)?D)?(?:T(?=.)(?:-?\d+(?:\.\d+)?H)?(?:-?\d+(?:\.\d+)?M)?(?:-?\d*(?:\.\d+)?S)?)?)$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The canonical form of a carrier that is a text, or `null` when it is no such value. */
export function canonicalText(type: 'decimal' | 'date' | 'time' | 'timestamp' | 'uuid' | 'objectId', text: string): string | null {
  switch (type) {
    case 'decimal':
      return canonicalDecimal(text);
    case 'uuid':
      return UUID.test(text) ? text.toLowerCase() : null;
    case 'objectId':
      return /^[0-9a-f]{24}$/i.test(text) ? text.toLowerCase() : null;
    case 'date': {
      const days = parseDate(text);
      return days === null ? infinityText(text) : dateText(days);
    }
    case 'timestamp': {
      const stamp = parseTimestamp(text);
      return stamp === null || stamp.cut ? infinityText(text) : timestampText(stamp.value);
    }
    case 'time':
      return canonicalTime(text);
  }
}

/** A time with an offset (Postgres `timetz`) keeps it. */
function canonicalTime(text: string): string | null {
  const match = /^([^+-]*)([+-]\d{2}(?::\d{2}){0,2})?$/.exec(text);
  const time = parseTimeOfDay(match?.[1] ?? '');
  return time === null || time.cut ? null : timeOfDayText(time.value) + (match?.[2] ?? '');
}

function infinityText(text: string): string | null {
  return text === 'infinity' || text === '-infinity' ? text : null;
}

export function instantCellText(micros: bigint): string {
  if (micros === INSTANT_INFINITY) return 'infinity';
  return micros === -INSTANT_INFINITY ? '-infinity' : instantText(micros);
}

function instantFromText(text: string): bigint | undefined {
  if (text === 'infinity') return INSTANT_INFINITY;
  if (text === '-infinity') return -INSTANT_INFINITY;
  const instant = parseInstant(text);
  return instant === null || instant.cut || !isInstant(instant.value) ? undefined : instant.value;
}

/** Whether microseconds fit a timestamptz carrier without touching its infinities. */
export function isInstant(micros: bigint): boolean {
  return micros > -INSTANT_INFINITY && micros < INSTANT_INFINITY;
}

function floatFromText(text: string): number | undefined {
  if (text === 'NaN') return Number.NaN;
  if (/^[+-]?inf(?:inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return undefined;
  const number = Number(text);
  return Number.isFinite(number) ? number : undefined;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

function bytesFromText(text: string): Uint8Array | undefined {
  return /^\\x(?:[0-9a-f]{2})*$/i.test(text) ? new Uint8Array(Buffer.from(text.slice(2), 'hex')) : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function expectation(type: TextScalar): string {
  switch (type) {
    case 'int32':
    case 'int64':
      return `${type} (whole digits within ${type === 'int32' ? 32 : 64} bits)`;
    case 'timestamptz':
      return 'timestamptz (ISO 8601 with an offset, at most microseconds)';
    case 'timestamp':
      return 'timestamp (a civil date and time without an offset, at most microseconds)';
    case 'date':
      return 'date (YYYY-MM-DD)';
    case 'time':
      return 'time (HH:MM:SS, at most microseconds)';
    case 'bytes':
      return 'bytes (\\x and hex digits)';
    case 'interval':
      return 'interval (ISO 8601, such as P1DT2H)';
    default:
      return type;
  }
}
