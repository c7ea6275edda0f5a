import { INSTANT_INFINITY } from '../../src/sdk.ts';

const INSTANT = /^(\d{4,})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?( BC)?$/;

/**
 * Microseconds since 1970 of a timestamptz as Postgres writes it under DateStyle ISO; ±INSTANT_INFINITY for ±infinity. Without an offset: UTC.
 * @throws {RangeError} for any other text; the message does not repeat it
 */
export function parseInstant(text: string): bigint {
  if (text === 'infinity') return INSTANT_INFINITY;
  if (text === '-infinity') return -INSTANT_INFINITY;
  const parts = INSTANT.exec(text);
  if (parts === null) throw new RangeError('the text is not a timestamp with time zone of DateStyle ISO');
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHour, offsetMinute, offsetSecond, bc] = parts;
  const days = daysSince1970(bc ? 1 - Number(year) : Number(year), Number(month), Number(day));
  const seconds =
    days * 86_400 + secondsOf(hour, minute, second) - (sign === '-' ? -1 : 1) * secondsOf(offsetHour, offsetMinute, offsetSecond);
  return BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
}

function secondsOf(hour = '0', minute = '0', second = '0'): number {
  return Number(hour) * 3600 + Number(minute) * 60 + Number(second);
}

/** Days of the proleptic Gregorian calendar; year 0 is 1 BC. Howard Hinnant, "chrono-compatible low-level date algorithms". */
export function daysSince1970(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
}

/** What Postgres reads back as the same instant: `2026-11-24 10:00:00.123456+00`, with ` BC` before year 1. */
export function formatInstant(instant: bigint): string {
  if (instant === INSTANT_INFINITY) return 'infinity';
  if (instant === -INSTANT_INFINITY) return '-infinity';
  const micros = ((instant % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = Number((instant - micros) / 1_000_000n);
  const days = Math.floor(seconds / 86_400);
  const second = seconds - days * 86_400;
  const { year, month, day } = civilDate(days);
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = `${two(Math.floor(second / 3600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}.${String(micros).padStart(6, '0')}`;
  return `${String(year > 0 ? year : 1 - year).padStart(4, '0')}-${two(month)}-${two(day)} ${clock}+00${year > 0 ? '' : ' BC'}`;
}

/** The inverse of `daysSince1970`, from the same source. */
function civilDate(days: number): { readonly year: number; readonly month: number; readonly day: number } {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shifted + (shifted < 10 ? 3 : -9);
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day: dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1 };
}
