import { MICROS_PER_SECOND } from './civil-time.ts';

/** A time zone of the IANA database, or a fixed offset (`+02:00`). Rules are those of the runtime's own database. */
export interface Zone {
  readonly name: string;
  /** What civil clocks showed at an instant. `null`: beyond the years that the runtime knows (±271,821). */
  toCivil(instantMicros: bigint): bigint | null;
  /**
   * The instant at which clocks showed a civil time, by the rule of Postgres' `AT TIME ZONE`: a time that clocks skipped is read with the
   * offset before the change (so it comes out later by the length of the gap); a time that they showed twice is the second one.
   */
  toInstant(civilMicros: bigint): { readonly micros: bigint; readonly reading: 'plain' | 'gap' | 'overlap' } | null;
}

const SECOND = BigInt(MICROS_PER_SECOND);
/** Beyond it `Date` holds no time. One day less, so that a look at the day around never fails. */
const MAX_SECONDS = 8_640_000_000_000 - 200_000;
/** An offset is remembered for a stretch of this length when both its ends have it. */
const STRETCH_SECONDS = 3 * 3600;
const MAX_REMEMBERED = 20_000;
const DAY_SECONDS = 86_400;

/** `null`: there is no zone of this name. */
export function openZone(name: string): Zone | null {
  const offsetAt = offsetReader(name);
  if (offsetAt === null) return null;
  return {
    name,
    toCivil: (micros) => {
      const seconds = floorSeconds(micros);
      return Math.abs(seconds) > MAX_SECONDS ? null : shifted(micros, offsetAt(seconds));
    },
    toInstant: (civil) => {
      const seconds = floorSeconds(civil);
      if (Math.abs(seconds) > MAX_SECONDS) return null;
      const { offset, reading } = civilOffset(seconds, offsetAt);
      return { micros: shifted(civil, -offset), reading };
    },
  };
}

function civilOffset(
  seconds: number,
  offsetAt: (seconds: number) => number,
): { readonly offset: number; readonly reading: 'plain' | 'gap' | 'overlap' } {
  const before = offsetAt(seconds - DAY_SECONDS);
  const after = offsetAt(seconds + DAY_SECONDS);
  if (before === after) return { offset: before, reading: 'plain' };
  const beforeHolds = offsetAt(seconds - before) === before;
  const afterHolds = offsetAt(seconds - after) === after;
  if (beforeHolds && afterHolds) return { offset: after, reading: 'overlap' };
  if (afterHolds) return { offset: after, reading: 'plain' };
  return { offset: before, reading: beforeHolds ? 'plain' : 'gap' };
}

/** Offsets east of UTC in seconds, by seconds since 1970. */
function offsetReader(name: string): ((seconds: number) => number) | null {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' });
  } catch {
    return null;
  }
  const exact = (seconds: number) => offsetOf(format.formatToParts(seconds * 1000));
  const remembered = new Map<number, number | null>();
  return (seconds) => {
    const stretch = Math.floor(seconds / STRETCH_SECONDS);
    let offset = remembered.get(stretch);
    if (offset === undefined) {
      if (remembered.size >= MAX_REMEMBERED) remembered.clear();
      const start = exact(stretch * STRETCH_SECONDS);
      offset = start === exact((stretch + 1) * STRETCH_SECONDS) ? start : null;
      remembered.set(stretch, offset);
    }
    return offset ?? exact(seconds);
  };
}

function offsetOf(parts: readonly Intl.DateTimeFormatPart[]): number {
  const text = parts.find((part) => part.type === 'timeZoneName')?.value ?? '';
  const match = /^GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?$/.exec(text);
  if (match === null) throw new Error(`the runtime names an offset in an unknown way: ${text}`);
  const [, sign, hours = 0, minutes = 0, seconds = 0] = match;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds));
}

function floorSeconds(micros: bigint): number {
  const number = Number(micros);
  if (Number.isSafeInteger(number)) return Math.floor(number / MICROS_PER_SECOND);
  const seconds = micros / SECOND;
  return Number(micros % SECOND < 0n ? seconds - 1n : seconds);
}

function shifted(micros: bigint, seconds: number): bigint {
  return seconds === 0 ? micros : micros + BigInt(seconds * MICROS_PER_SECOND);
}
