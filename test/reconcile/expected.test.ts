import { describe, expect, it } from 'vitest';
import { TrueupError } from '../../src/errors.ts';
import type { MappingPlan } from '../../src/mapping/plan.ts';
import type { Cell, Row } from '../../src/model/cell.ts';
import type { StoredField, TargetStream } from '../../src/model/contracts.ts';
import type { Shape } from '../../src/model/shape.ts';
import { expectation, expectedRecords } from '../../src/reconcile/expected.ts';
import type { Expectation, ExpectationInit } from '../../src/reconcile/expected.ts';
import { readSource } from '../../src/reconcile/read-source.ts';
import { readTarget } from '../../src/reconcile/read-target.ts';
import { recordSide } from '../../src/reconcile/record-side.ts';
import { check, secrets, shapeOf } from '../mapping/mapping-fixture.ts';
import { batchOf, batches, compareAll } from './sides.ts';

const SOURCE = shapeOf({ id: 'int32', cents: 'int32', status: 'text', gone: 'bool', tags: { list: 'int32' } });
const MAPPING = `where: "status != 'draft'"
fields:
  total: { from: cents, shift: -2 }
  ident: id
  state: { from: status, lookup: { new: fresh, paid: done } }
  tags: tags
`;

function expected(more: Partial<ExpectationInit> = {}, text: string | null = MAPPING, source: Shape = SOURCE): Expectation {
  const { plan, problems } = check(text, source, text === MAPPING ? { deletesWhen: 'gone' } : {});
  expect(problems.filter((problem) => !problem.includes('make sure'))).toEqual([]);
  const mapping = plan as MappingPlan;
  const target: TargetStream = {
    stream: 'orders',
    target: 'orders',
    shape: mapping.shape,
    onDelete: 'delete',
    drift: { add: 'evolve', drop: 'keep', retype: 'widen' },
    onLoss: mapping.onLoss,
  };
  return expectation({ mapping, target, stored: null, scanned: null, secrets, ...more });
}

const as = (type: StoredField['type'], convert: (cell: Cell) => Cell = (cell) => cell): StoredField => ({ type, convert });

describe('what the target should hold', () => {
  it('is the mapped record, the fields of its key first', () => {
    const of = expected();
    expect(of.fields.map(({ name }) => name)).toEqual(['ident', 'total', 'state', 'tags']);
    expect(expectedRecords(of, batchOf(SOURCE, [[7, 1250, 'new', false, [1]]]))).toEqual([
      { kind: 'record', source: [7], key: [7], cells: [7, '12.50', 'fresh', [1]] },
    ]);
  });

  it('tells what the mapping leaves out, what counts as deleted and what is refused, each with its keys', () => {
    const rows: Row[] = [
      [1, 100, 'draft', false, null],
      [2, 100, 'new', true, null],
      [3, 100, 'draft', true, null],
      [4, 100, 'odd', false, null],
      [5, 100, 'paid', null, null],
    ];
    expect(expectedRecords(expected(), batchOf(SOURCE, rows)).map(({ kind, source, key }) => ({ kind, source, key }))).toEqual([
      { kind: 'filtered', source: [1], key: [1] },
      { kind: 'deleted', source: [2], key: [2] },
      { kind: 'deleted', source: [3], key: [3] },
      { kind: 'fault', source: [4], key: [4] },
      { kind: 'record', source: [5], key: [5] },
    ]);
  });

  it('is what the target makes of it, where the target says so, without what it does not store', () => {
    const loses = as('text', () => {
      throw new TrueupError('E_RECORD_LOSS', 'too long');
    });
    const stored = [
      as('decimal', (cell) => `${cell as string}0`),
      as('int64', (cell) => BigInt(cell as number)),
      null,
      as({ list: 'int32' }),
    ];
    const of = expected({ stored });
    expect(of.fields.map(({ name, type }) => [name, type])).toEqual([
      ['ident', 'int64'],
      ['total', 'decimal'],
      ['tags', { list: 'int32' }],
    ]);
    const batch = batchOf(SOURCE, [[7, 1250, 'new', false, [1]]]);
    expect(expectedRecords(of, batch)).toEqual([{ kind: 'record', source: [7], key: [7n], cells: [7n, '12.500', [1]] }]);
    expect(expectedRecords(expected({ stored: [loses, as('int32'), null, null] }), batch)).toMatchObject([
      { kind: 'fault', source: [7], key: [7], code: 'E_RECORD_LOSS' },
    ]);
  });

  it('is converted to the type that the target gives back, where the target does not say', () => {
    const scanned = shapeOf({ ident: 'text', total: 'float64', state: 'text', tags: { list: 'int64' } });
    expect(expectedRecords(expected({ scanned }), batchOf(SOURCE, [[7, 1250, 'new', false, [1]]]))).toMatchObject([
      { key: ['7'], cells: ['7', 12.5, 'fresh', [1n]] },
    ]);
  });

  it('cannot be told when the target does not hold the key', () => {
    expect(() => expected({ stored: [as('decimal'), null, as('text'), null] })).toThrow(/key field 'ident'/);
  });

  it('keeps text that no carrier can hold as that text', () => {
    const decoders = [null, null, null, null, refuses];
    const batch = batchOf(SOURCE, [[7, 1250, 'new', false, '{{1,2},{3,4}}']], { decoders, textDialect: 'postgres' });
    expect(expectedRecords(expected(), batch)).toMatchObject([{ kind: 'record', cells: [7, '12.50', 'fresh', '{{1,2},{3,4}}'] }]);
  });
});

const refuses = (): never => {
  throw new TrueupError('E_RECORD_LOSS', 'two dimensions');
};

describe('both sides read for a comparison', () => {
  const TARGET = shapeOf({ ident: 'int32', total: 'decimal', state: 'text', tags: { list: 'int32' } });
  const kinds = async (
    rows: readonly Row[],
    held: readonly Row[],
    how: { readonly keysOnly?: boolean; readonly withFiltered?: boolean } = {},
  ) => {
    const of = expected({ scanned: TARGET });
    const source = recordSide({ batches: () => batches(SOURCE, rows), each: readSource({ expected: of, ...how }) });
    const target = recordSide({ batches: () => batches(TARGET, held), each: readTarget({ expected: of, ...how }) });
    return (await compareAll(source, target)).map(({ kind, key, source: cells }) => [kind, key, cells]);
  };

  it('agree where the target holds what it should, written otherwise', async () => {
    expect(await kinds([[1, 1250, 'new', false, [1]], [2, 5, 'draft', false, null]], [[1, '12.5', 'fresh', [1]]])).toEqual([]); // prettier-ignore
  });

  it('differ by key and by value, and in what the mapping refuses', async () => {
    const rows: Row[] = [[1, 1250, 'new', false, [1]], [2, 5, 'new', false, null], [3, 5, 'odd', false, null], [4, 5, 'draft', false, null]]; // prettier-ignore
    const held: Row[] = [[1, '12.51', 'fresh', [1]], [3, '0.05', 'fresh', null], [4, '0.05', 'fresh', null]]; // prettier-ignore
    expect(await kinds(rows, held)).toEqual([
      ['different', '["1"]', [1]],
      ['missing', '["2"]', [2]],
      ['different', '["3"]', [3]],
      ['extra', '["4"]', null],
    ]);
    expect(await kinds(rows, held, { withFiltered: true })).toContainEqual(['different', '["4"]', [4]]);
    expect(await kinds(rows, held, { keysOnly: true })).toEqual([
      ['missing', '["2"]', [2]],
      ['different', '["3"]', [3]],
      ['extra', '["4"]', null],
    ]);
  });

  it('count what the mapping leaves out', async () => {
    let filtered = 0;
    const each = readSource({ expected: expected(), onFiltered: (count) => void (filtered += count) });
    each(batchOf(SOURCE, [[1, 1, 'draft', false, null], [2, 1, 'new', true, null], [3, 1, 'new', false, null]]), () => undefined); // prettier-ignore
    expect(filtered).toBe(2);
  });

  it('know a record that the source could not read by its key', async () => {
    const of = expected({ scanned: TARGET });
    const rejected = [{ key: [9], position: '9', code: 'E_RECORD_TOO_LARGE', message: 'too large' } as const];
    const source = recordSide({
      async *batches() {
        yield { ...batchOf(SOURCE, []), rejected };
      },
      each: readSource({ expected: of }),
    });
    const target = recordSide({ batches: () => batches(TARGET, [[9, '1', 'fresh', null]]), each: readTarget({ expected: of }) });
    expect(await compareAll(source, target)).toEqual([{ kind: 'different', key: '["9"]', source: [9], target: [9] }]);
  });

  it('hash the same text of the same system unread, and otherwise by value', () => {
    const of = expected({ scanned: TARGET });
    const hashes = (text: string, unread: boolean, dialect: string | null): string => {
      let found = '';
      const decoders = [null, null, null, (cell: string): Cell => cell.slice(1, -1).split(',').map(Number)];
      const each = readTarget({
        expected: of,
        ...(unread ? { unread: of.fields.map(({ name }) => (name === 'tags' ? 'postgres' : null)) } : {}),
      });
      each(batchOf(TARGET, [[1, '1', 'x', text]], { decoders, textDialect: dialect }), ({ low, high }) => (found = `${low} ${high}`));
      return found;
    };
    expect(hashes('{1,2}', false, 'postgres')).toBe(hashes('{1, 2}', false, 'postgres'));
    expect(hashes('{1,2}', true, 'postgres')).not.toBe(hashes('{1, 2}', true, 'postgres'));
    expect(hashes('{1,2}', true, 'other')).toBe(hashes('{1, 2}', true, 'other'));
  });
});
