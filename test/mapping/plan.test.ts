import { describe, expect, it } from 'vitest';

import { compileMapping } from '../../src/mapping/compile.ts';
import type { Row } from '../../src/model/cell.ts';
import { cellRecords } from '../../src/model/records.ts';
import { mapping, secrets, shapeOf } from './mapping-fixture.ts';

describe('a plan', () => {
  const source = shapeOf({ id: 'int64', name: 'text', total: 'int64' });
  const text =
    'where: "total > 0"\nfields: { _id: id, m: { from: name, mask: { hmac: "${KEY}" } }, x: { expr: "total + 1" }, l: { from: total, lookup: { "1": one }, default: null } }';

  it('is frozen plain data that survives JSON, without secrets', () => {
    const { plan, map } = mapping(text, source);
    expect(Object.isFrozen(plan)).toBe(true);
    const json = JSON.stringify(plan);
    expect(json).not.toContain('the key');
    expect(JSON.stringify(plan.hashInput)).toContain('${KEY}');
    const again = compileMapping(JSON.parse(json) as typeof plan, source, secrets);
    const rows: Row[] = [
      [1n, 'a', 1n],
      [2n, 'b', 0n],
    ];
    const batch = {
      stream: 'orders',
      shape: source,
      records: cellRecords({ rows, bytes: 1 }),
      ops: null,
      distinctKeys: true,
      cursor: null,
      position: { text: '' },
    };
    expect(again.map(batch).batch.records.rows()).toEqual(map(rows).batch.records.rows());
  });

  it('has a hash input that changes with what is written, and not with the shape', () => {
    const hash = (mappingText: string | null, shape = source, options = {}) =>
      JSON.stringify(mapping(mappingText, shape, options).plan.hashInput);
    expect(hash(text)).toBe(hash(`# a comment\n${text}`));
    expect(hash(text)).not.toBe(hash(text.replace('total > 0', 'total > 1')));
    expect(hash(null)).toBe(hash(null, shapeOf({ id: 'int64', other: 'text' })));
    expect(hash(null)).not.toBe(hash(null, source, { where: 'total > 1' }));
    expect(hash(null)).not.toBe(hash(null, source, { deletesWhen: 'total > 1' }));
  });

  it('runs on records that hold the fields in another order, or fewer of them', () => {
    const { plan } = mapping('fields: { _id: id, x: { expr: "total + 1" } }', source);
    const other = shapeOf({ total: 'int64', id: 'int64' }, ['id']);
    const mapper = compileMapping(plan, other, secrets);
    const batch = {
      stream: 'orders',
      shape: other,
      records: cellRecords({ rows: [[5n, 1n]], bytes: 1 }),
      ops: null,
      distinctKeys: true,
      cursor: null,
      position: { text: '' },
    };
    expect(mapper.map(batch).batch.records.rows()).toEqual([[1n, 6n]]);
  });

  it('refuses a shape that lost or retyped what it reads', () => {
    const { plan } = mapping('fields: { _id: id, x: { expr: "total + 1" } }', source);
    for (const shape of [shapeOf({ id: 'int64' }), shapeOf({ id: 'text', total: 'int64' }), shapeOf({ id: 'int64', total: 'text' })]) {
      expect(() => compileMapping(plan, shape, secrets)).toThrow(expect.objectContaining({ code: 'E_PLAN_CHANGED' }));
    }
  });
});
