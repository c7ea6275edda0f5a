import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTurnQueue } from '../../src/resilience/turn-queue.ts';
import type { TurnLimits } from '../../src/resilience/turn-queue.ts';
import { fullBucket, refilled, waitForToken } from '../../src/resilience/token-bucket.ts';

const FOR_EVER = Number.POSITIVE_INFINITY;
const NONE: TurnLimits = { concurrency: null, rate: null };

describe('resilience: token bucket', () => {
  const rate = { perSecond: 5, burst: 2 };

  it('holds a burst, fills with time, and never beyond', () => {
    const empty = { tokens: 0, atMs: 1000 };
    expect(waitForToken(fullBucket(rate, 0), rate)).toBe(0);
    expect(waitForToken(empty, rate)).toBe(200);
    expect(waitForToken(refilled(empty, rate, 1100), rate)).toBe(100);
    expect(refilled(empty, rate, 99_000).tokens).toBe(2);
    expect(refilled(empty, rate, 0)).toEqual({ tokens: 0, atMs: 0 });
  });
});

describe('resilience: turns', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const open = (limits: TurnLimits) => {
    const queue = createTurnQueue('crm', limits);
    const order: string[] = [];
    const give = new Map<string, () => void>();
    const take = (name: string, signal = new AbortController().signal, maxWaitMs = FOR_EVER) =>
      queue.take(signal, maxWaitMs).then(
        (back) => {
          order.push(`${name}@${Math.round(performance.now() - began)}`);
          give.set(name, back);
          return null;
        },
        (error: unknown) => error,
      );
    const began = performance.now();
    return { queue, order, take, back: (name: string) => give.get(name)?.() };
  };

  it('begin no more often than the rate, first come first served', async () => {
    const { order, take } = open({ concurrency: null, rate: { perSecond: 5, burst: 2 } });
    const all = ['a', 'b', 'c', 'd', 'e'].map((name) => take(name));
    await vi.advanceTimersByTimeAsync(2_000);
    await Promise.all(all);
    expect(order).toEqual(['a@0', 'b@0', 'c@200', 'd@400', 'e@600']);
  });

  it('are no more than allowed at the same time, whatever the rate', async () => {
    const { order, take, back } = open({ concurrency: 2, rate: { perSecond: 1000, burst: 10 } });
    const all = ['a', 'b', 'c', 'd'].map((name) => take(name));
    await vi.advanceTimersByTimeAsync(500);
    expect(order).toEqual(['a@0', 'b@0']);
    back('b');
    back('b');
    await vi.advanceTimersByTimeAsync(500);
    expect(order).toEqual(['a@0', 'b@0', 'c@500']);
    back('a');
    await Promise.all(all);
  });

  it('are left by who is stopped, and the next moves up', async () => {
    const { order, take, back } = open({ concurrency: 1, rate: null });
    const stop = new AbortController();
    void take('a');
    const waiting = take('b', stop.signal);
    void take('c');
    stop.abort(new Error('enough'));
    expect(await waiting).toBe(stop.signal.reason);
    expect(await take('d', stop.signal)).toBe(stop.signal.reason);
    await vi.advanceTimersByTimeAsync(0);
    back('a');
    await vi.advanceTimersByTimeAsync(0);
    expect(order).toEqual(['a@0', 'c@0']);
  });

  it('pause for as long as the server asks, but for who would wait too long', async () => {
    const { queue, order, take } = open(NONE);
    queue.pause(3_000);
    const patient = take('patient', undefined, 5_000);
    expect(await take('hasty', undefined, 2_000)).toMatchObject({ code: 'E_BUSY', details: { retryAfterMs: 3_000 } });
    await vi.advanceTimersByTimeAsync(3_000);
    await patient;
    expect(order).toEqual(['patient@3000']);
  });

  it('are given up by who waits already when a pause becomes too long', async () => {
    const { queue, take } = open({ concurrency: 1, rate: null });
    void take('a');
    const waiting = take('b', undefined, 2_000);
    queue.pause(3_600_000);
    expect(await waiting).toMatchObject({ code: 'E_BUSY' });
  });

  it('are spread over the time that is left when little is left of a quota, and pause when nothing is', async () => {
    const { queue, order, take } = open(NONE);
    queue.slowDown({ remaining: 500, limit: 1000, resetMs: 60_000 });
    await take('free');
    queue.slowDown({ remaining: 4, limit: 1000, resetMs: 8_000 });
    const all = ['a', 'b'].map((name) => take(name));
    await vi.advanceTimersByTimeAsync(4_000);
    expect(order).toEqual(['free@0', 'a@2000', 'b@4000']);
    queue.slowDown({ remaining: 0, resetMs: 6_000 });
    all.push(take('c'));
    await vi.advanceTimersByTimeAsync(6_000);
    await Promise.all(all);
    expect(order.at(-1)).toBe('c@10000');
    // The new period: nothing is slow any more.
    await Promise.all([take('d'), take('e')]);
    expect(order.slice(-2)).toEqual(['d@10000', 'e@10000']);
  });
});
