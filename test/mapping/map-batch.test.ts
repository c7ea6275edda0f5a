import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { Cell, Row } from '../../src/model/cell.ts';
import { carrier } from '../model/arbitraries.ts';
import { mapping, shapeOf } from './mapping-fixture.ts';

describe('records through a mapping', () => {
  const source = shapeOf({ id: 'int64', status: 'text', total: 'int64', gone: 'bool' });

  it('pass as they are, in the same arrays, when nothing is to be done', () => {
    const rows: Row[] = [
      [1n, 'a', 1n, null],
      [2n, 'b', 2n, null],
    ];
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
    expect(map([[1n, 'x', '4711', null]], { decoders: [null, null, bad, null] }).rejected).toEqual([
      { index: 0, code: 'E_RECORD_UNREADABLE', message: "field 'total': the source's text does not stand for a int64" },
    ]);
  });

  it('are deleted when they no longer pass `where`, or only left out', () => {
    const text = 'where: "status != \'draft\'"\nfields: { _id: id, total: total }';
    const rows: Row[] = [
      [1n, 'paid', 5n, null],
      [2n, 'draft', 6n, null],
      [3n, null, 7n, null],
    ];
    const changes = mapping(text, source).map(rows);
    expect(changes.batch.records.rows()).toEqual([
      [1n, 5n],
      [2n, undefined],
      [3n, 7n],
    ]);
    expect([...(changes.batch.ops ?? [])]).toEqual([0, 2, 0]);
    expect(changes).toMatchObject({ exits: 1, filtered: 0, origin: null });
    const load = mapping(text, source).map(rows, { exits: false });
    expect(load.batch.records.rows()).toEqual([
      [1n, 5n],
      [3n, 7n],
    ]);
    expect(load).toMatchObject({ exits: 0, filtered: 1, origin: Uint32Array.of(0, 2), batch: { ops: null } });
    expect(mapping(text, source, { onExit: 'keep' }).map(rows)).toMatchObject({ exits: 0, filtered: 1 });
  });

  it('need both conditions, that of the mapping and that of the stream', () => {
    const { map, plan } = mapping('where: "total > 1"', source, { where: "status == 'a'" });
    expect(
      map(
        [
          [1n, 'a', 2n, null],
          [2n, 'b', 2n, null],
          [3n, 'a', 1n, null],
        ],
        { exits: false },
      ).batch.records.rows(),
    ).toEqual([[1n, 'a', 2n, null]]);
    expect(plan.where.map((filter) => filter.expr)).toEqual(['total > 1', "status == 'a'"]);
  });

  it('do not pass a condition that is unknown', () => {
    expect(mapping('where: "total > 1"', source).map([[1n, 'a', null, null]], { exits: false })).toMatchObject({
      filtered: 1,
      rejected: [],
    });
  });

  it('count as deleted when the soft delete says so, in a load as well', () => {
    const { map } = mapping('fields: { _id: id, total: total }', source, { deletesWhen: 'gone' });
    const rows: Row[] = [
      [1n, 'a', 5n, true],
      [2n, 'a', 6n, false],
      [3n, 'a', 7n, null],
    ];
    for (const exits of [true, false]) {
      const { batch, exits: exited } = map(rows, { exits });
      expect([...(batch.ops ?? [])]).toEqual([2, 0, 0]);
      expect(batch.records.rows()).toEqual([
        [1n, undefined],
        [2n, 6n],
        [3n, 7n],
      ]);
      expect(exited).toBe(0);
    }
  });

  it('keep their ops: deletes need the key alone, touches are looked up, truncates pass', () => {
    const { map } = mapping('where: "total > 0"\nfields: { _id: id, double: { expr: "total * 2" } }', source);
    const { batch, touches, origin } = map(
      [
        [1n, undefined, undefined, undefined],
        [2n, undefined, undefined, undefined],
        [undefined, undefined, undefined, undefined],
        [3n, 'x', 1n, null],
      ],
      { ops: ['delete', 'touch', 'truncate', 'upsert'] },
    );
    expect(batch.records.rows()).toEqual([
      [1n, undefined],
      [undefined, undefined],
      [3n, 2n],
    ]);
    expect([...(batch.ops ?? [])]).toEqual([2, 4, 0]);
    expect(touches).toEqual([1]);
    expect([...(origin ?? [])]).toEqual([0, 2, 3]);
  });

  it('patch only what changed, and are looked up when a cell is missing that is needed', () => {
    const text =
      'fields: { _id: id, status: status, double: { expr: "total * 2" }, both: { expr: "status + string(total)" }, kind: { const: x } }';
    const plain = mapping('fields: { _id: id, status: status, double: { expr: "total * 2" }, kind: { const: x } }', source);
    const patch = { ops: ['patch'] } as const;
    expect(plain.map([[1n, 'a', undefined, undefined]], patch).batch.records.rows()).toEqual([[1n, 'a', undefined, undefined]]);
    expect(plain.map([[1n, undefined, 4n, undefined]], patch).batch.records.rows()).toEqual([[1n, undefined, 8n, undefined]]);
    expect(plain.map([[1n, null, undefined, undefined]], patch).batch.records.rows()).toEqual([[1n, null, undefined, undefined]]);
    expect(mapping(text, source).map([[1n, 'a', undefined, undefined]], patch)).toMatchObject({ touches: [0] });
    expect(
      mapping(text, source)
        .map([[1n, 'a', 2n, undefined]], patch)
        .batch.records.rows(),
    ).toEqual([[1n, 'a', 4n, 'a2', undefined]]);
    const filtered = mapping('where: "total > 0"', source);
    expect(filtered.map([[1n, 'a', undefined, undefined]], patch)).toMatchObject({ touches: [0] });
    expect(filtered.map([[1n, undefined, 5n, undefined]], patch).batch).toMatchObject({ ops: Uint8Array.of(1) });
    expect(filtered.map([[1n, undefined, 0n, undefined]], patch)).toMatchObject({ exits: 1, batch: { ops: Uint8Array.of(2) } });
  });

  it('are each accounted for', () => {
    const { map } = mapping('where: "total > 0"\nfields: { _id: id, n: { from: total, type: int32 } }', source);
    const record = fc.tuple(
      fc.bigInt({ min: 0n, max: 100n }),
      fc.constantFrom('a', null),
      fc.constantFrom(null, 0n, 1n, 2n ** 40n, undefined),
      fc.constant(null),
    );
    const op = fc.constantFrom('upsert', 'patch', 'delete', 'touch', 'truncate');
    fc.assert(
      fc.property(fc.array(fc.tuple(record, op), { maxLength: 20 }), fc.boolean(), (records, exits) => {
        const { batch, origin, touches, rejected, filtered } = map(
          records.map(([row]) => row),
          { ops: records.map(([, one]) => one), exits },
        );
        const mapped = origin === null ? [...records.keys()] : [...origin];
        expect(batch.records.count).toBe(mapped.length);
        expect(mapped.length + touches.length + rejected.length + filtered).toBe(records.length);
        expect(new Set([...mapped, ...touches, ...rejected.map((fault) => fault.index)]).size).toBe(records.length - filtered);
      }),
    );
  });

  it('give the same again when they are mapped again', () => {
    const { map } = mapping(
      'where: "status != \'x\'"\nfields: { _id: id, s: { from: status, mask: sha256 }, t: { from: total, shift: -2 } }',
      source,
    );
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
    const wide = shapeOf({
      id: 'int64',
      float64: 'float64',
      decimal: 'decimal',
      bytes: 'bytes',
      timestamptz: 'timestamptz',
      json: 'json',
      text: 'text',
    });
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
    const { map } = mapping(
      'fields: { _id: id, up: { expr: "name.upper()" }, m: { from: name, mask: sha256 }, p: { from: payload.a.b, type: text } }',
      wide,
    );
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const { rejected, batch } = map([
      [1n, 'x'.repeat(5_000_000), '{"a":{"b":1}}'],
      [2n, 'ok', deep],
      [3n, '\ud800\u0000', '{}'],
    ]);
    expect(batch.records.count).toBe(2);
    expect(rejected).toMatchObject([{ index: 1, code: 'E_RECORD_VALUE' }]);
  });

  it('in a wire form pass untouched where each is its own mapping, and are looked into otherwise', () => {
    const records = {
      form: 'pgcopy/binary' as const,
      wire: [],
      count: 3,
      bytes: 30,
      textDialect: null,
      rows: () => {
        throw new Error('looked inside');
      },
      decoder: () => null,
      slice: () => records,
    };
    const batch = { stream: 'orders', shape: source, records, ops: null, distinctKeys: true, cursor: null, position: { text: '' } };
    expect(mapping('fields: { _id: id, s: status, t: total, g: gone }', source).mapper.map(batch).batch.records).toBe(records);
    expect(() => mapping('fields: { _id: id, s: { expr: "status" } }', source).mapper.map(batch)).toThrow('looked inside');
  });
});
