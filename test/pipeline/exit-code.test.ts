import { describe, expect, it } from 'vitest';
import { TrueupError } from '../../src/errors.ts';
import { combineExitCodes, exitCodeOf, statusOf } from '../../src/pipeline/report/exit-code.ts';

describe('exit codes', () => {
  it.each([
    [[], 0],
    [[0, 0], 0],
    [[3, 0], 3],
    [[143, 3], 143],
    [[5, 143], 5],
    [[1, 5], 1],
    [[7, 1], 7],
    [[6, 7], 6],
    [[2, 6], 2],
    [[70, 2, 6, 7, 1, 5, 130, 3], 70],
  ])('of %j together are %i', (codes, expected) => {
    expect(combineExitCodes(codes)).toBe(expected);
  });

  it('follow from the class of the fault', () => {
    expect(exitCodeOf(new TrueupError('E_CONFIG_INVALID', ''))).toBe(2);
    expect(exitCodeOf(new TrueupError('E_ACCESS', ''))).toBe(7);
    expect(exitCodeOf(new TrueupError('E_UNREACHABLE', ''))).toBe(7);
    expect(exitCodeOf(new TrueupError('E_CONNECTION_LOST', ''))).toBe(1);
    expect(exitCodeOf(new TrueupError('E_LETTERS', ''))).toBe(5);
    expect(exitCodeOf(new TrueupError('E_FENCED', ''))).toBe(6);
    expect(exitCodeOf(new RangeError('oops'))).toBe(70);
  });

  it('name a status', () => {
    expect([0, 3, 1, 5, 7, 6, 130, 143].map(statusOf)).toEqual([
      'succeeded',
      'incomplete',
      'failed',
      'failed',
      'failed',
      'fenced',
      'stopped',
      'stopped',
    ]);
  });
});
