import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { cellFromText } from '../../src/model/cell-text.ts';
import { fitsType } from '../../src/mapping/checked-field.ts';
import type { Cell, Row } from '../../src/model/cell.ts';
import { typeText } from '../../src/model/logical-type.ts';
import { carrier, decimalText } from '../model/arbitraries.ts';
import { mapping, secrets, shapeOf } from './mapping-fixture.ts';

const orders = shapeOf({ id: 'int64', cents: 'int64', total: 'decimal', name: 'text', placed: 'timestamp', at: 'timestamptz', payload: 'json', f: 'float64', n: 'int32', ok: 'bool', day: 'date', raw: 'bytes' });

describe('a mapping', () => {
  it('renames', () => {
    const { one, mapper, plan } = mapping('fields: { _id: id, customer.name: name }', orders);
    expect(one({ id: 1n, name: 'Ann' })).toEqual({ _id: 1n, 'customer.name': 'Ann' });
    expect(mapper.shape.key).toEqual([0]);
    expect(plan).toMatchObject({ reads: ['id', 'name'], projection: true, sources: [['id'], ['name']], except: [] });
  });

  it('keeps the native type of what it only renames', () => {
    const source = { ...orders, fields: orders.fields.map((field) => ({ ...field, native: { system: 'postgres', type: `native ${field.name}` } })) };
    const { mapper } = mapping('fields: { _id: id, sum: { from: total, type: float64 } }', source);
    expect(mapper.shape.fields).toEqual([{ name: '_id', type: 'int64', nullable: false, native: { system: 'postgres', type: 'native id' } }, { name: 'sum', type: 'float64', nullable: true }]);
  });

  it('looks inside json, exactly', () => {
    const { one, mapper, plan } = mapping('fields: { id: id, who: payload.customer.name, city: { from: payload.city, type: text }, n: { from: payload.n, type: decimal }, second: { from: payload.tags.1, type: text } }', orders);
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
    const source = { fields: ['id', '__proto__', 'constructor'].map((name) => ({ name, type: 'int64' as const, nullable: true })), key: [0], open: false };
    const { map, plan } = mapping('fields:\n  id: id\n  __proto__: __proto__\n  constructor: { expr: "constructor + 1" }\n  toString: { from: constructor, lookup: { "3": three } }\n', source);
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
    const { one, mapper } = mapping('fields:\n  id: id\n  a: { const: 1.10 }\n  b: { const: 5, type: int32 }\n  c: { const: "x${KEY}", type: text }\n  d: { const: null, type: json }\n  e: { const: true }\n  f: { const: 12345678901234567890.123456789, type: decimal }\n  g: { const: 9007199254740993 }\n  h: { const: { a: [1] }, type: json }', orders);
    expect(one({ id: 1n })).toEqual({ id: 1n, a: '1.10', b: 5, c: 'xthe key', d: null, e: true, f: '12345678901234567890.123456789', g: 9007199254740993n, h: '{"a":[1]}' });
    expect(mapper.shape.fields.map((field) => field.type)).toEqual(['int64', 'decimal', 'int32', 'text', 'json', 'bool', 'decimal', 'int64', 'json']);
  });

  it('moves the decimal point exactly', () => {
    const { one } = mapping('fields: { id: id, a: { from: cents, shift: -2 }, b: { from: total, shift: 3 }, c: { from: total, shift: -5 }, d: { from: cents, shift: -2, type: float64 } }', orders);
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
        const digits = (text: string) => { const [whole = '', fraction = ''] = text.split('.'); return { value: BigInt(whole.replace('-', '') + fraction) * (text.startsWith('-') ? -1n : 1n), scale: fraction.length }; };
        const [x, y] = [digits(total), digits(a as string)];
        // x / 10^sx * 10^places == y / 10^sy
        const [left, right] = [x.value * 10n ** BigInt(y.scale + 40 + places), y.value * 10n ** BigInt(x.scale + 40)];
        expect(left).toBe(right);
      }),
      { numRuns: 300 },
    );
  });

  it('makes instants of civil times in a zone, and back', () => {
    const { one, mapper } = mapping('fields: { id: id, a: { from: placed, zone: Europe/Berlin }, b: { from: at, zone: America/New_York }, c: { from: name, zone: Europe/Berlin, type: timestamptz }, d: { from: at, zone: Pacific/Auckland, type: date, onLoss: truncate } }', orders);
    expect(mapper.shape.fields.map((field) => field.type)).toEqual(['int64', 'timestamptz', 'timestamp', 'timestamptz', 'date']);
    const at = cellFromText('timestamptz', '2026-07-01T10:00:00.123456Z');
    expect(one({ id: 1n, placed: '2026-07-01 12:00:00.123456', at, name: '2026-07-01 12:00:00.123456' })).toEqual({ id: 1n, a: at, b: '2026-07-01 06:00:00.123456', c: at, d: '2026-07-01' });
  });

  it('counts civil times that clocks skipped or showed twice', () => {
    const { map } = mapping('fields: { id: id, a: { from: placed, zone: Europe/Berlin } }', orders);
    const at = (text: string): Row => orders.fields.map((field) => (field.name === 'placed' ? text : field.name === 'id' ? 1n : null));
    expect(map([at('2026-03-29 02:30:00'), at('2026-10-25 02:30:00'), at('2026-03-29 02:31:00'), at('2026-01-01 00:00:00')]).conversions).toEqual([
      { stream: 'orders', field: 'a', kind: 'gap', count: 2 },
      { stream: 'orders', field: 'a', kind: 'overlap', count: 1 },
    ]);
  });

  it('looks values up by their text', () => {
    const { one, fault } = mapping('fields: { id: id, a: { from: n, lookup: { "0": new, 1: paid }, default: unknown }, b: { from: ok, lookup: { "true": 1, "false": 0 } }, c: { from: name, lookup: { x: 1.50, y: null } } }', orders);
    expect(one({ id: 1n, n: 0, ok: true, name: 'x' })).toEqual({ id: 1n, a: 'new', b: 1n, c: '1.50' });
    expect(one({ id: 1n, n: 7, ok: null, name: 'y' })).toEqual({ id: 1n, a: 'unknown', b: null, c: null });
    expect(one({ id: 1n, n: null, ok: null, name: null })).toMatchObject({ a: 'unknown' });
    expect(fault({ id: 1n, n: 1, ok: true, name: 'secret value' })).toBe("E_RECORD_VALUE: field 'c': the value is none of the 2 that the lookup knows, and there is no default");
  });

  it('hides values', () => {
    const { one, mapper } = mapping('fields: { id: id, a: { from: name, mask: { hmac: "${KEY}" } }, b: { from: name, mask: sha256 }, c: { from: name, mask: redact }, d: { from: name, mask: last4 }, e: { from: cents, mask: sha256 } }', orders);
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
    const { one } = mapping('fields: { id: id, a: { from: name, mask: { hmac: "${KEY}" } } }', orders, { secrets: (text) => text.replace('${KEY}', 'Jefe') });
    expect(one({ id: 1n, name: 'what do ya want for nothing?' })).toMatchObject({ a: '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843' });
  });

  it('computes, with the types of the source', () => {
    const { one, mapper } = mapping(`fields: { id: id, label: { expr: "name + ' #' + string(id)", type: text }, gross: { expr: "total * 1.19", type: decimal }, small: { expr: "cents / 100", type: int32 }, any: { expr: "payload.x" }, list: { expr: "[id, cents]" } }`, orders);
    expect(one({ id: 7n, name: 'Ann', total: '10.00', cents: 250n, payload: '{"x":{"y":1.50}}' })).toEqual({ id: 7n, label: 'Ann #7', gross: '11.9000', small: 2, any: '{"y":1.50}', list: [7n, 250n] });
    expect(mapper.shape.fields.map((field) => typeText(field.type))).toEqual(['int64', 'text', 'decimal', 'int32', 'json', 'list<int64>']);
  });

  it('makes a dead letter of what an expression cannot do, naming the field and not the value', () => {
    const { fault } = mapping('fields: { id: id, small: { expr: "cents * 10", type: int32 }, there: { expr: "payload.secret", type: text } }', orders);
    expect(fault({ id: 1n, cents: 2n ** 40n })).toBe("E_RECORD_LOSS: field 'small': the number is beyond 32 bits (int64 to int32)");
    expect(fault({ id: 1n, cents: 2n ** 62n })).toBe("E_RECORD_EXPRESSION: field 'small': the result is beyond 64 bits");
    expect(fault({ id: 1n, payload: '{"a":1}' })).toBe("E_RECORD_EXPRESSION: field 'there': '.secret' is not there; ask with has(…) first");
    expect(fault({ id: 1n })).toBe('no fault');
  });

  it('converts by declared policy, and counts', () => {
    const source = shapeOf({ id: 'int64', f: 'float64', name: 'text' });
    const { map } = mapping('fields: { id: id, a: { from: f, type: int32, onLoss: truncate }, b: { from: name, type: int64, onLoss: "null" }, c: { from: f, type: json, onLoss: text } }', source);
    const { batch, conversions, rejected } = map([[1n, 1.5, '5'], [2n, 2, 'x'], [3n, 3.25, 'y'], [4n, NaN, '1']]);
    expect(batch.records.rows()).toEqual([[1n, 1, 5n, '1.5'], [2n, 2, null, '2'], [3n, 3, null, '3.25']]);
    expect(rejected).toEqual([{ index: 3, code: 'E_RECORD_LOSS', message: "field 'a': NaN and Infinity are no whole numbers (float64 to int32)" }]);
    expect(conversions).toEqual([{ stream: 'orders', field: 'a', kind: 'truncated', count: 2 }, { stream: 'orders', field: 'b', kind: 'null', count: 2 }]);
  });

  it('takes the policy of the job where the field names none', () => {
    const { one, plan } = mapping('fields: { id: id, a: { from: name, type: int64 }, b: { from: total, onLoss: truncate } }', orders, { onLoss: 'null' });
    expect(one({ id: 1n, name: 'x', total: '1' })).toEqual({ id: 1n, a: null, b: '1' });
    expect(plan.onLoss).toEqual(['null', 'null', 'truncate']);
  });
});

describe('other fields', () => {
  const source = shapeOf({ id: 'int64', name: 'text', total: 'decimal', secret: 'text', payload: 'json' });
  const row = [1n, 'Ann', '1.10', 's', '{"a": 1.0}'] as const;

  it('are dropped by default where fields are named, and kept where none are', () => {
    expect(mapping('fields: { id: id }', source).map([row]).batch.records.rows()).toEqual([[1n]]);
    expect(mapping('where: "id > 0"', source).plan.shape.fields.map((field) => field.name)).toEqual(['id', 'name', 'total', 'secret', 'payload']);
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

describe('records through a mapping', () => {
  const source = shapeOf({ id: 'int64', status: 'text', total: 'int64', gone: 'bool' });

  it('pass as they are, in the same arrays, when nothing is to be done', () => {
    const rows: Row[] = [[1n, 'a', 1n, null], [2n, 'b', 2n, null]];
    const plain = mapping(null, source);
    expect(plain.map(rows).batch.records.rows()).toBe(rows);
    const filtered = mapping('where: "total > 0"', source);
    expect(filtered.map(rows).batch.records.rows()).toBe(rows);
    expect(filtered.map([...rows, [3n, 'c', 0n, null]]).batch.records.rows()[0]).toBe(rows[0]);
  });

  it('keep text that nobody looked into as text', () => {
    const seen: string[] = [];
    const decode = (text: string): Cell => (seen.push(text), BigInt(text));
    const { map } = mapping('fields: { _id: id, t: total, plus: { expr: "total + 1" } }', source);
    const { batch } = map([['1', 'x', '41', null]], { decoders: [decode, null, decode, null] });
    expect(batch.records.rows()).toEqual([['1', '41', 42n]]);
    expect(seen).toEqual(['41']);
    expect(batch.records.textDialect).toBe('postgres');
    expect([0, 1, 2].map((index) => batch.records.decoder(index) === null)).toEqual([false, false, true]);
  });

  it('become dead letters when their text cannot be decoded', () => {
    const bad = () => {
      throw new Error('the value is 4711');
    };
    const { map } = mapping('fields: { _id: id, t: { expr: "total + 1" } }', source);
    expect(map([[1n, 'x', '4711', null]], { decoders: [null, null, bad, null] }).rejected).toEqual([{ index: 0, code: 'E_RECORD_UNREADABLE', message: "field 'total': the source's text does not stand for a int64" }]);
  });

  it('are deleted when they no longer pass `where`, or only left out', () => {
    const text = "where: \"status != 'draft'\"\nfields: { _id: id, total: total }";
    const rows: Row[] = [[1n, 'paid', 5n, null], [2n, 'draft', 6n, null], [3n, null, 7n, null]];
    const changes = mapping(text, source).map(rows);
    expect(changes.batch.records.rows()).toEqual([[1n, 5n], [2n, undefined], [3n, 7n]]);
    expect([...(changes.batch.ops ?? [])]).toEqual([0, 2, 0]);
    expect(changes).toMatchObject({ exits: 1, filtered: 0, origin: null });
    const load = mapping(text, source).map(rows, { exits: false });
    expect(load.batch.records.rows()).toEqual([[1n, 5n], [3n, 7n]]);
    expect(load).toMatchObject({ exits: 0, filtered: 1, origin: Uint32Array.of(0, 2), batch: { ops: null } });
    expect(mapping(text, source, { onExit: 'keep' }).map(rows)).toMatchObject({ exits: 0, filtered: 1 });
  });

  it('need both conditions, that of the mapping and that of the stream', () => {
    const { map, plan } = mapping('where: "total > 1"', source, { where: "status == 'a'" });
    expect(map([[1n, 'a', 2n, null], [2n, 'b', 2n, null], [3n, 'a', 1n, null]], { exits: false }).batch.records.rows()).toEqual([[1n, 'a', 2n, null]]);
    expect(plan.where.map((filter) => filter.expr)).toEqual(['total > 1', "status == 'a'"]);
  });

  it('do not pass a condition that is unknown', () => {
    expect(mapping('where: "total > 1"', source).map([[1n, 'a', null, null]], { exits: false })).toMatchObject({ filtered: 1, rejected: [] });
  });

  it('count as deleted when the soft delete says so, in a load as well', () => {
    const { map } = mapping('fields: { _id: id, total: total }', source, { deletesWhen: 'gone' });
    const rows: Row[] = [[1n, 'a', 5n, true], [2n, 'a', 6n, false], [3n, 'a', 7n, null]];
    for (const exits of [true, false]) {
      const { batch, exits: exited } = map(rows, { exits });
      expect([...(batch.ops ?? [])]).toEqual([2, 0, 0]);
      expect(batch.records.rows()).toEqual([[1n, undefined], [2n, 6n], [3n, 7n]]);
      expect(exited).toBe(0);
    }
  });

  it('keep their ops: deletes need the key alone, touches are looked up, truncates pass', () => {
    const { map } = mapping('where: "total > 0"\nfields: { _id: id, double: { expr: "total * 2" } }', source);
    const { batch, touches, origin } = map(
      [[1n, undefined, undefined, undefined], [2n, undefined, undefined, undefined], [undefined, undefined, undefined, undefined], [3n, 'x', 1n, null]],
      { ops: ['delete', 'touch', 'truncate', 'upsert'] },
    );
    expect(batch.records.rows()).toEqual([[1n, undefined], [undefined, undefined], [3n, 2n]]);
    expect([...(batch.ops ?? [])]).toEqual([2, 4, 0]);
    expect(touches).toEqual([1]);
    expect([...(origin ?? [])]).toEqual([0, 2, 3]);
  });

  it('patch only what changed, and are looked up when a cell is missing that is needed', () => {
    const text = 'fields: { _id: id, status: status, double: { expr: "total * 2" }, both: { expr: "status + string(total)" }, kind: { const: x } }';
    const plain = mapping('fields: { _id: id, status: status, double: { expr: "total * 2" }, kind: { const: x } }', source);
    const patch = { ops: ['patch'] } as const;
    expect(plain.map([[1n, 'a', undefined, undefined]], patch).batch.records.rows()).toEqual([[1n, 'a', undefined, undefined]]);
    expect(plain.map([[1n, undefined, 4n, undefined]], patch).batch.records.rows()).toEqual([[1n, undefined, 8n, undefined]]);
    expect(plain.map([[1n, null, undefined, undefined]], patch).batch.records.rows()).toEqual([[1n, null, undefined, undefined]]);
    expect(mapping(text, source).map([[1n, 'a', undefined, undefined]], patch)).toMatchObject({ touches: [0] });
    expect(mapping(text, source).map([[1n, 'a', 2n, undefined]], patch).batch.records.rows()).toEqual([[1n, 'a', 4n, 'a2', undefined]]);
    const filtered = mapping('where: "total > 0"', source);
    expect(filtered.map([[1n, 'a', undefined, undefined]], patch)).toMatchObject({ touches: [0] });
    expect(filtered.map([[1n, undefined, 5n, undefined]], patch).batch).toMatchObject({ ops: Uint8Array.of(1) });
    expect(filtered.map([[1n, undefined, 0n, undefined]], patch)).toMatchObject({ exits: 1, batch: { ops: Uint8Array.of(2) } });
  });

  it('are each accounted for', () => {
    const { map } = mapping('where: "total > 0"\nfields: { _id: id, n: { from: total, type: int32 } }', source);
    const record = fc.tuple(fc.bigInt({ min: 0n, max: 100n }), fc.constantFrom('a', null), fc.constantFrom(null, 0n, 1n, 2n ** 40n, undefined), fc.constant(null));
    const op = fc.constantFrom('upsert', 'patch', 'delete', 'touch', 'truncate');
    fc.assert(
      fc.property(fc.array(fc.tuple(record, op), { maxLength: 20 }), fc.boolean(), (records, exits) => {
        const { batch, origin, touches, rejected, filtered } = map(records.map(([row]) => row), { ops: records.map(([, one]) => one), exits });
        const mapped = origin === null ? [...records.keys()] : [...origin];
        expect(batch.records.count).toBe(mapped.length);
        expect(mapped.length + touches.length + rejected.length + filtered).toBe(records.length);
        expect(new Set([...mapped, ...touches, ...rejected.map((fault) => fault.index)]).size).toBe(records.length - filtered);
      }),
    );
  });

  it('give the same again when they are mapped again', () => {
    const { map } = mapping("where: \"status != 'x'\"\nfields: { _id: id, s: { from: status, mask: sha256 }, t: { from: total, shift: -2 } }", source);
    fc.assert(
      fc.property(fc.array(fc.tuple(carrier('int64'), carrier('text'), carrier('int64'), carrier('bool')), { maxLength: 10 }), (rows) => {
        const [first, second] = [map(rows), map(rows)];
        expect(second.batch.records.rows()).toEqual(first.batch.records.rows());
        expect(second.conversions).toEqual(first.conversions);
      }),
    );
  });

  it('leave passthrough cells identical, of every type', () => {
    const types = ['float64', 'decimal', 'bytes', 'timestamptz', 'json', 'text'] as const;
    const wide = shapeOf(Object.fromEntries([['id', 'int64'], ...types.map((type) => [type, type])]));
    const { map } = mapping(`fields: { _id: id, ${types.map((type) => `x_${type}: ${type}`).join(', ')}, one: { const: 1 } }`, wide);
    fc.assert(
      fc.property(fc.tuple(...types.map(carrier)), (cells) => {
        const out = map([[1n, ...cells]]).batch.records.rows()[0] as Row;
        cells.forEach((cell, index) => expect(Object.is(out[index + 1], cell)).toBe(true));
      }),
    );
  });

  it('survive values that are too deep, too large or no text at all', () => {
    const wide = shapeOf({ id: 'int64', name: 'text', payload: 'json' });
    const { map } = mapping('fields: { _id: id, up: { expr: "name.upper()" }, m: { from: name, mask: sha256 }, p: { from: payload.a.b, type: text } }', wide);
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const { rejected, batch } = map([[1n, 'x'.repeat(5_000_000), '{"a":{"b":1}}'], [2n, 'ok', deep], [3n, '\ud800\u0000', '{}']]);
    expect(batch.records.count).toBe(2);
    expect(rejected).toMatchObject([{ index: 1, code: 'E_RECORD_VALUE' }]);
  });

  it('in a wire form pass through a projection only', () => {
    const records = { form: 'pgcopy/binary' as const, count: 3, bytes: 30, textDialect: null, rows: () => { throw new Error('looked inside'); }, decoder: () => null, slice: () => records };
    const batch = { stream: 'orders', shape: source, records, ops: null, distinctKeys: true, cursor: null, position: { text: '' } };
    expect(mapping('fields: { _id: id, s: status, t: total, g: gone }', source).mapper.map(batch).batch.records).toBe(records);
    expect(() => mapping('fields: { _id: id, s: { expr: "status" } }', source).mapper.map(batch)).toThrow(expect.objectContaining({ code: 'E_BUG' }));
  });
});

describe('a plan', () => {
  const source = shapeOf({ id: 'int64', name: 'text', total: 'int64' });
  const text = 'where: "total > 0"\nfields: { _id: id, m: { from: name, mask: { hmac: "${KEY}" } }, x: { expr: "total + 1" }, l: { from: total, lookup: { "1": one }, default: null } }';

  it('is frozen plain data that survives JSON, without secrets', async () => {
    const { compileMapping } = await import('../../src/mapping/compile.ts');
    const { plan, map } = mapping(text, source);
    expect(Object.isFrozen(plan)).toBe(true);
    const json = JSON.stringify(plan);
    expect(json).not.toContain('the key');
    expect(JSON.stringify(plan.hashInput)).toContain('${KEY}');
    const again = compileMapping(JSON.parse(json) as typeof plan, source, secrets);
    const rows: Row[] = [[1n, 'a', 1n], [2n, 'b', 0n]];
    const batch = { stream: 'orders', shape: source, records: (await import('../../src/model/records.ts')).cellRecords({ rows, bytes: 1 }), ops: null, distinctKeys: true, cursor: null, position: { text: '' } };
    expect(again.map(batch).batch.records.rows()).toEqual(map(rows).batch.records.rows());
  });

  it('has a hash input that changes with what is written, and not with the shape', () => {
    const hash = (mappingText: string | null, shape = source, options = {}) => JSON.stringify(mapping(mappingText, shape, options).plan.hashInput);
    expect(hash(text)).toBe(hash(`# a comment\n${text}`));
    expect(hash(text)).not.toBe(hash(text.replace('total > 0', 'total > 1')));
    expect(hash(null)).toBe(hash(null, shapeOf({ id: 'int64', other: 'text' })));
    expect(hash(null)).not.toBe(hash(null, source, { where: 'total > 1' }));
    expect(hash(null)).not.toBe(hash(null, source, { deletesWhen: 'total > 1' }));
  });

  it('runs on records that hold the fields in another order, or fewer of them', async () => {
    const { compileMapping } = await import('../../src/mapping/compile.ts');
    const { cellRecords } = await import('../../src/model/records.ts');
    const { plan } = mapping('fields: { _id: id, x: { expr: "total + 1" } }', source);
    const other = shapeOf({ total: 'int64', id: 'int64' }, ['id']);
    const mapper = compileMapping(plan, other, secrets);
    const batch = { stream: 'orders', shape: other, records: cellRecords({ rows: [[5n, 1n]], bytes: 1 }), ops: null, distinctKeys: true, cursor: null, position: { text: '' } };
    expect(mapper.map(batch).batch.records.rows()).toEqual([[1n, 6n]]);
  });

  it('refuses a shape that lost or retyped what it reads', async () => {
    const { compileMapping } = await import('../../src/mapping/compile.ts');
    const { plan } = mapping('fields: { _id: id, x: { expr: "total + 1" } }', source);
    for (const shape of [shapeOf({ id: 'int64' }), shapeOf({ id: 'text', total: 'int64' }), shapeOf({ id: 'int64', total: 'text' })]) {
      expect(() => compileMapping(plan, shape, secrets)).toThrow(expect.objectContaining({ code: 'E_PLAN_CHANGED' }));
    }
  });
});

it('the example of the documentation passes its cases', async () => {
  const { runCases } = await import('../../src/mapping/cases.ts');
  const read = (name: string) => readFileSync(new URL(`../../mappings/${name}`, import.meta.url), 'utf8');
  const { cases, diagnostics } = runCases({ file: 'orders.test.yaml', text: read('orders.test.yaml'), mapping: { file: 'orders.yaml', text: read('orders.yaml') } });
  expect(diagnostics).toEqual([]);
  expect(cases.length).toBeGreaterThan(4);
  expect(cases.filter((one) => !one.passed)).toEqual([]);
  expect(fitsType('int64', 'x')).toBe(false);
});
