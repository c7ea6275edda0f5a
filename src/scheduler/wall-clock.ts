/*
 * Wall clocks of time zones. A wall time is a number like milliseconds since 1970, but of what the clock on the wall shows: 02:30 of a day
 * is the same wall time in every zone. `instant + offset = wall time`.
 */

const SECOND = 1000;
const WEEK = 7 * 24 * 3600 * SECOND;

export interface WallClock {
  /** What the wall clock is ahead of UTC at an instant, in milliseconds. */
  offsetAt(instantMs: number): number;
  /** The first instant in `(fromMs, toMs]` at which the offset is another than just before, or `null`. To the second. */
  firstChange(fromMs: number, toMs: number): number | null;
}

const clocks = new Map<string, WallClock>();

/** @param timezone an IANA name; anything else throws the RangeError of Intl */
export function wallClock(timezone: string): WallClock {
  const known = clocks.get(timezone) ?? createWallClock(timezone);
  clocks.set(timezone, known);
  return known;
}

function createWallClock(timezone: string): WallClock {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const offsetAt = (instantMs: number): number => {
    const whole = Math.floor(instantMs / SECOND) * SECOND;
    const parts: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(whole)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute, second) - whole;
  };
  return { offsetAt, firstChange: (fromMs, toMs) => firstChange(offsetAt, fromMs, toMs) };
}

/** In steps of a week: no zone has gone forth and back within one. */
function firstChange(offsetAt: (instantMs: number) => number, fromMs: number, toMs: number): number | null {
  let before = offsetAt(fromMs);
  for (let from = fromMs; from < toMs; from += WEEK) {
    const to = Math.min(from + WEEK, toMs);
    if (offsetAt(to) === before) continue;
    let [low, high] = [from, to];
    while (high - low > SECOND) {
      const middle = low + Math.floor((high - low) / 2 / SECOND) * SECOND;
      if (offsetAt(middle) === before) low = middle;
      else high = middle;
    }
    before = offsetAt(high);
    return Math.floor(high / SECOND) * SECOND;
  }
  return null;
}
