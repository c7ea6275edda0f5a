import { describe, expect, it } from 'vitest';
import { decideWake, firstDue, onEnd, onTurn, restartDelayMs } from '../../src/scheduler/turn.ts';
import type { CronSchedule } from '../../src/scheduler/turn.ts';

const FIVE: CronSchedule = { kind: 'cron', cron: '*/5 * * * *', timezone: 'UTC', overlap: 'skip', misfire: 'once', jitterMs: 0 };
const at = (time: string): number => Date.parse(`2026-11-24T${time}Z`);
const text = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString().slice(11, 19));

function wake(due: string, now: string, misfire: 'once' | 'skip' = 'once') {
  const { takeMs, missed, nextMs } = decideWake({ schedule: { ...FIVE, misfire }, dueMs: at(due), nowMs: at(now) });
  return { take: text(takeMs), missed, next: text(nextMs) };
}

describe('a job that wakes', () => {
  it('waits on when it is not time yet', () => {
    expect(wake('10:05:00', '10:04:59')).toEqual({ take: null, missed: false, next: '10:05:00' });
  });

  it('takes its turn, also a few seconds late', () => {
    expect(wake('10:05:00', '10:05:00')).toEqual({ take: '10:05:00', missed: false, next: '10:10:00' });
    expect(wake('10:05:00', '10:05:40', 'skip')).toEqual({ take: '10:05:00', missed: false, next: '10:10:00' });
  });

  it('makes up for any number of missed turns with one run', () => {
    expect(wake('10:05:00', '13:37:00')).toEqual({ take: '10:05:00', missed: true, next: '13:40:00' });
  });

  it('leaves missed turns out when it is told to, but takes the one that is due', () => {
    expect(wake('10:05:00', '13:37:00', 'skip')).toEqual({ take: null, missed: true, next: '13:40:00' });
    expect(wake('10:05:00', '13:35:10', 'skip')).toEqual({ take: '13:35:00', missed: true, next: '13:40:00' });
  });

  it('of every second, asleep for ten years, decides at once', () => {
    const schedule: CronSchedule = { ...FIVE, cron: '* * * * * *' };
    const started = performance.now();
    expect(decideWake({ schedule, dueMs: Date.UTC(2016, 0), nowMs: Date.UTC(2026, 0) }).missed).toBe(true);
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describe('the first turn after a start', () => {
  it('is the next one when the job never ran', () => {
    expect(text(firstDue(FIVE, null, at('10:02:00')))).toBe('10:05:00');
  });

  it('is the one after the last run, which may be missed', () => {
    expect(text(firstDue(FIVE, new Date(at('08:00:03')), at('10:02:00')))).toBe('08:05:00');
    expect(text(firstDue(FIVE, new Date(at('10:01:00')), at('10:02:00')))).toBe('10:05:00');
  });

  it('is the next one when the last run lies in the future, where the clock was once', () => {
    expect(text(firstDue(FIVE, new Date(at('23:00:00')), at('10:02:00')))).toBe('10:05:00');
  });
});

describe('a turn that meets a run', () => {
  it('is skipped, or queued once', () => {
    expect(onTurn('idle', 'skip')).toEqual({ activity: 'running', action: 'start' });
    expect(onTurn('running', 'skip')).toEqual({ activity: 'running', action: 'skip' });
    expect(onTurn('running', 'queue')).toEqual({ activity: 'waiting-turn', action: 'queue' });
    expect(onTurn('waiting-turn', 'queue')).toEqual({ activity: 'waiting-turn', action: 'skip' });
    expect(onEnd('waiting-turn')).toEqual({ activity: 'running', action: 'start' });
    expect(onEnd('running')).toEqual({ activity: 'idle', action: 'none' });
  });
});

describe('the pause of a continuous job', () => {
  it('doubles from a second to five minutes, less up to a half', () => {
    expect([1, 2, 3, 9, 10, 1000].map((failures) => restartDelayMs(failures, 0))).toEqual([1000, 2000, 4000, 256_000, 300_000, 300_000]);
    expect(restartDelayMs(3, 0.999)).toBeGreaterThanOrEqual(2000);
    expect(restartDelayMs(3, 0.999)).toBeLessThan(2100);
  });
});
