import { describe, expect, it } from 'vitest';
import { carrierProblem } from '../../src/model/carrier.ts';
import type { Cell } from '../../src/model/cell.ts';
import type { LogicalType } from '../../src/model/logical-type.ts';

describe('a cell as the carrier of its type', () => {
  it.each<[LogicalType, Cell]>([
    ['bool', false],
    ['int32', -2_147_483_648],
    ['int64', 2n ** 63n - 1n],
    ['float64', Number.NaN],
    ['timestamptz', -(2n ** 63n - 1n)],
    ['decimal', '1.50'],
    ['bytes', new Uint8Array()],
    [{ list: { list: 'text' } }, [['a', null], []]],
    [{ struct: [{ name: 'a', type: 'int32', nullable: true }] }, [null]],
    ['variant', { variant: 'text', value: 'x' }],
    ['text', null],
    ['text', undefined],
  ])('%j: %o is one', (type, cell) => {
    expect(carrierProblem(type, cell)).toBeNull();
  });

  it.each<[LogicalType, Cell]>([
    ['bool', 1],
    ['int32', 1.5],
    ['int32', 2_147_483_648],
    ['int32', 1n],
    ['int64', 1],
    ['int64', 2n ** 63n],
    ['timestamptz', '2026-11-24T10:00:00Z'],
    ['decimal', 1.5],
    ['text', 'lone \ud800 surrogate'],
    ['bytes', 'x'],
    [{ list: 'int64' }, [1n, 2]],
    [{ list: 'int64' }, 1n],
    [{ struct: [{ name: 'a', type: 'int32', nullable: true }] }, []],
    ['variant', 'x'],
  ])('%j: %o is none', (type, cell) => {
    expect(carrierProblem(type, cell)).not.toBeNull();
  });
});
