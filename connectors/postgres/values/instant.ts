import { INSTANT_INFINITY, civilFromDays, daysFromCivil } from '../../../src/sdk.ts';

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
  const days = daysFromCivil(bc ? 1 - Number(year) : Number(year), Number(month), Number(day));
  const seconds =
    days * 86_400 + secondsOf(hour, minute, second) - (sign === '-' ? -1 : 1) * secondsOf(offsetHour, offsetMinute, offsetSecond);
  return BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
}

function secondsOf(hour = '0', minute = '0', second = '0'): number {
  return Number(hour) * 3600 + Number(minute) * 60 + Number(second);
}

/** What Postgres reads back as the same instant: `2026-11-24 10:00:00.123456+00`, with ` BC` before year 1. */
export function formatInstant(instant: bigint): string {
  if (instant === INSTANT_INFINITY) return 'infinity';
  if (instant === -INSTANT_INFINITY) return '-infinity';
  const micros = ((instant % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = Number((instant - micros) / 1_000_000n);
  const days = Math.floor(seconds / 86_400);
  const second = seconds - days * 86_400;
  const { year, month, day } = civilFromDays(days);
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = `${two(Math.floor(second / 3600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}.${String(micros).padStart(6, '0')}`;
  return `${String(year > 0 ? year : 1 - year).padStart(4, '0')}-${two(month)}-${two(day)} ${clock}+00${year > 0 ? '' : ' BC'}`;
}
