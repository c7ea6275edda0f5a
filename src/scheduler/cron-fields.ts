import { createTask, parse } from 'node-cron';

/*
 * What cron fields say, asked from node-cron: its parser and its matching of a moment, both of them pure. Wall times as in wall-clock.ts.
 */

export interface CronFields {
  /** The hours are restricted: a turn is meant for a time of the day, not for every hour that passes. */
  readonly fixedHours: boolean;
  /** The first wall time that matches and is not before `wallMs`, or `null` when there is none within 100 years. */
  firstMatch(wallMs: number): number | null;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const HORIZON = 100 * 366 * DAY;

const known = new Map<string, CronFields>();

/** @throws {Error} of node-cron for fields that are no cron; the config has checked them before */
export function cronFields(cron: string): CronFields {
  const fields = known.get(cron) ?? parseFields(cron);
  known.set(cron, fields);
  return fields;
}

function parseFields(cron: string): CronFields {
  const { second, minute, hour } = parse(cron);
  // Coarse to fine: whole days, hours and minutes in which nothing can match are stepped over.
  const steps: readonly Step[] = [
    { size: DAY, matches: dayMatcher(cron) },
    { size: HOUR, matches: (wall) => hour.includes(Math.floor(wall / HOUR) % 24) },
    { size: MINUTE, matches: (wall) => minute.includes(Math.floor(wall / MINUTE) % 60) },
    { size: SECOND, matches: (wall) => second.includes(Math.floor(wall / SECOND) % 60) },
  ];
  return { fixedHours: hour.length < 24, firstMatch: (wallMs) => firstMatch(steps, wallMs) };
}

interface Step {
  readonly size: number;
  readonly matches: (wallMs: number) => boolean;
}

function firstMatch(steps: readonly Step[], fromMs: number): number | null {
  let wall = Math.ceil(fromMs / SECOND) * SECOND;
  const end = wall + HORIZON;
  while (wall <= end) {
    const miss = steps.find((step) => !step.matches(wall));
    if (miss === undefined) return wall;
    wall = (Math.floor(wall / miss.size) + 1) * miss.size;
  }
  return null;
}

/**
 * Whether a day matches, with all that node-cron knows of days: last ones, nearest weekdays, the second Tuesday. In UTC wall time and instant
 * are the same number, so UTC asks about the wall clock of any zone.
 */
function dayMatcher(cron: string): (wallMs: number) => boolean {
  const days = cron.trim().split(/\s+/).slice(-3).join(' ');
  const task = createTask(`0 0 0 ${days}`, () => {}, { timezone: 'UTC' });
  // A task registers itself for good; only its matching is wanted.
  void task.destroy();
  let [lastDay, lastAnswer] = [Number.NaN, false];
  return (wallMs) => {
    const day = Math.floor(wallMs / DAY) * DAY;
    if (day !== lastDay) [lastDay, lastAnswer] = [day, task.match(new Date(day))];
    return lastAnswer;
  };
}
