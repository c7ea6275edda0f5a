import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunReport, RunStatus } from '../../src/pipeline/report/report.ts';
import { createScheduler } from '../../src/scheduler/scheduler.ts';
import type { Scheduler, SchedulerOptions } from '../../src/scheduler/scheduler.ts';
import type { CronSchedule, Schedule } from '../../src/scheduler/turn.ts';

const START = Date.parse('2026-11-24T10:00:30Z');
const MINUTE = 60_000;

beforeEach(() => void vi.useFakeTimers({ now: START }));
afterEach(() => {
  const left = vi.getTimerCount();
  vi.useRealTimers();
  if (left > 0) throw new Error(`${left} timers of a scheduler that was stopped keep the process alive`);
});

const cron = (fields: string, more: Partial<CronSchedule> = {}): CronSchedule => ({
  kind: 'cron',
  cron: fields,
  timezone: 'UTC',
  overlap: 'skip',
  misfire: 'once',
  jitterMs: 0,
  ...more,
});

/** A scheduler over fake time. Runs take `lasts` milliseconds, or end soon after the stop signal. */
function harness(
  jobs: Readonly<Record<string, Schedule>>,
  options: {
    readonly lasts?: (job: string) => number;
    readonly ends?: (job: string) => RunStatus | Error;
    readonly graceMs?: number;
  } & Partial<SchedulerOptions> = {},
) {
  const { lasts = () => 0, ends = () => 'succeeded', graceMs = 100, ...rest } = options;
  const log: string[] = [];
  const tell = (text: string): void => void log.push(`${new Date().toISOString().slice(11, 19)} ${text}`);
  const told: { level: string; message: string; job: unknown }[] = [];
  const logger = (level: string) => (fields: Readonly<Record<string, unknown>>, message: string) =>
    void told.push({ level, message, job: fields['job'] });
  const stop = new AbortController();
  const abort = new AbortController();
  let running = 0;
  let most = 0;
  const scheduler: Scheduler = createScheduler({
    jobs: Object.entries(jobs).map(([name, schedule]) => ({ name, schedule })),
    async runJob(name, signals, { follow }) {
      tell(`+${name}`);
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => {
        const lastsMs = lasts(name);
        const timer = setTimeout(resolve, follow && lastsMs === 0 ? 2 ** 31 - 1 : lastsMs);
        signals.stop.addEventListener('abort', () => {
          clearTimeout(timer);
          setTimeout(resolve, graceMs);
        });
      });
      running--;
      tell(`-${name}`);
      const status = signals.stop.aborted ? 'stopped' : ends(name);
      if (status instanceof Error) throw status;
      return { command: 'run', run: 'r', status, exitCode: 0, startedAt: '', endedAt: '', durationMs: 0, jobs: [] } satisfies RunReport;
    },
    lastRunAt: async () => null,
    concurrency: 4,
    log: { debug: logger('debug'), info: logger('info'), warn: logger('warn'), error: logger('error') },
    random: () => 0,
    ...rest,
  });
  let ended = false;
  const done = scheduler.run({ stop: stop.signal, abort: abort.signal }).then(() => (ended = true));
  return {
    scheduler,
    log,
    told,
    pass: (ms: number) => vi.advanceTimersByTimeAsync(ms),
    starts: () => log.filter((line) => line.includes('+')),
    mostAtOnce: () => most,
    isEnded: () => ended,
    stop: async () => {
      stop.abort();
      await vi.advanceTimersByTimeAsync(graceMs);
      await done;
    },
  };
}

describe('the scheduler', () => {
  it('runs each job at its turns, to the second', async () => {
    const { pass, log, stop } = harness({ a: cron('* * * * *'), b: cron('*/20 * * * * *') });
    await pass(61_000);
    expect(log).toEqual([
      '10:00:40 +b',
      '10:00:40 -b',
      '10:01:00 +a',
      '10:01:00 +b',
      '10:01:00 -a',
      '10:01:00 -b',
      '10:01:20 +b',
      '10:01:20 -b',
    ]);
    await stop();
  });

  it('says when the next turn is', async () => {
    const { pass, scheduler, stop } = harness({ a: cron('*/5 * * * *'), c: { kind: 'continuous' } });
    await pass(0);
    expect(scheduler.nextRunAt('a')).toEqual(new Date('2026-11-24T10:05:00Z'));
    expect(scheduler.nextRunAt('c')).toBeNull();
    await pass(5 * MINUTE);
    expect(scheduler.nextRunAt('a')).toEqual(new Date('2026-11-24T10:10:00Z'));
    await stop();
    expect(scheduler.nextRunAt('a')).toBeNull();
  });

  it('waits for turns that are further away than a timer can count', async () => {
    const { pass, starts, stop } = harness({ a: cron('0 0 1 1 *') });
    await pass(38 * 24 * 60 * MINUTE);
    expect(starts()).toEqual(['00:00:00 +a']);
    await stop();
  });

  it('skips the turns of a job that still runs', async () => {
    const { pass, log, told, stop } = harness({ a: cron('* * * * *') }, { lasts: () => 2.5 * MINUTE });
    await pass(5 * MINUTE);
    expect(log).toEqual(['10:01:00 +a', '10:03:30 -a', '10:04:00 +a']);
    expect(told.filter((one) => one.message.includes('skipped'))).toHaveLength(3);
    await stop();
  });

  it('queues one turn, however many come, when it is told to', async () => {
    const { pass, log, stop } = harness({ a: cron('* * * * *', { overlap: 'queue' }) }, { lasts: () => 2.5 * MINUTE });
    await pass(6 * MINUTE);
    expect(log).toEqual(['10:01:00 +a', '10:03:30 -a', '10:03:30 +a', '10:06:00 -a', '10:06:00 +a']);
    await stop();
  });

  it('runs no more jobs at a time than it may, in the order of their turns', async () => {
    const jobs = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, cron('* * * * *')]));
    const { pass, log, mostAtOnce, stop } = harness(jobs, { lasts: () => 10_000, concurrency: 2 });
    await pass(59_000);
    expect(mostAtOnce()).toBe(2);
    expect(log.filter((line) => line.includes('+'))).toEqual(['10:01:00 +a', '10:01:00 +b', '10:01:10 +c', '10:01:10 +d', '10:01:20 +e']);
    await stop();
  });

  it('lets continuous jobs take no place of cron jobs', async () => {
    const { pass, starts, stop } = harness(
      { c: { kind: 'continuous' }, d: { kind: 'continuous' }, a: cron('* * * * *') },
      { concurrency: 1 },
    );
    await pass(31_000);
    expect(starts()).toEqual(['10:00:30 +c', '10:00:30 +d', '10:01:00 +a']);
    await stop();
  });

  it('goes on with every job when one fails, by report or by throwing', async () => {
    const fault = harness(
      { bad: cron('* * * * *'), worse: cron('* * * * *'), good: cron('* * * * *') },
      { ends: (job) => (job === 'bad' ? 'failed' : job === 'worse' ? new Error('out of order') : 'succeeded') },
    );
    await fault.pass(91_000);
    expect(fault.starts()).toEqual([
      '10:01:00 +bad',
      '10:01:00 +worse',
      '10:01:00 +good',
      '10:02:00 +bad',
      '10:02:00 +worse',
      '10:02:00 +good',
    ]);
    expect(fault.told).toContainEqual({ level: 'warn', message: 'run ended', job: 'bad' });
    expect(fault.told).toContainEqual({ level: 'error', message: 'run failed', job: 'worse' });
    await fault.stop();
  });

  it('makes up for turns that were missed while it was down, once or not at all', async () => {
    const lastRunAt = async (): Promise<Date> => new Date(START - 3 * 60 * MINUTE);
    const { pass, starts, stop } = harness({ once: cron('*/5 * * * *'), never: cron('*/5 * * * *', { misfire: 'skip' }) }, { lastRunAt });
    await pass(0);
    expect(starts()).toEqual(['10:00:30 +once', '10:00:30 +never']);
    await stop();
    vi.setSystemTime(START + 2 * MINUTE);
    const later = harness({ once: cron('*/5 * * * *'), never: cron('*/5 * * * *', { misfire: 'skip' }) }, { lastRunAt });
    await later.pass(3 * MINUTE);
    expect(later.starts()).toEqual(['10:02:30 +once', '10:05:00 +once', '10:05:00 +never']);
    expect(later.told).toContainEqual({ level: 'warn', message: 'turns were missed and are left out', job: 'never' });
    await later.stop();
  });

  it('makes up for nothing when nothing was missed, or when the last run is not known', async () => {
    const { pass, starts, stop } = harness({ a: cron('*/5 * * * *') }, { lastRunAt: async () => new Date(START - 20_000) });
    await pass(MINUTE);
    expect(starts()).toEqual([]);
    await stop();
    const unknown = harness({ a: cron('*/5 * * * *') }, { lastRunAt: () => Promise.reject(new Error('no state')) });
    await unknown.pass(MINUTE);
    expect(unknown.starts()).toEqual([]);
    await unknown.pass(5 * MINUTE);
    expect(unknown.starts()).toHaveLength(1);
    await unknown.stop();
  });

  it('delays a turn by its jitter, never beyond it, and takes it for no missed one', async () => {
    const { pass, starts, told, stop } = harness(
      { a: cron('0 * * * *', { jitterMs: 10 * MINUTE, misfire: 'skip' }) },
      { random: () => 0.5 },
    );
    await pass(70 * MINUTE);
    expect(starts()).toEqual(['11:05:00 +a']);
    expect(told.filter((one) => one.message.includes('missed'))).toEqual([]);
    await stop();
    const most = harness({ a: cron('0 * * * *', { jitterMs: 10 * MINUTE }) }, { random: () => 0.999_999 });
    await most.pass(70 * MINUTE);
    expect(most.starts()).toEqual(['12:09:59 +a']);
    await most.stop();
  });

  it('notices that the machine slept, and takes one turn', async () => {
    const { pass, starts, stop } = harness({ a: cron('* * * * *') });
    await pass(10_000);
    vi.setSystemTime(START + 8 * 60 * MINUTE);
    await pass(31_000);
    expect(starts()).toEqual(['18:00:50 +a', '18:01:00 +a']);
    await stop();
  });

  it('goes on when the clock is set back', async () => {
    const { pass, starts, stop } = harness({ a: cron('*/5 * * * *') });
    await pass(10_000);
    vi.setSystemTime(START - 365 * 24 * 60 * MINUTE);
    await pass(6 * MINUTE);
    expect(starts()).toEqual(['10:05:00 +a']);
    await stop();
  });

  it('starts continuous jobs at once, and again when they end, after pauses that grow', async () => {
    const { pass, starts, stop } = harness({ c: { kind: 'continuous' } }, { lasts: () => 1, ends: () => 'failed' });
    await pass(20_000);
    expect(starts()).toEqual(['10:00:30 +c', '10:00:31 +c', '10:00:33 +c', '10:00:37 +c', '10:00:45 +c']);
    await stop();
  });

  it('forgets the failures of a continuous job that ran for long', async () => {
    let runs = 0;
    const { pass, starts, stop } = harness(
      { c: { kind: 'continuous' } },
      { lasts: () => (runs++ < 6 ? 1 : 60 * MINUTE), ends: () => 'failed' },
    );
    await pass(62 * MINUTE);
    expect(starts().at(-2)).toBe('10:01:33 +c');
    expect(starts().at(-1)).toBe('11:01:34 +c');
    await stop();
  });

  it('stops at once between turns', async () => {
    const { stop, isEnded, pass } = harness({ a: cron('0 0 1 1 *'), c: cron('0 0 1 1 *', { jitterMs: 1000 }) });
    await pass(1000);
    await stop();
    expect(isEnded()).toBe(true);
  });

  it('stops in the middle: tells every run, waits for their ends, and begins none that waits', async () => {
    const { pass, log, stop, isEnded } = harness(
      { a: cron('* * * * *', { overlap: 'queue' }), b: cron('* * * * *'), c: { kind: 'continuous' } },
      { lasts: (job) => (job === 'c' ? 0 : 10 * MINUTE), concurrency: 1, graceMs: 5000 },
    );
    await pass(3 * MINUTE);
    expect(isEnded()).toBe(false);
    await stop();
    // a waits with one more turn, b for a's place: neither starts.
    expect(log).toEqual(['10:00:30 +c', '10:01:00 +a', '10:03:35 -c', '10:03:35 -a']);
    expect(isEnded()).toBe(true);
  });

  it('does nothing when it is stopped before it begins', async () => {
    const stop = AbortSignal.abort();
    const runJob = vi.fn<SchedulerOptions['runJob']>();
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    await createScheduler({
      jobs: [
        { name: 'c', schedule: { kind: 'continuous' } },
        { name: 'a', schedule: cron('* * * * *') },
      ],
      runJob,
      lastRunAt: async () => new Date(0),
      concurrency: 1,
      log,
    }).run({ stop, abort: stop });
    expect(runJob).not.toHaveBeenCalled();
  });
});
