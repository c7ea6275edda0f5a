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
  const seconds = days * 86_400 + secondsOf(hour, minute, second) - (sign === '-' ? -1 : 1) * secondsOf(offsetHour, offsetMinute, offsetSecond);
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
