import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { cellFromText } from '../../src/model/cell-text.ts';
import { runCases } from '../../src/mapping/cases.ts';
import type { Row } from '../../src/model/cell.ts';
import { typeText } from '../../src/model/logical-type.ts';
import { decimalText } from '../model/arbitraries.ts';
import { mapping, shapeOf } from './mapping-fixture.ts';

const orders = shapeOf({
  id: 'int64',
  cents: 'int64',
  total: 'decimal',
  name: 'text',
  placed: 'timestamp',
  at: 'timestamptz',
  payload: 'json',
  f: 'float64',
  n: 'int32',
  ok: 'bool',
  day: 'date',
  raw: 'bytes',
});

describe('a mapping', () => {
  it('renames', () => {
    const { one, mapper, plan } = mapping('fields: { _id: id, customer.name: name }', orders);
    expect(one({ id: 1n, name: 'Ann' })).toEqual({ _id: 1n, 'customer.name': 'Ann' });
    expect(mapper.shape.key).toEqual([0]);
    expect(plan).toMatchObject({ reads: ['id', 'name'], projection: true, sources: [['id'], ['name']], except: [] });
  });

  it('keeps the native type of what it only renames', () => {
    const source = {
      ...orders,
      fields: orders.fields.map((field) => ({ ...field, native: { system: 'postgres', type: `native ${field.name}` } })),
    };
    const { mapper } = mapping('fields: { _id: id, sum: { from: total, type: float64 } }', source);
    expect(mapper.shape.fields).toEqual([
      { name: '_id', type: 'int64', nullable: false, native: { system: 'postgres', type: 'native id' } },
      { name: 'sum', type: 'float64', nullable: true },
    ]);
  });

  it('looks inside json, exactly', () => {
    const { one, mapper, plan } = mapping(
      'fields: { id: id, who: payload.customer.name, city: { from: payload.city, type: text }, n: { from: payload.n, type: decimal }, second: { from: payload.tags.1, type: text } }',
      orders,
    );
    const payload = '{"customer":{"name":"Ann"},"city":"Köln","n":12345678901234567890.10,"tags":["a","b"]}';
    expect(one({ id: 1n, payload })).toEqual({ id: 1n, who: '"Ann"', city: 'Köln', n: '12345678901234567890.10', second: 'b' });
    expect(one({ id: 1n, payload: '{}' })).toEqual({ id: 1n, who: null, city: null, n: null, second: null });
    expect(one({ id: 1n, payload: null })).toEqual({ id: 1n, who: null, city: null, n: null, second: null });
    expect(one({ id: 1n, payload: '{"customer":5}' })).toMatchObject({ who: null });
    expect(mapper.shape.fields[1]).toMatchObject({ type: 'json', nullable: true });
    expect(plan.projection).toBe(false);
  });

  it('reads names such as __proto__ inside json as what they are', () => {
    const { one } = mapping('fields: { id: id, a: payload.__proto__.x, b: payload.constructor, c: payload.toString }', orders);
    expect(one({ id: 1n, payload: '{"__proto__":{"x":1}}' })).toEqual({ id: 1n, a: '1', b: null, c: null });
  });

  it('maps fields named __proto__ and constructor', () => {
    const source = {
      fields: ['id', '__proto__', 'constructor'].map((name) => ({ name, type: 'int64' as const, nullable: true })),
      key: [0],
      open: false,
    };
    const { map, plan } = mapping(
      'fields:\n  id: id\n  __proto__: __proto__\n  constructor: { expr: "constructor + 1" }\n  toString: { from: constructor, lookup: { "3": three } }\n',
      source,
    );
    expect(plan.shape.fields.map((field) => field.name)).toEqual(['id', '__proto__', 'constructor', 'toString']);
    expect(map([[1n, 2n, 3n]]).batch.records.rows()).toEqual([[1n, 2n, 4n, 'three']]);
  });

  it('takes a dot inside a name when it is escaped', () => {
    const source = shapeOf({ id: 'int64', 'a.b': 'text', payload: 'json' });
    const { one } = mapping("fields: { id: id, x: 'a\\.b', y: 'payload.c\\.d' }", source);
    expect(one({ id: 1n, 'a.b': 'v', payload: '{"c.d":7}' })).toEqual({ id: 1n, x: 'v', y: '7' });
  });

  it('reaches into structs and lists', () => {
    const source = shapeOf({ id: 'int64', s: { struct: [{ name: 'x', type: { list: 'int32' }, nullable: true }] } });
    const { one, mapper } = mapping('fields: { id: id, second: s.x.1 }', source);
    expect(typeText(mapper.shape.fields[1]!.type)).toBe('int32');
    expect(one({ id: 1n, s: [[5, 6]] })).toEqual({ id: 1n, second: 6 });
    expect(one({ id: 1n, s: [[5]] })).toEqual({ id: 1n, second: null });
  });

  it('gives constants, with the digits that are written', () => {
    const { one, mapper } = mapping(
      'fields:\n  id: id\n  a: { const: 1.10 }\n  b: { const: 5, type: int32 }\n  c: { const: "x${KEY}", type: text }\n  d: { const: null, type: json }\n  e: { const: true }\n  f: { const: 12345678901234567890.123456789, type: decimal }\n  g: { const: 9007199254740993 }\n  h: { const: { a: [1] }, type: json }',
      orders,
    );
    expect(one({ id: 1n })).toEqual({
      id: 1n,
      a: '1.10',
      b: 5,
      c: 'xthe key',
      d: null,
      e: true,
      f: '12345678901234567890.123456789',
      g: 9007199254740993n,
      h: '{"a":[1]}',
    });
    expect(mapper.shape.fields.map((field) => field.type)).toEqual([
      'int64',
      'decimal',
      'int32',
      'text',
      'json',
      'bool',
      'decimal',
      'int64',
      'json',
    ]);
  });

  it('moves the decimal point exactly', () => {
    const { one } = mapping(
      'fields: { id: id, a: { from: cents, shift: -2 }, b: { from: total, shift: 3 }, c: { from: total, shift: -5 }, d: { from: cents, shift: -2, type: float64 } }',
      orders,
    );
    expect(one({ id: 1n, cents: 1999n, total: '0.0015' })).toEqual({ id: 1n, a: '19.99', b: '1.5', c: '0.000000015', d: 19.99 });
    expect(one({ id: 1n, cents: -5n, total: 'NaN' })).toEqual({ id: 1n, a: '-0.05', b: 'NaN', c: 'NaN', d: -0.05 });
    expect(one({ id: 1n, cents: 1200n, total: null })).toMatchObject({ a: '12.00', b: null });
  });

  it('shifts like exact decimal arithmetic, whatever the number', () => {
    fc.assert(
      fc.property(decimalText, fc.integer({ min: -30, max: 30 }), (total, places) => {
        const { one } = mapping(`fields: { id: id, a: { from: total, shift: ${places} }, b: { from: total, shift: 0 } }`, orders);
        const { a } = one({ id: 1n, total });
        if (/[NI]/.test(total)) {
          expect(a).toBe(total);
          return;
        }
        const digits = (text: string) => {
          const [whole = '', fraction = ''] = text.split('.');
          return { value: BigInt(whole.replace('-', '') + fraction) * (text.startsWith('-') ? -1n : 1n), scale: fraction.length };
        };
        const [x, y] = [digits(total), digits(a as string)];
        // x / 10^sx * 10^places == y / 10^sy
        const [left, right] = [x.value * 10n ** BigInt(y.scale + 40 + places), y.value * 10n ** BigInt(x.scale + 40)];
        expect(left).toBe(right);
      }),
      { numRuns: 300 },
    );
  });

  it('makes instants of civil times in a zone, and back', () => {
    const { one, mapper } = mapping(
      'fields: { id: id, a: { from: placed, zone: Europe/Berlin }, b: { from: at, zone: America/New_York }, c: { from: name, zone: Europe/Berlin, type: timestamptz }, d: { from: at, zone: Pacific/Auckland, type: date, onLoss: truncate } }',
      orders,
    );
    expect(mapper.shape.fields.map((field) => field.type)).toEqual(['int64', 'timestamptz', 'timestamp', 'timestamptz', 'date']);
    const at = cellFromText('timestamptz', '2026-07-01T10:00:00.123456Z');
    expect(one({ id: 1n, placed: '2026-07-01 12:00:00.123456', at, name: '2026-07-01 12:00:00.123456' })).toEqual({
      id: 1n,
      a: at,
      b: '2026-07-01 06:00:00.123456',
      c: at,
      d: '2026-07-01',
    });
  });

  it('counts civil times that clocks skipped or showed twice', () => {
    const { map } = mapping('fields: { id: id, a: { from: placed, zone: Europe/Berlin } }', orders);
    const at = (text: string): Row => orders.fields.map((field) => (field.name === 'placed' ? text : field.name === 'id' ? 1n : null));
    expect(
      map([at('2026-03-29 02:30:00'), at('2026-10-25 02:30:00'), at('2026-03-29 02:31:00'), at('2026-01-01 00:00:00')]).conversions,
    ).toEqual([
      { stream: 'orders', field: 'a', kind: 'gap', count: 2 },
      { stream: 'orders', field: 'a', kind: 'overlap', count: 1 },
    ]);
  });

  it('looks values up by their text', () => {
    const { one, fault } = mapping(
      'fields: { id: id, a: { from: n, lookup: { "0": new, 1: paid }, default: unknown }, b: { from: ok, lookup: { "true": 1, "false": 0 } }, c: { from: name, lookup: { x: 1.50, y: null } } }',
      orders,
    );
    expect(one({ id: 1n, n: 0, ok: true, name: 'x' })).toEqual({ id: 1n, a: 'new', b: 1n, c: '1.50' });
    expect(one({ id: 1n, n: 7, ok: null, name: 'y' })).toEqual({ id: 1n, a: 'unknown', b: null, c: null });
    expect(one({ id: 1n, n: null, ok: null, name: null })).toMatchObject({ a: 'unknown' });
    expect(fault({ id: 1n, n: 1, ok: true, name: 'secret value' })).toBe(
      "E_RECORD_VALUE: field 'c': the value is none of the 2 that the lookup knows, and there is no default",
    );
  });

  it('hides values', () => {
    const { one, mapper } = mapping(
      'fields: { id: id, a: { from: name, mask: { hmac: "${KEY}" } }, b: { from: name, mask: sha256 }, c: { from: name, mask: redact }, d: { from: name, mask: last4 }, e: { from: cents, mask: sha256 } }',
      orders,
    );
    expect(one({ id: 1n, name: 'ann@example.org', cents: 42n })).toEqual({
      id: 1n,
      a: createHmac('sha256', 'the key').update('ann@example.org').digest('hex'),
      b: createHash('sha256').update('ann@example.org').digest('hex'),
      c: '***',
      d: '****.org',
      e: '73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049',
    });
    expect(one({ id: 1n })).toEqual({ id: 1n, a: null, b: null, c: null, d: null, e: null });
    expect(one({ id: 1n, name: 'abcd' })).toMatchObject({ d: '****' });
    expect(one({ id: 1n, name: '😀😀😀😀a' })).toMatchObject({ d: '****😀😀😀a' });
    expect(mapper.shape.fields.map((field) => typeText(field.type))).toEqual(['int64', 'text', 'text', 'text', 'text', 'text']);
  });

  it('masks as the vector of RFC 4231 says', () => {
    const { one } = mapping('fields: { id: id, a: { from: name, mask: { hmac: "${KEY}" } } }', orders, {
      secrets: (text) => text.replace('${KEY}', 'Jefe'),
    });
    expect(one({ id: 1n, name: 'what do ya want for nothing?' })).toMatchObject({
      a: '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    });
  });

  it('computes, with the types of the source', () => {
    const { one, mapper } = mapping(
      `fields: { id: id, label: { expr: "name + ' #' + string(id)", type: text }, gross: { expr: "total * 1.19", type: decimal }, small: { expr: "cents / 100", type: int32 }, any: { expr: "payload.x" }, list: { expr: "[id, cents]" } }`,
      orders,
    );
    expect(one({ id: 7n, name: 'Ann', total: '10.00', cents: 250n, payload: '{"x":{"y":1.50}}' })).toEqual({
      id: 7n,
      label: 'Ann #7',
      gross: '11.9000',
      small: 2,
      any: '{"y":1.50}',
      list: [7n, 250n],
    });
    expect(mapper.shape.fields.map((field) => typeText(field.type))).toEqual(['int64', 'text', 'decimal', 'int32', 'json', 'list<int64>']);
  });

  it('makes a dead letter of what an expression cannot do, naming the field and not the value', () => {
    const { fault } = mapping(
      'fields: { id: id, small: { expr: "cents * 10", type: int32 }, there: { expr: "payload.secret", type: text } }',
      orders,
    );
    expect(fault({ id: 1n, cents: 2n ** 40n })).toBe("E_RECORD_LOSS: field 'small': the number is beyond 32 bits (int64 to int32)");
    expect(fault({ id: 1n, cents: 2n ** 62n })).toBe("E_RECORD_EXPRESSION: field 'small': the result is beyond 64 bits");
    expect(fault({ id: 1n, payload: '{"a":1}' })).toBe("E_RECORD_EXPRESSION: field 'there': '.secret' is not there; ask with has(…) first");
    expect(fault({ id: 1n })).toBe('no fault');
  });

  it('converts by declared policy, and counts', () => {
    const source = shapeOf({ id: 'int64', f: 'float64', name: 'text' });
    const { map } = mapping(
      'fields: { id: id, a: { from: f, type: int32, onLoss: truncate }, b: { from: name, type: int64, onLoss: "null" }, c: { from: f, type: json, onLoss: text } }',
      source,
    );
    const { batch, conversions, rejected } = map([
      [1n, 1.5, '5'],
      [2n, 2, 'x'],
      [3n, 3.25, 'y'],
      [4n, NaN, '1'],
    ]);
    expect(batch.records.rows()).toEqual([
      [1n, 1, 5n, '1.5'],
      [2n, 2, null, '2'],
      [3n, 3, null, '3.25'],
    ]);
    expect(rejected).toEqual([
      { index: 3, code: 'E_RECORD_LOSS', message: "field 'a': NaN and Infinity are no whole numbers (float64 to int32)" },
    ]);
    expect(conversions).toEqual([
      { stream: 'orders', field: 'a', kind: 'truncated', count: 2 },
      { stream: 'orders', field: 'b', kind: 'null', count: 2 },
    ]);
  });

  it('takes the policy of the job where the field names none', () => {
    const { one, plan } = mapping('fields: { id: id, a: { from: name, type: int64 }, b: { from: total, onLoss: truncate } }', orders, {
      onLoss: 'null',
    });
    expect(one({ id: 1n, name: 'x', total: '1' })).toEqual({ id: 1n, a: null, b: '1' });
    expect(plan.onLoss).toEqual(['null', 'null', 'truncate']);
  });
});

describe('other fields', () => {
  const source = shapeOf({ id: 'int64', name: 'text', total: 'decimal', secret: 'text', payload: 'json' });
  const row = [1n, 'Ann', '1.10', 's', '{"a": 1.0}'] as const;

  it('are dropped by default where fields are named, and kept where none are', () => {
    expect(mapping('fields: { id: id }', source).map([row]).batch.records.rows()).toEqual([[1n]]);
    expect(mapping('where: "id > 0"', source).plan.shape.fields.map((field) => field.name)).toEqual([
      'id',
      'name',
      'total',
      'secret',
      'payload',
    ]);
  });

  it('are kept under their own names, but for those that are mapped or dropped', () => {
    const { plan, map } = mapping('fields: { _id: id, name: { expr: "name.upper()" } }\notherFields: keep\ndrop: [secret]', source);
    expect(plan.shape.fields.map((field) => field.name)).toEqual(['_id', 'name', 'total', 'payload']);
    expect(plan).toMatchObject({ reads: null, except: ['secret'] });
    expect(map([row]).batch.records.rows()).toEqual([[1n, 'ANN', '1.10', '{"a": 1.0}']]);
  });

  it('go into one json field with every digit', () => {
    const { map, plan } = mapping('fields: { _id: id }\notherFields: { into: extra }\ndrop: [secret]', source);
    expect(map([row]).batch.records.rows()).toEqual([[1n, '{"name":"Ann","total":1.10,"payload":{"a": 1.0}}']]);
    expect(plan.shape.fields[1]).toMatchObject({ name: 'extra', type: 'json' });
    expect(plan.projection).toBe(false);
  });

  it('are never what a mask was made of', () => {
    const { plan } = mapping('fields: { id: id, hidden: { from: secret, mask: sha256 } }\notherFields: keep', source);
    expect(plan.shape.fields.map((field) => field.name)).toEqual(['id', 'hidden', 'name', 'total', 'payload']);
  });

  it('are all there without a mapping', () => {
    const { mapper, plan, map } = mapping(null, source);
    expect(mapper.shape).toEqual(source);
    expect(plan).toMatchObject({ reads: null, projection: true });
    const batch = map([row]).batch;
    expect(batch.shape).toBe(mapper.shape);
  });
});

it('the example of the documentation passes its cases', () => {
  const read = (name: string) => readFileSync(new URL(`../../mappings/${name}`, import.meta.url), 'utf8');
  const { cases, diagnostics } = runCases({
    file: 'orders.test.yaml',
    text: read('orders.test.yaml'),
    mapping: { file: 'orders.yaml', text: read('orders.yaml') },
  });
  expect(diagnostics).toEqual([]);
  expect(cases.length).toBeGreaterThan(4);
  expect(cases.filter((one) => !one.passed)).toEqual([]);
});
