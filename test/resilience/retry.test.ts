import { describe, expect, it } from 'vitest';
import { TrueupError } from '../../src/errors.ts';
import { retryDecision } from '../../src/resilience/retry.ts';

const limits = { attempts: 4, maxDelayMs: 10_000 };
const busy = (retryAfterMs?: number) => new TrueupError('E_BUSY', '', retryAfterMs === undefined ? {} : { retryAfterMs });

describe('resilience: whether a feed is tried again', () => {
  it('never before the time that the fault names, and not at all where that is longer than the longest wait', () => {
    expect(retryDecision(busy(), 1, limits, 0)).toEqual({ kind: 'retry', delayMs: 250 });
    expect(retryDecision(busy(9_000), 1, limits, 0.9)).toEqual({ kind: 'retry', delayMs: 9_000 });
    expect(retryDecision(busy(100), 3, limits, 1)).toEqual({ kind: 'retry', delayMs: 2_000 });
    for (const wait of [10_001, Number.POSITIVE_INFINITY]) expect(retryDecision(busy(wait), 1, limits, 0)).toEqual({ kind: 'stop' });
    expect(retryDecision(busy(), 4, limits, 0)).toEqual({ kind: 'stop' });
  });

  it('not when it was skipped', () => {
    expect(retryDecision(new TrueupError('E_CIRCUIT_SKIPPED', ''), 1, limits, 0)).toEqual({ kind: 'stop' });
  });
});
