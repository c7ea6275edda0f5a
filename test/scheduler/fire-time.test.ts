import fc from 'fast-check';
import { getTasks } from 'node-cron';
import { describe, expect, it } from 'vitest';
import { nextFireTime } from '../../src/scheduler/fire-time.ts';

/** The next turns after an instant, in UTC to the second. */
function turns(cron: string, timezone: string, after: string, count: number): string[] {
  const found: string[] = [];
  for (let at = new Date(after); found.length < count;) {
    at = nextFireTime(cron, timezone, at);
    found.push(at.toISOString().replace('.000Z', 'Z'));
  }
  return found;
}

describe('the next turn of a job', () => {
  it.each<[cron: string, after: string, expected: string]>([
    ['* * * * *', '2026-11-24T10:00:00Z', '2026-11-24T10:01:00Z'],
    ['* * * * *', '2026-11-24T10:00:59.999Z', '2026-11-24T10:01:00Z'],
    ['*/5 * * * *', '2026-11-24T10:04:59Z', '2026-11-24T10:05:00Z'],
    ['*/5 * * * *', '2026-11-24T10:05:00Z', '2026-11-24T10:10:00Z'],
    ['*/10 * * * * *', '2026-11-24T10:00:05.5Z', '2026-11-24T10:00:10Z'],
    ['0 0 1 1 *', '2026-11-24T10:00:00Z', '2027-01-01T00:00:00Z'],
    ['30 8 * * 1-5', '2026-11-27T09:00:00Z', '2026-11-30T08:30:00Z'],
    ['0 12 29 2 *', '2026-11-24T10:00:00Z', '2028-02-29T12:00:00Z'],
    ['0 12 29 2 1', '2026-11-24T10:00:00Z', '2044-02-29T12:00:00Z'],
    ['0 0 L * *', '2026-11-30T10:00:00Z', '2026-12-31T00:00:00Z'],
    ['15 10,22 * * *', '2026-11-24T10:15:00Z', '2026-11-24T22:15:00Z'],
    ['59 59 23 31 12 *', '2026-11-24T10:15:00Z', '2026-12-31T23:59:59Z'],
  ])('of %s after %s is %s', (cron, after, expected) => {
    expect(turns(cron, 'UTC', after, 1)).toEqual([expected]);
  });

  it('follows the clock of its time zone', () => {
    expect(turns('0 9 * * *', 'Asia/Kolkata', '2026-11-24T00:00:00Z', 2)).toEqual(['2026-11-24T03:30:00Z', '2026-11-25T03:30:00Z']);
    expect(turns('0 9 * * *', 'America/New_York', '2026-10-31T20:00:00Z', 2)).toEqual(['2026-11-01T14:00:00Z', '2026-11-02T14:00:00Z']);
  });

  it('comes right after the gap when clocks go forward over its time, and once that day', () => {
    expect(turns('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00:00Z', 3)).toEqual([
      '2026-03-28T01:30:00Z',
      '2026-03-29T01:00:00Z',
      '2026-03-30T00:30:00Z',
    ]);
    expect(turns('0,15,30,45 2 * * *', 'Europe/Berlin', '2026-03-29T00:00:00Z', 2)).toEqual([
      '2026-03-29T01:00:00Z',
      '2026-03-30T00:00:00Z',
    ]);
    expect(turns('0 3 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', 2)).toEqual(['2026-03-29T01:00:00Z', '2026-03-30T01:00:00Z']);
  });

  it('comes once when clocks go back over its time, in the first of the two hours', () => {
    expect(turns('30 2 * * *', 'Europe/Berlin', '2026-10-24T00:00:00Z', 3)).toEqual([
      '2026-10-24T00:30:00Z',
      '2026-10-25T00:30:00Z',
      '2026-10-26T01:30:00Z',
    ]);
    // Asked within the second of them, as after a restart.
    expect(turns('30 2 * * *', 'Europe/Berlin', '2026-10-25T01:10:00Z', 1)).toEqual(['2026-10-26T01:30:00Z']);
    expect(turns('30 2,3 * * *', 'Europe/Berlin', '2026-10-25T01:10:00Z', 1)).toEqual(['2026-10-25T02:30:00Z']);
  });

  it('comes in both of two equal hours, and skips nothing over a gap, when it is meant for every hour', () => {
    expect(turns('*/30 * * * *', 'Europe/Berlin', '2026-10-25T00:10:00Z', 5)).toEqual([
      '2026-10-25T00:30:00Z',
      '2026-10-25T01:00:00Z',
      '2026-10-25T01:30:00Z',
      '2026-10-25T02:00:00Z',
      '2026-10-25T02:30:00Z',
    ]);
    expect(turns('0 * * * *', 'Europe/Berlin', '2026-03-29T00:30:00Z', 2)).toEqual(['2026-03-29T01:00:00Z', '2026-03-29T02:00:00Z']);
  });

  it('copes with clocks that move by half an hour, at midnight, or by a whole day', () => {
    expect(turns('15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T12:00:00Z', 2)).toEqual(['2026-10-03T15:30:00Z', '2026-10-04T15:15:00Z']);
    expect(turns('0 0 * * *', 'Africa/Cairo', '2026-04-23T12:00:00Z', 2)).toEqual(['2026-04-23T22:00:00Z', '2026-04-24T21:00:00Z']);
    expect(turns('0 12 30 12 *', 'Pacific/Apia', '2011-12-01T00:00:00Z', 1)).toEqual(['2011-12-30T10:00:00Z']);
  });

  it('every hour is every hour of real time, in any zone and on any day', () => {
    const zones = [
      'UTC',
      'Europe/Berlin',
      'America/New_York',
      'America/St_Johns',
      'Africa/Casablanca',
      'Asia/Kathmandu',
      'Australia/Lord_Howe',
      'Pacific/Chatham',
      'Africa/Cairo',
    ];
    const instant = fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2035, 0) });
    fc.assert(
      fc.property(fc.constantFrom(...zones), instant, (zone, after) => {
        // Half-hour and quarter-hour zones turn at :00 of their own clock; a change by half an hour shortens or stretches one turn.
        const next = nextFireTime('0 * * * *', zone, new Date(after)).getTime();
        expect(next).toBeGreaterThan(after);
        expect(next - after).toBeLessThanOrEqual(90 * 60_000);
      }),
      { seed: 3, numRuns: 400 },
    );
  });

  it('a daily turn comes once on every day, in order, over years of changes', () => {
    for (const zone of ['Europe/Berlin', 'America/Santiago', 'Africa/Casablanca', 'Australia/Lord_Howe']) {
      let at = new Date('2026-01-01T00:00:00Z');
      const days = new Set<string>();
      const dayOf = new Intl.DateTimeFormat('en-CA', { timeZone: zone });
      for (let day = 0; day < 800; day++) {
        const next = nextFireTime('30 2 * * *', zone, at);
        const hours = (next.getTime() - at.getTime()) / 3_600_000;
        if (day > 0) expect(hours).toBeGreaterThan(22);
        expect(hours).toBeLessThan(26);
        days.add(dayOf.format(next));
        at = next;
      }
      expect(days.size).toBe(800);
    }
  });

  it('that never comes is an error, not an endless search', () => {
    expect(() => nextFireTime('0 0 L-30 2 *', 'UTC', new Date())).toThrow(expect.objectContaining({ code: 'E_CONFIG_INVALID' }));
  });

  it('leaves no task behind in node-cron', () => {
    turns('7 7 7 7 *', 'UTC', '2026-11-24T10:00:00Z', 1);
    expect(getTasks().size).toBe(0);
  });
});
