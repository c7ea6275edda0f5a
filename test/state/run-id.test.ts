import { describe, expect, it } from 'vitest';
import { runId } from '../../src/state/run-id.ts';

describe('run ids', () => {
  it('have the form of a ULID', () => {
    expect(runId()).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
    // The time part of the example in https://github.com/ulid/spec.
    expect(runId(1_469_918_176_385).slice(0, 10)).toBe('01ARYZ6S41');
    expect(runId(0, new Uint8Array(10))).toBe('0'.repeat(26));
    expect(runId(0, new Uint8Array(10).fill(255)).slice(10)).toBe('Z'.repeat(16));
  });

  it('sort by time as text, and differ within a millisecond', () => {
    const times = [0, 1, 31, 32, 1023, 1024, 1_700_000_000_000, 1_700_000_000_001, 281_474_976_710_655];
    const ids = times.map((time) => runId(time));
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(Array.from({ length: 10_000 }, () => runId(5))).size).toBe(10_000);
  });
});
