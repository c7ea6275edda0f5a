import { describe, expect, it } from 'vitest';
import { checkEmbeds, embeddedFields } from '../../src/mapping/check-embed.ts';
import { nestFields } from '../../src/mapping/nested-fields.ts';
import { cellOrder } from '../../src/mapping/order-cells.ts';
import { parseMapping } from '../../src/mapping/parse.ts';
import { diagnosticText } from '../../src/model/diagnostic.ts';
import { typeText } from '../../src/model/logical-type.ts';
import type { LogicalType } from '../../src/model/logical-type.ts';
import { secrets, shapeOf } from './mapping-fixture.ts';

const ORDERS = shapeOf({ id: 'int32', code: 'text', at: 'timestamptz' });
const STREAMS = new Map([
  ['orders', ORDERS],
  ['items', shapeOf({ id: 'int64', order_id: 'int64', sku: 'text', doc: 'json', took: 'interval' })],
  ['parts', shapeOf({ item_id: 'int64', no: 'int32', label: 'text' }, ['item_id', 'no'])],
  ['keyless', shapeOf({ a: 'int32' }, [])],
]);

function embed(text: string) {
  const { mapping, diagnostics } = parseMapping({ file: 'm.yaml', text });
  if (mapping === null) throw new Error(diagnostics.map(diagnosticText).join('\n'));
  return checkEmbeds({
    mapping,
    embeds: mapping.embeds,
    parent: { stream: 'orders', shape: ORDERS },
    streams: STREAMS,
    secrets,
    timezone: 'UTC',
    onLoss: 'error',
  });
}

describe('an embed', () => {
  it('is an array of documents, or one, with documents and arrays inside', () => {
    const { embeds, diagnostics } = embed(
      'embed: { items: { from: items, on: { order_id: id }, fields: { "a.sku": sku, "a.id": id }, embed: { parts: { from: parts, on: { item_id: id } } } }, last: { from: items, on: { sku: code }, one: true, fields: { sku: sku } } }',
    );
    expect(diagnostics).toEqual([]);
    expect(embeds.map(({ field }) => [field.name, typeText(field.type), field.nullable])).toEqual([
      ['embed:items', 'list<struct<a: struct<sku: text, id: int64>, parts: list<struct<item_id: int64, no: int32, label: text>>>>', false],
      ['embed:last', 'struct<sku: text>', true],
    ]);
    expect(embeds[0]?.mapping.reads).toEqual(['id', 'order_id', 'sku']);
    expect(embeddedFields(embeds, 'error').reads).toEqual(['id', 'code']);
  });

  it.each([
    [
      'from: item, on: { order_id: id }',
      "m.yaml:1:21 [E_MAPPING_INVALID] 'item' is not a stream of the source. Streams: orders, items, parts, keyless. Did you mean 'items'?",
    ],
    ['from: items, on: { orderid: id }', "m.yaml:1:34 [E_MAPPING_INVALID] 'orderid' is not a field of source stream 'items'"],
    ['from: items, on: { order_id: ids }', "m.yaml:1:44 [E_MAPPING_INVALID] 'ids' is not a field of source stream 'orders'"],
    [
      'from: items, on: { order_id: code }',
      "[E_MAPPING_TYPE] 'order_id' of 'items' is int64, 'code' of 'orders' is text: such values are not looked up by each other",
    ],
    [
      'from: items, on: { order_id: id }, orderBy: [took]',
      "m.yaml:1:60 [E_MAPPING_TYPE] 'took' is interval, which has no order that every system shares",
    ],
    [
      'from: items, on: { order_id: id }, fields: { a: skuu }',
      "m.yaml:1:63 [E_MAPPING_INVALID] 'skuu' is not a field of source stream 'items'",
    ],
    ['from: items, on: { order_id: id }, fields: { a: sku, a.b: id }', "'a.b' stands where another field of 'x' is, or lies inside of one"],
    ['from: items, on: { order_id: id }, drop: [order_id]', "'order_id' is dropped, but the mapping reads it"],
    ['from: keyless, on: { a: id }', "[E_STREAM_KEY] 'keyless' has no key, so its records cannot be told apart"],
    [
      'from: items, on: { order_id: id }, embed: { p: { from: parts, on: { item_id: idd } } }',
      "'idd' is not a field of source stream 'items'",
    ],
  ])('{ %s } is refused at its place', (text, problem) => {
    const { embeds, diagnostics } = embed(`embed: { x: { ${text} } }`);
    expect(embeds).toEqual([]);
    expect(diagnostics.map(diagnosticText)).toEqual([expect.stringContaining(problem)]);
  });
});

describe('the order of embedded records', () => {
  const cases: readonly (readonly [LogicalType, readonly unknown[]])[] = [
    ['int64', [-2n, 0n, 10n, null]],
    ['decimal', ['-Infinity', '-1.5', '0', '2', '10.0', 'Infinity', 'NaN', null]],
    ['float64', [-Infinity, -1, 0, 2, Infinity, Number.NaN, null]],
    ['text', ['', 'B', 'a', 'z', 'ä', '😀', null]],
    ['date', ['-infinity', '0044-03-15 BC', '0001-01-01', '2026-02-01', '10000-01-01', 'infinity', null]],
    ['bool', [false, true, null]],
  ];
  it.each(cases)('of %s is by value, NULL last', (type, ascending) => {
    expect(ascending.toReversed().toSorted(cellOrder(type) as (a: unknown, b: unknown) => number)).toEqual(ascending);
    expect(ascending.toSorted(cellOrder(type, true) as (a: unknown, b: unknown) => number)).toEqual(ascending.toReversed());
  });
});

describe('names that are paths', () => {
  it('make documents, and a dot that is escaped stays in the name', () => {
    const nested = nestFields(['a.b', 'c', 'a.d.e', 'f\\.g'].map((name) => ({ name, type: 'text' as const, nullable: true })));
    if (typeof nested === 'string') throw new Error(nested);
    expect(typeText({ struct: nested.fields })).toBe('struct<a: struct<b: text, d: struct<e: text>>, c: text, f.g: text>');
    expect(nested.nest(['1', '2', '3', '4'])).toEqual([['1', ['3']], '2', '4']);
  });
});
