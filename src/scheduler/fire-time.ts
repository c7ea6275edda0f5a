import { TrueupError } from '../errors.ts';
import { cronFields } from './cron-fields.ts';
import type { CronFields } from './cron-fields.ts';
import { wallClock } from './wall-clock.ts';
import type { WallClock } from './wall-clock.ts';

/*
 * When a job is next due. node-cron 4.6 parses and matches the fields; the walk over the clock is our own, for three findings in its source
 * and in experiments:
 *
 * - its walk goes by local time, so when clocks go back, a job of every 20 minutes gets no turn for an hour and twenty minutes: the hour
 *   that comes twice is left out whole;
 * - when clocks go forward, a job of 02:30 has no turn that day;
 * - its timer drops a turn that comes more than a second late (a busy event loop, a suspended machine) and only tells of it.
 *
 * The rules here are those of cron itself. Fixed hours: once a day, in the first of two equal hours, and right after the gap when their time
 * is left out. Any hour: by the time that passes, so in both of two equal hours.
 */

/** No zone has turned its clocks back by more than this. */
const LONGEST_OVERLAP = 4 * 3600 * 1000;

/**
 * The first turn strictly after an instant.
 *
 * @param cron five or six fields, checked
 * @param timezone IANA name, checked
 * @throws {TrueupError} `E_CONFIG_INVALID` when the fields match no day within 100 years
 */
export function nextFireTime(cron: string, timezone: string, after: Date): Date {
  const fields = cronFields(cron);
  const clock = wallClock(timezone);
  const afterMs = Math.floor(after.getTime() / 1000) * 1000;
  let [instant, offset] = [afterMs, clock.offsetAt(afterMs)];
  let wall = Math.max(afterMs + 1000 + offset, fields.fixedHours ? endOfOverlap(clock, afterMs) : 0);
  for (;;) {
    const match = matchFrom(fields, wall, cron);
    const change = clock.firstChange(instant, match - offset);
    if (change === null) return new Date(match - offset);
    const changed = clock.offsetAt(change);
    const gapEnds = change + changed;
    if (fields.fixedHours && changed > offset && match < gapEnds) return new Date(change);
    wall = fields.fixedHours ? change + Math.max(offset, changed) : gapEnds;
    [instant, offset] = [change, changed];
  }
}

/** Within an hour that comes for the second time: the wall time at which new time begins. Else 0. */
function endOfOverlap(clock: WallClock, instantMs: number): number {
  const change = clock.firstChange(instantMs - LONGEST_OVERLAP, instantMs);
  return change === null ? 0 : change + clock.offsetAt(change - 1000);
}

function matchFrom(fields: CronFields, wallMs: number, cron: string): number {
  const match = fields.firstMatch(wallMs);
  if (match === null) throw new TrueupError('E_CONFIG_INVALID', `the schedule '${cron}' matches no day of the next 100 years`);
  return match;
}
