import { Decimal128, Double, Int32, Long, deserialize, serialize } from 'bson';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { rawDocument, rawElements } from '../../../connectors/mongodb/bson/read.ts';
import { jsonDocument } from '../../../connectors/mongodb/bson/json-document.ts';
import { jsonText } from '../../../connectors/mongodb/bson/json-text.ts';
import { canonicalizer } from '../../../src/reconcile/canonical.ts';
import type { OnLoss, Row } from '../../../src/sdk.ts';
import { createMongoDatabase, describeWithMongo } from '../../servers/mongo.ts';
import { NEVER, openSource, rowsOf, streamRef } from './source-kit.ts';
import { openTarget, streamOf, written } from './target-kit.ts';

const canonical = canonicalizer('json');

/** Through BSON and back. */
function roundTrip(text: string): string {
  const bytes = serialize(new Map([['v', jsonDocument(text, 'a field').value]]) as never);
  const [element] = rawElements(rawDocument(bytes));
  return jsonText((element as NonNullable<typeof element>).value, 'a field');
}

it('JSON comes back from BSON with the same value, and a number with the type that it was written by', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (text) => {
      expect(canonical(roundTrip(text))).toBe(canonical(text));
    }),
  );
  const numerals = ['0', '-1', '2147483648', '9223372036854775807', '1.5', '1.0', '1e300', '-0', '0.1'];
  const long = ['9223372036854775809', '12345678901234567890.123', '0.1000000000000000000000001', '-98765432109876543210', '1e-400'];
  for (const text of [...numerals, ...long, '{"1":{"":[],"b":null},"a.b":{"$x":"y"},"__proto__":[[],{}]}'])
    expect([text, canonical(roundTrip(text))]).toEqual([text, canonical(text)]);
  const types = numerals.map((text) => jsonDocument(text, 'a field').value?.constructor);
  expect(types).toEqual([Int32, Int32, Long, Long, Double, Double, Double, Double, Double]);
  expect(long.map((text) => jsonDocument(text, 'a field').value instanceof Decimal128)).toEqual(long.map(() => true));
  expect(Object.keys(deserialize(serialize(jsonDocument('{"b":1,"a":2}', 'a field').value as never)))).toEqual(['b', 'a']);
});

it('JSON that no document holds is refused by name, without its text', () => {
  const refused = ['{', '[1,]', '"\\ud800"', '{"\\u0000":1}', `${'['.repeat(101)}1${']'.repeat(101)}`];
  for (const text of refused) expect(() => jsonDocument(text, "field 'j'")).toThrow(/^field 'j'/);
  expect(() => jsonDocument('1e7000', "field 'j'")).toThrow(expect.objectContaining({ code: 'E_RECORD_LOSS' }) as Error);
});

describeWithMongo('json in documents of MongoDB', () => {
  it('is sub-documents, arrays and values, written and changed as a whole, and read again as the same json', async () => {
    await using database = await createMongoDatabase('json');
    const target = openTarget(database.url);
    const one = streamOf({ id: 'int64', j: 'json', list: { list: 'json' } });
    const rows: Row[] = [
      [1n, '{"name": "Ada", "tags": ["a", {"n": 1.50}], "big": 12345678901234567890.5, "$odd": {"a.b": null, "": 1}}', ['{"x": 1}', null]],
      [2n, '"text"', []],
      [3n, null, null],
    ];
    expect((await written(target, one, rows)).counts).toMatchObject({ upserted: 3 });
    const [first] = await database.db.collection('orders').find({ 'j.tags.n': 1.5 }).toArray();
    expect(first?.['j']).toMatchObject({ name: 'Ada', tags: ['a', { n: 1.5 }], big: new Decimal128('12345678901234567890.5') });
    expect((await written(target, one, rows)).counts).toMatchObject({ upserted: 0, unchanged: 3 });
    expect((await written(target, one, [[1n, '{"other": []}', null]])).counts).toMatchObject({ upserted: 1 });
    expect((await database.db.collection('orders').findOne({ _id: 1n as never }))?.['j']).toEqual({ other: [] });
    const scanned = await Array.fromAsync(target.scan?.({ stream: one, fields: ['id', 'j'], signal: NEVER }) ?? []);
    expect(scanned.flatMap(({ records }) => records.rows())).toEqual([
      [1n, '{"other":[]}'],
      [2n, '"text"'],
      [3n, null],
    ]);
    await target.close();
  });

  it('loses nothing by default, and what the policy says, counted; as text it loses nothing at all', async () => {
    await using database = await createMongoDatabase('json');
    const target = openTarget(database.url);
    const rows: Row[] = ['null', '{"a":1,"a":2}', `{"n":${'1'.repeat(40)}}`, '[null, 1]'].map((text, id) => [BigInt(id), text]);
    const withPolicy = (onLoss: OnLoss) => streamOf({ id: 'int64', j: 'json' }, { onLoss: ['error', onLoss] });
    const strict = await written(target, withPolicy('error'), rows);
    expect(strict.faults.map(({ index, code }) => [index, code])).toEqual([0, 1, 2].map((index) => [index, 'E_RECORD_LOSS']));
    const cut = await written(target, withPolicy('truncate'), rows);
    expect(cut.faults).toEqual([]);
    expect(cut.conversions.map(({ kind, count }) => [kind, count])).toEqual([
      ['json-null', 1],
      ['repeated-name', 1],
      ['rounded', 1],
    ]);
    expect((await written(target, withPolicy('text'), rows)).conversions).toMatchObject([{ kind: 'text', count: 3 }]);
    const { streams } = await target.plan([withPolicy('error')], NEVER);
    expect(streams[0]?.fields[1]).toMatchObject({
      targetType: 'object, array or value',
      loss: /: error$/.exec('x: error') && expect.any(String),
    });
    await target.close();
    const asText = openTarget(database.url, { json: 'text' });
    expect((await written(asText, withPolicy('error'), rows)).faults).toEqual([]);
    expect((await database.db.collection('orders').findOne({ _id: 1n as never }))?.['j']).toBe('{"a":1,"a":2}');
    await asText.close();
  });

  it('is read from sub-documents where the config declares it; what JSON has no notation for is a letter by key', async () => {
    await using database = await createMongoDatabase('json');
    const values = [{ n: new Double(5), big: Long.fromString('9007199254740993') }, [1, 'a', null], 'text', new Date(0)];
    await database.db.collection('things').insertMany(values.map((j, index) => ({ _id: index as never, j })));
    const source = openSource(database.url, { collections: { things: { fields: { j: 'json' } } } });
    const batches = await Array.fromAsync(source.scan?.(streamRef('things'), NEVER) ?? []);
    expect(rowsOf(batches).map(({ j }) => j)).toEqual(['{"n":5.0,"big":9007199254740993}', '[1,"a",null]', '"text"']);
    expect(batches.flatMap(({ rejected = [] }) => rejected)).toMatchObject([
      { key: [3], code: 'E_RECORD_VALUE', message: expect.stringContaining("field 'j'") as string },
    ]);
    await source.close();
  });
});
