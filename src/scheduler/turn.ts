import type { JobContext } from '../pipeline/job-context.ts';
import { nextFireTime } from './fire-time.ts';

/*
 * The decisions of the scheduler, pure: what a job does when it wakes, when a turn meets a run that still goes on, how long a continuous
 * job waits before it starts again.
 */

export type Schedule = NonNullable<JobContext['job']['schedule']>;
export type CronSchedule = Extract<Schedule, { readonly kind: 'cron' }>;

/** A turn that is later than this was missed: the machine slept or the process was down. A busy event loop stays below. */
export const MISSED_AFTER_MS = 60_000;

export interface Wake {
  readonly schedule: CronSchedule;
  /** The turn that was waited for. */
  readonly dueMs: number;
  readonly nowMs: number;
}

export interface WakeDecision {
  /** The turn to take now, or `null`: it is not time yet, or it was missed and `misfire` says to leave it out. */
  readonly takeMs: number | null;
  /** At least one turn went by without a run of its own. */
  readonly missed: boolean;
  /** The turn to wait for. */
  readonly nextMs: number;
}

/** However many turns went by, at most one is taken: a run reads everything that changed since the last. */
export function decideWake({ schedule, dueMs, nowMs }: Wake): WakeDecision {
  if (dueMs > nowMs) return { takeMs: null, missed: false, nextMs: dueMs };
  const next = (afterMs: number): number => nextFireTime(schedule.cron, schedule.timezone, new Date(afterMs)).getTime();
  const nextMs = next(nowMs);
  const recentMs = next(Math.max(dueMs - 1000, nowMs - MISSED_AFTER_MS));
  if (recentMs <= nowMs) return { takeMs: recentMs, missed: recentMs > dueMs, nextMs };
  return { takeMs: schedule.misfire === 'once' ? dueMs : null, missed: true, nextMs };
}

/** The first turn to wait for after a start: with a last run, the one after it, which may lie in the past. */
export function firstDue(schedule: CronSchedule, lastRun: Date | null, nowMs: number): number {
  const after = lastRun === null || lastRun.getTime() > nowMs ? new Date(nowMs) : lastRun;
  return nextFireTime(schedule.cron, schedule.timezone, after).getTime();
}

/** What a job is doing: `waiting-turn` means that one more run follows the one that goes on. */
export type Activity = 'idle' | 'running' | 'waiting-turn';

/** A turn comes. `start`: begin a run. `skip`: this turn has none. */
export function onTurn(
  activity: Activity,
  overlap: CronSchedule['overlap'],
): { readonly activity: Activity; readonly action: 'start' | 'queue' | 'skip' } {
  if (activity === 'idle') return { activity: 'running', action: 'start' };
  if (activity === 'running' && overlap === 'queue') return { activity: 'waiting-turn', action: 'queue' };
  return { activity, action: 'skip' };
}

/** A run ends. */
export function onEnd(activity: Activity): { readonly activity: Activity; readonly action: 'start' | 'none' } {
  return activity === 'waiting-turn' ? { activity: 'running', action: 'start' } : { activity: 'idle', action: 'none' };
}

const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 5 * 60_000;
/** A run that lasted this long was healthy: its end counts as a first failure. */
export const HEALTHY_MS = 10 * 60_000;

/**
 * How long a continuous job waits before it starts again: 1 s, 2 s, 4 s … 5 min, less up to a half at random, so that jobs that failed
 * together do not come back together.
 *
 * @param failures ends in a row, from 1
 * @param random in [0, 1)
 */
export function restartDelayMs(failures: number, random: number): number {
  const full = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures - 1, 20));
  return Math.round(full * (1 - random / 2));
}
