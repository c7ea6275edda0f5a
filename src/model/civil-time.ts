/*
 * Dates and times as numbers and as text, in the proleptic Gregorian calendar without leap seconds, exact to the microsecond.
 * Years are astronomical (0 is 1 BC); texts write years before 1 as Postgres does, with ` BC` at the end.
 */

export const MICROS_PER_SECOND = 1_000_000;
export const MICROS_PER_DAY = 86_400_000_000;
const DAY = BigInt(MICROS_PER_DAY);

/** What a text said; `cut`: it held more than microseconds, and what was beyond is gone from `value`. */
export interface ParsedTime<T> {
  readonly value: T;
  readonly cut: boolean;
}

/** Days since 1970-01-01. (Howard Hinnant's days_from_civil.) */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
}

export function civilFromDays(days: number): { readonly year: number; readonly month: number; readonly day: number } {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day: dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1 };
}

const DATE = /^(\d{4,7}|[+-]\d{6,7})-(\d{2})-(\d{2})( BC)?$/;
const TIME = /^(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,18}))?)?$/;
const STAMP =
  /^(\d{4,7}|[+-]\d{6,7})-(\d{2})-(\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,18})?)?)\s?(Z|z|[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?)?)?( BC)?$/;

/** Days since 1970-01-01, or `null` when the text is no date of the calendar. */
export function parseDate(text: string): number | null {
  const match = DATE.exec(text);
  return match === null ? null : daysOf(match[1] as string, match[2] as string, match[3] as string, match[4] !== undefined);
}

function daysOf(yearText: string, monthText: string, dayText: string, bc: boolean): number | null {
  const signed = yearText.startsWith('+') || yearText.startsWith('-');
  const number = Number(yearText);
  if (bc && (signed || number < 1)) return null;
  if (!bc && !signed && number === 0) return null;
  const year = bc ? 1 - number : number;
  const month = Number(monthText);
  const day = Number(dayText);
  if (month < 1 || month > 12 || day < 1 || day > 31) return null;
  return day <= daysInMonth(year, month) ? daysFromCivil(year, month, day) : null;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Microseconds since midnight, 24:00:00 included. */
export function parseTimeOfDay(text: string): ParsedTime<number> | null {
  const match = TIME.exec(text);
  if (match === null) return null;
  const hour = Number(match[1]);
  const minute = Number(match[2]);
  const second = Number(match[3] ?? 0);
  const fraction = match[4] ?? '';
  const micros = Number(fraction.slice(0, 6).padEnd(6, '0'));
  if (hour > 24 || minute > 59 || second > 59 || (hour === 24 && (minute > 0 || second > 0 || Number(fraction) > 0))) return null;
  return { value: ((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND + micros, cut: /[1-9]/.test(fraction.slice(6)) };
}

/** A civil timestamp as microseconds since 1970-01-01 00:00 of its own calendar. A date alone is its midnight; an offset is not allowed. */
export function parseTimestamp(text: string): ParsedTime<bigint> | null {
  const stamp = parseStamp(text);
  return stamp === null || stamp.offsetSeconds !== null ? null : stamp;
}

/** An instant as microseconds since 1970-01-01 UTC. The text must name its offset (`Z`, `+02`, `+0200`, `+02:00`, `+02:00:30`). */
export function parseInstant(text: string): ParsedTime<bigint> | null {
  const stamp = parseStamp(text);
  if (stamp === null || stamp.offsetSeconds === null) return null;
  return { value: stamp.value - BigInt(stamp.offsetSeconds * MICROS_PER_SECOND), cut: stamp.cut };
}

interface Stamp extends ParsedTime<bigint> {
  readonly offsetSeconds: number | null;
}

function parseStamp(text: string): Stamp | null {
  return parseCommonStamp(text) ?? parseAnyStamp(text);
}

const DIGIT_ZERO = 48;

/** The number that two digits are; NaN when they are none. */
function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - DIGIT_ZERO;
  const ones = text.charCodeAt(at + 1) - DIGIT_ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

const COMMON_LENGTH = '2026-11-24 10:00:00'.length;

/** `2026-11-24 10:00:00.123456` and shorter, without an offset, of years whose microseconds are safe numbers: what nearly every value is. Else `null`. */
function parseCommonStamp(text: string): Stamp | null {
  const { length } = text;
  if (length < COMMON_LENGTH || length > COMMON_LENGTH + 7 || length === COMMON_LENGTH + 1) return null;
  const separator = text.charCodeAt(10);
  if (
    text.charCodeAt(4) !== 45 ||
    text.charCodeAt(7) !== 45 ||
    (separator !== 32 && separator !== 84) ||
    text.charCodeAt(13) !== 58 ||
    text.charCodeAt(16) !== 58
  )
    return null;
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  const second = twoDigits(text, 17);
  if (
    !(
      year >= 1700 &&
      year <= 2200 &&
      month >= 1 &&
      month <= 12 &&
      day >= 1 &&
      day <= daysInMonth(year, month) &&
      hour <= 23 &&
      minute <= 59 &&
      second <= 59
    )
  )
    return null;
  const fraction = length === COMMON_LENGTH ? 0 : fractionMicros(text);
  if (Number.isNaN(fraction)) return null;
  const seconds = daysFromCivil(year, month, day) * 86_400 + (hour * 60 + minute) * 60 + second;
  return { value: BigInt(seconds * MICROS_PER_SECOND + fraction), cut: false, offsetSeconds: null };
}

/** `.5` at the end of a common stamp is 500,000. */
function fractionMicros(text: string): number {
  if (text.charCodeAt(COMMON_LENGTH) !== 46) return Number.NaN;
  let micros = 0;
  for (let at = COMMON_LENGTH + 1; at < COMMON_LENGTH + 7; at++) {
    const digit = at < text.length ? text.charCodeAt(at) - DIGIT_ZERO : 0;
    if (digit < 0 || digit > 9) return Number.NaN;
    micros = micros * 10 + digit;
  }
  return micros;
}

function parseAnyStamp(text: string): Stamp | null {
  const match = STAMP.exec(text);
  if (match === null) return null;
  const [, year, month, day, clock = '00:00', offset, bc] = match;
  const days = daysOf(year as string, month as string, day as string, bc !== undefined);
  const time = parseTimeOfDay(clock);
  const offsetSeconds = offset === undefined ? null : parseOffset(offset);
  if (days === null || time === null || offsetSeconds === undefined) return null;
  return { value: BigInt(days) * DAY + BigInt(time.value), cut: time.cut, offsetSeconds };
}

/** `undefined`: not an offset. */
function parseOffset(text: string): number | undefined {
  if (text === 'Z' || text === 'z') return 0;
  const digits = text.slice(1).replaceAll(':', '');
  const hours = Number(digits.slice(0, 2));
  const minutes = Number(digits.slice(2, 4) || 0);
  const seconds = Number(digits.slice(4, 6) || 0);
  if (hours > 18 || minutes > 59 || seconds > 59) return undefined;
  return (text.startsWith('-') ? -1 : 1) * ((hours * 60 + minutes) * 60 + seconds);
}

const two = (number: number) => (number < 10 ? `0${number}` : `${number}`);

/** `2026-11-24`, `0044-03-15 BC`. */
export function dateText(days: number): string {
  const { text, bc } = yearMonthDay(days);
  return text + bc;
}

function yearMonthDay(days: number): { readonly text: string; readonly bc: string } {
  const { year, month, day } = civilFromDays(days);
  const shown = year > 0 ? year : 1 - year;
  return { text: `${String(shown).padStart(4, '0')}-${two(month)}-${two(day)}`, bc: year > 0 ? '' : ' BC' };
}

/** `10:00:00.5`: as many digits of the fraction as it needs, as Postgres writes it. */
export function timeOfDayText(micros: number): string {
  const seconds = Math.floor(micros / MICROS_PER_SECOND);
  const rest = micros - seconds * MICROS_PER_SECOND;
  const fraction = rest === 0 ? '' : `.${String(rest).padStart(6, '0').replace(/0+$/, '')}`;
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}${fraction}`;
}

/** The calendar day (since 1970) and the microseconds of it. */
export function splitMicros(micros: bigint): { readonly days: number; readonly timeMicros: number } {
  let days = micros / DAY;
  let rest = micros % DAY;
  if (rest < 0n) {
    days -= 1n;
    rest += DAY;
  }
  return { days: Number(days), timeMicros: Number(rest) };
}

/** Of a civil timestamp: `2026-11-24 10:00:00.123456`, as Postgres writes it. */
export function timestampText(micros: bigint): string {
  const { days, timeMicros } = splitMicros(micros);
  const { text, bc } = yearMonthDay(days);
  return `${text} ${timeOfDayText(timeMicros)}${bc}`;
}

/** Of an instant: `2026-11-24T10:00:00.123456Z`. */
export function instantText(micros: bigint): string {
  const { days, timeMicros } = splitMicros(micros);
  const { text, bc } = yearMonthDay(days);
  return `${text}T${timeOfDayText(timeMicros)}Z${bc}`;
}
