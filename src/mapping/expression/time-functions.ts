import { civilFromDays, dateText, daysFromCivil, splitMicros, timestampText } from '../../model/civil-time.ts';
import { parseDecimal, shiftDecimal, wholePart } from '../../model/decimal.ts';
import { openZone } from '../../model/zone.ts';
import type { Zone } from '../../model/zone.ts';
import { checkedInt } from './arithmetic.ts';
import { expressionFault } from './fault.ts';
import { define } from './overload.ts';
import type { FunctionOverload } from './overload.ts';
import { civilValue } from './load.ts';
import { isFiniteInstant } from './value.ts';
import type { Civil, Duration, Instant } from './value.ts';

const zones = new Map<string, Zone | null>();

function zoneNamed(name: string): Zone {
  let zone = zones.get(name);
  if (zone === undefined) {
    zone = openZone(name);
    if (zones.size < 100) zones.set(name, zone);
  }
  if (zone === null) throw expressionFault('there is no time zone of the name that an expression uses');
  return zone;
}

/** What clocks of a zone showed, in microseconds. */
function civilMicros(value: Instant, zone: string): bigint {
  if (!isFiniteInstant(value)) throw expressionFault('infinity has no parts');
  const civil = zoneNamed(zone).toCivil(value.instant);
  if (civil === null) throw expressionFault('the year is beyond those that time zones are known for');
  return civil;
}

function finiteCivil(value: Civil): bigint {
  if (value.text.endsWith('infinity')) throw expressionFault('infinity has no parts');
  return value.civil === 'date' ? value.order * 86_400_000_000n : value.order;
}

/** Days since 1970 and microseconds of the day → a part of it. CEL counts months, days of the month and of the year from 0. */
const PARTS: Readonly<Record<string, (days: number, micros: number) => number>> = {
  getFullYear: (days) => civilFromDays(days).year,
  getMonth: (days) => civilFromDays(days).month - 1,
  getDate: (days) => civilFromDays(days).day,
  getDayOfMonth: (days) => civilFromDays(days).day - 1,
  getDayOfWeek: (days) => (((days + 4) % 7) + 7) % 7,
  getDayOfYear: (days) => days - daysFromCivil(civilFromDays(days).year, 1, 1),
  getHours: (_days, micros) => Math.floor(micros / 3_600_000_000),
  getMinutes: (_days, micros) => Math.floor(micros / 60_000_000) % 60,
  getSeconds: (_days, micros) => Math.floor(micros / 1_000_000) % 60,
  getMilliseconds: (_days, micros) => Math.floor(micros / 1000) % 1000,
};

function partOf(micros: bigint, part: (days: number, micros: number) => number): bigint {
  const { days, timeMicros } = splitMicros(micros);
  return BigInt(part(days, timeMicros));
}

const DATE_PARTS = /^get(?:FullYear|Month|Date|DayOf)/;

const parts: readonly FunctionOverload[] = Object.entries(PARTS).flatMap(([name, part]) => [
  define('method', name, ['timestamp'], 'int', (value: Instant) => partOf(civilMicros(value, 'UTC'), part)),
  define('method', name, ['timestamp', 'string'], 'int', (value: Instant, zone: string) => partOf(civilMicros(value, zone), part)),
  define('method', name, ['datetime'], 'int', (value: Civil) => partOf(finiteCivil(value), part)),
  ...(DATE_PARTS.test(name)
    ? [define('method', name, ['date'], 'int', (value: Civil) => partOf(finiteCivil(value), part))]
    : [define('method', name, ['time'], 'int', (value: Civil) => partOf(finiteCivil(value), part))]),
]);

const durationParts: readonly FunctionOverload[] = Object.entries({
  getHours: 3_600_000_000n,
  getMinutes: 60_000_000n,
  getSeconds: 1_000_000n,
  getMilliseconds: 1000n,
}).map(([name, unit]) => define('method', name, ['duration'], 'int', (value: Duration) => value.duration / unit));

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000_000, m: 60_000_000, s: 1_000_000, ms: 1000, us: 1, µs: 1 };

/** `1h30m`, `-1.5s`, `250ms`: exact to the microsecond. */
function parseDuration(text: string): Duration {
  const match = /^([+-]?)((?:\d+(?:\.\d+)?(?:h|ms|m|s|us|µs))+)$/.exec(text);
  if (match === null) throw expressionFault("the text is no duration such as '1h30m'");
  let total = 0n;
  for (const [, amount = '', unit = ''] of (match[2] as string).matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs)/g)) {
    const decimal = parseDecimal(amount);
    if (decimal === null) throw expressionFault("the text is no duration such as '1h30m'");
    const { whole, cut } = wholePart({ digits: decimal.digits * BigInt(UNITS[unit] as number), scale: decimal.scale });
    if (cut) throw expressionFault('a duration has at most microseconds');
    total += whole;
  }
  return { duration: checkedInt(match[1] === '-' ? -total : total) };
}

/** `timestamp(civil, zone)`: by the rule of Postgres' AT TIME ZONE. */
function toInstant(value: Civil, zone: string): Instant {
  const instant = zoneNamed(zone).toInstant(finiteCivil(value));
  if (instant === null) throw expressionFault('the year is beyond those that time zones are known for');
  return { instant: instant.micros };
}

function civilIn(civil: 'date' | 'datetime', value: Instant, zone: string): Civil {
  const micros = civilMicros(value, zone);
  return civilValue(civil, civil === 'date' ? dateText(splitMicros(micros).days) : timestampText(micros)) as Civil;
}

function epoch(value: Instant): bigint {
  if (!isFiniteInstant(value)) throw expressionFault('infinity is no number of seconds');
  return wholePart(shiftDecimal({ digits: value.instant, scale: 0 }, -6)).whole;
}

function epochInstant(seconds: bigint): Instant {
  const instant = checkedInt(seconds * 1_000_000n);
  return { instant };
}

export const timeFunctions: readonly FunctionOverload[] = [
  ...parts,
  ...durationParts,
  define('function', 'duration', ['string'], 'duration', parseDuration),
  define('function', 'duration', ['duration'], 'duration', (value: Duration) => value),
  define('function', 'timestamp', ['int'], 'timestamp', epochInstant),
  define('function', 'int', ['timestamp'], 'int', epoch),
  define('function', 'timestamp', ['datetime', 'string'], 'timestamp', toInstant),
  define('function', 'timestamp', ['date', 'string'], 'timestamp', toInstant),
  define('function', 'datetime', ['timestamp', 'string'], 'datetime', (value: Instant, zone: string) => civilIn('datetime', value, zone)),
  define('function', 'date', ['timestamp', 'string'], 'date', (value: Instant, zone: string) => civilIn('date', value, zone)),
  define(
    'function',
    'date',
    ['datetime'],
    'date',
    (value: Civil) => civilValue('date', dateText(splitMicros(finiteCivil(value)).days)) as Civil,
  ),
];
