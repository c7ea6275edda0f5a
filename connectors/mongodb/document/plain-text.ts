import { putDate, putDecimal, putInt32, putInt64 } from '../bson/sink.ts';
import type { Sink } from '../bson/sink.ts';

/*
 * Texts that can mean one value only, whatever system they are of: they become BSON without becoming a carrier first. Each function returns whether
 * it wrote the value; of every other text, who reads it as its system does has to say what it means.
 */

/** So many digits a number holds exactly. */
const EXACT_DIGITS = 15;

/** Value and number of digits from `from` on; the rest of the text are others. */
let wholeEnd = 0;

function wholeFrom(text: string, from: number): number {
  let value = 0;
  let at = from;
  for (; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  wholeEnd = at;
  return value;
}

/** The whole number of up to 15 digits that a text is. `NaN`: it is another text. */
function plainWhole(text: string): number {
  const from = text.charCodeAt(0) === 45 ? 1 : 0;
  const value = wholeFrom(text, from);
  if (wholeEnd !== text.length || wholeEnd === from || wholeEnd - from > EXACT_DIGITS) return Number.NaN;
  // -0 is 0 among whole numbers.
  return from === 1 && value !== 0 ? -value : value;
}

export function putInt32Text(sink: Sink, name: Uint8Array, text: string): boolean {
  const value = plainWhole(text);
  if ((value | 0) !== value) return false;
  putInt32(sink, name, value);
  return true;
}

export function putInt64Text(sink: Sink, name: Uint8Array, text: string): boolean {
  const value = plainWhole(text);
  if (Number.isNaN(value)) return false;
  putInt64(sink, name, value);
  return true;
}

/** Digits with or without a point between them. */
export function putDecimalText(sink: Sink, name: Uint8Array, text: string): boolean {
  const negative = text.charCodeAt(0) === 45;
  const from = negative ? 1 : 0;
  let digits = wholeFrom(text, from);
  const point = wholeEnd;
  let scale = 0;
  if (point < text.length) {
    if (point === from || text.charCodeAt(point) !== 46) return false;
    const fraction = wholeFrom(text, point + 1);
    scale = text.length - point - 1;
    if (wholeEnd !== text.length || scale === 0) return false;
    digits = digits * 10 ** scale + fraction;
  }
  if (point === from || point - from + scale > EXACT_DIGITS) return false;
  putDecimal(sink, name, { negative, digits, scale });
  return true;
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
/** `2026-01-01 00:00:00` */
const SECONDS_END = 19;
const DAY_MS = 86_400_000;

/** An instant in UTC with whole milliseconds, of the years 1 to 9999: `2026-01-01 00:00:00.001+00`. */
export function putInstantText(sink: Sink, name: Uint8Array, text: string): boolean {
  const ms = plainInstant(text);
  if (Number.isNaN(ms)) return false;
  putDate(sink, name, ms);
  return true;
}

/** ms since 1970. `NaN`: it is another text. */
function plainInstant(text: string): number {
  const zone = zoneAt(text);
  if (zone < SECONDS_END || text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return Number.NaN;
  const between = text.charCodeAt(10);
  if ((between !== 32 && between !== 84) || text.charCodeAt(13) !== 58 || text.charCodeAt(16) !== 58) return Number.NaN;
  const year = two(text, 0) * 100 + two(text, 2);
  const month = two(text, 5);
  const day = two(text, 8);
  const hour = two(text, 11);
  const minute = two(text, 14);
  const second = two(text, 17);
  if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month))) return Number.NaN;
  if (!(hour <= 23 && minute <= 59 && second <= 59)) return Number.NaN;
  return daysSince1970(year, month, day) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + fractionMs(text, zone);
}

/** Where `+00` or `Z` stands at the end; -1: it does not. */
function zoneAt(text: string): number {
  const end = text.length;
  if (text.charCodeAt(end - 1) === 90) return end - 1;
  return text.charCodeAt(end - 1) === 48 && text.charCodeAt(end - 2) === 48 && text.charCodeAt(end - 3) === 43 ? end - 3 : -1;
}

function two(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

/** `NaN`: it is no fraction, or one with less than a millisecond in it. */
function fractionMs(text: string, zone: number): number {
  if (zone === SECONDS_END) return 0;
  const fraction = wholeFrom(text, SECONDS_END + 1);
  const digits = zone - SECONDS_END - 1;
  if (text.charCodeAt(SECONDS_END) !== 46 || wholeEnd !== zone || digits < 1 || digits > 6) return Number.NaN;
  const micros = fraction * 10 ** (6 - digits);
  return micros % 1000 === 0 ? micros / 1000 : Number.NaN;
}

function daysOf(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeap ? 29 : (MONTH_DAYS[month - 1] as number);
}

/** Of the proleptic Gregorian calendar. Howard Hinnant, "chrono-compatible low-level date algorithms". */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
}
