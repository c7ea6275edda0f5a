import { Binary, Decimal128, Double, Int32, Long, ObjectId, serialize } from 'bson';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { rawDocument } from '../../../connectors/mongodb/bson/read.ts';
import type { BsonValue } from '../../../connectors/mongodb/bson/value.ts';
import { extendedJson } from '../../../connectors/mongodb/bson/ejson-write.ts';
import { toBson } from '../../../connectors/mongodb/bson/to-bson.ts';
import type { Batch, Cell, Field } from '../../../src/sdk.ts';
import { createMongoDatabase, describeWithMongo } from '../../servers/mongo.ts';
import type { TestMongo } from '../../servers/mongo.ts';
import { bsonDocument } from './bson-values.ts';
import { NEVER, openSource, rowsOf, streamRef } from './source-kit.ts';
import type { More } from './source-kit.ts';

async function scan(database: TestMongo, more: More = {}, ref = streamRef('things')): Promise<Batch[]> {
  const source = openSource(database.url, more);
  try {
    return await Array.fromAsync(source.scan?.(ref, NEVER) ?? []);
  } finally {
    await source.close();
  }
}

/** What the server holds, to the byte. */
async function stored(database: TestMongo): Promise<Map<string, Uint8Array>> {
  const raw = (await database.db.collection('things').find({}, { raw: true }).toArray()) as unknown as Uint8Array[];
  return new Map(raw.map((bytes) => [idOf(bytes), bytes]));
}

function idOf(bytes: Uint8Array): string {
  return /^\{"_id":(\{"\$numberInt":"\d+"\})/.exec(extendedJson(rawDocument(bytes)))?.[1] ?? '';
}

const TO = { extendedJson: true, place: 'a cell' };

/** The documents of batches, made again from nothing but their cells: fields at their paths, and `*` beside them. */
function rebuilt(batches: readonly Batch[]): Map<string, BsonValue>[] {
  return batches.flatMap(({ shape, records }) =>
    records.rows().map((row) => {
      const document = new Map<string, BsonValue>();
      for (const [index, field] of shape.fields.entries()) put(document, field, row[index]);
      return document;
    }),
  );
}

function put(document: Map<string, BsonValue>, field: Field, cell: Cell): void {
  if (cell === null || cell === undefined) return;
  const value = toBson(field.type, cell, TO);
  if (field.name === '*') return merge(document, value as Map<string, BsonValue>);
  const path = field.name.split('.');
  let at = document;
  for (const name of path.slice(0, -1)) {
    const inner = (at.get(name) ?? new Map()) as Map<string, BsonValue>;
    at.set(name, inner);
    at = inner;
  }
  at.set(path.at(-1) as string, value);
}

function merge(into: Map<string, BsonValue>, from: Map<string, BsonValue>): void {
  for (const [name, value] of from) {
    const there = into.get(name);
    if (there instanceof Map && value instanceof Map) merge(there as Map<string, BsonValue>, value as Map<string, BsonValue>);
    else into.set(name, value);
  }
}

/** With the names of every document in one order, in text: what is left of a document when order does not count. */
function unordered(bytes: Uint8Array): string {
  const sort = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sort);
    if (typeof value !== 'object' || value === null) return value;
    return Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sort(inner)]);
  };
  return JSON.stringify(sort(JSON.parse(extendedJson(rawDocument(bytes)).replaceAll('"__proto__":', '"__PROTO__":'))));
}

describeWithMongo('connectors: mongodb values through a server', () => {
  it('delivers whole documents so that the same bytes can be written again, whatever is in them', async () => {
    const database = await createMongoDatabase('whole');
    const documents = fc.sample(bsonDocument, { numRuns: 400, seed: 11 });
    for (const [index, document] of documents.entries())
      await database.db.collection('things').insertOne(new Map<string, BsonValue>([['_id', new Int32(index)], ...document]) as never);
    const before = await stored(database);
    const after = rebuilt(await scan(database, { documents: 'whole' }));
    expect(after).toHaveLength(before.size);
    for (const document of after) {
      const bytes = serialize(document as never);
      expect(Buffer.from(bytes).toString('hex')).toBe(Buffer.from(before.get(idOf(bytes)) ?? []).toString('hex'));
    }
  });

  it('loses nothing of a document that it takes apart into fields but the order of its names', async () => {
    const database = await createMongoDatabase('apart');
    const common = (index: number) =>
      new Map<string, BsonValue>([
        ['n', index % 5 === 0 ? null : new Int32(index)],
        [
          'customer',
          index % 7 === 0
            ? new Map()
            : new Map<string, BsonValue>([
                ['name', `c${index}`],
                ['address', new Map([['city', 'x']])],
                ['note', null],
              ]),
        ],
      ]);
    const documents = fc.sample(bsonDocument, { numRuns: 300, seed: 12 });
    for (const [index, document] of documents.entries())
      await database.db
        .collection('things')
        .insertOne(new Map<string, BsonValue>([['_id', new Int32(index)], ...document, ...common(index)]) as never);
    const before = await stored(database);
    const batches = await scan(database);
    expect(batches[0]?.shape.fields.map((field) => field.name)).toEqual(
      expect.arrayContaining(['_id', 'n', 'customer.name', 'customer.address.city', '*']),
    );
    const after = rebuilt(batches);
    expect(after).toHaveLength(before.size);
    for (const document of after) {
      const bytes = serialize(document as never);
      expect(unordered(bytes)).toBe(unordered(before.get(idOf(bytes)) ?? new Uint8Array()));
    }
  });

  it('tells what is null from what is absent, and int32, int64, double and decimal apart', async () => {
    const database = await createMongoDatabase('kinds');
    await database.db.collection('things').insertMany([
      {
        _id: 1 as never,
        i: new Int32(1),
        l: Long.fromNumber(1),
        d: new Double(1),
        m: Decimal128.fromString('1.0'),
        mixed: new Int32(1),
        maybe: 'x',
      },
      {
        _id: 2 as never,
        i: new Int32(2),
        l: Long.fromBigInt(2n ** 62n),
        d: new Double(-0),
        m: Decimal128.fromString('NaN'),
        mixed: 'one',
        maybe: null,
      },
      {
        _id: 3 as never,
        i: new Int32(3),
        l: Long.fromNumber(3),
        d: new Double(Number.NaN),
        m: Decimal128.fromString('1E+3'),
        mixed: new Double(1),
      },
    ]);
    const batches = await scan(database);
    expect(Object.fromEntries(batches[0]?.shape.fields.map((field) => [field.name, field.type]) ?? [])).toEqual({
      _id: 'int32',
      i: 'int32',
      l: 'int64',
      d: 'float64',
      m: 'decimal',
      mixed: 'variant',
      maybe: 'text',
      '*': 'variant',
    });
    const rows = rowsOf(batches);
    expect(rows.map((row) => [row['i'], row['l'], row['d'], row['m']])).toEqual([
      [1, 1n, 1, '1.0'],
      [2, 2n ** 62n, -0, 'NaN'],
      [3, 3n, Number.NaN, '1E+3'],
    ]);
    expect(rows.map((row) => row['mixed'])).toEqual([
      { variant: 'int32', value: 1 },
      { variant: 'text', value: 'one' },
      { variant: 'float64', value: 1 },
    ]);
    expect(rows.map((row) => [row['maybe'], row['*']])).toEqual([
      ['x', null],
      [null, { variant: 'struct<maybe: variant>', value: [null] }],
      [null, null],
    ]);
  });

  it('never delivers what is dropped, neither as a field nor inside of *', async () => {
    const database = await createMongoDatabase('drop');
    await database.db.collection('things').insertMany(
      Array.from({ length: 60 }, (_, index) => ({
        _id: index as never,
        pin: 'secret',
        a: { pin: 'secret', b: 1 },
        ...(index === 5 ? { rare: 'secret' } : {}),
      })),
    );
    const batches = await scan(database, {}, streamRef('things', { except: ['pin', 'a.pin', 'rare'] }));
    expect(JSON.stringify(rowsOf(batches))).not.toContain('secret');
    expect(rowsOf(batches)).toHaveLength(60);
  });

  it('converts to a declared type where that is exact, and rejects the document by its key where it is not', async () => {
    const database = await createMongoDatabase('declared');
    await database.db.collection('things').insertMany([
      { _id: 1 as never, total: new Int32(5), name: 'a' },
      { _id: 2 as never, total: Decimal128.fromString('2.50'), name: 'b' },
      { _id: 3 as never, total: 'many', name: 'c' },
      { _id: 4 as never, name: 'd', raw: new Binary(Buffer.from('x'), 0) },
    ]);
    const batches = await scan(database, { collections: { things: { fields: { total: 'decimal' } } } });
    expect(rowsOf(batches).map((row) => [row['_id'], row['total']])).toEqual([
      [1, '5'],
      [2, '2.50'],
      [4, null],
    ]);
    expect(batches.flatMap((batch) => batch.rejected ?? [])).toEqual([
      { key: [3], position: '_id {"$numberInt":"3"}', code: 'E_RECORD_VALUE', message: expect.stringMatching(/^field 'total'.*decimal/) },
    ]);
  });

  it('widens a field at the document that does not fit, wherever it stands, and loses none', async () => {
    const database = await createMongoDatabase('widen');
    const things = database.db.collection('things');
    await things.insertMany(Array.from({ length: 5000 }, (_, index) => ({ _id: index as never, n: new Int32(index) })));
    await things.insertMany(Array.from({ length: 100 }, (_, index) => ({ _id: (6000 + index) as never, n: new Int32(index) })));
    const source = openSource(database.url, { sample: 40 });
    const plan = await source.plan([streamRef('things', { changes: { by: 'snapshot' } })], NEVER);
    expect(plan.streams[0]?.shape.fields.find((field) => field.name === 'n')?.type).toBe('int32');
    await things.updateOne({ _id: 3001 as never }, { $set: { n: 'three', added: new ObjectId() } });
    const read = async () => Array.fromAsync(source.scan?.(streamRef('things'), NEVER) ?? []);
    const rows = rowsOf(await read());
    expect(rows).toHaveLength(5100);
    expect(rows.find((row) => row['_id'] === 3001)?.['n']).toEqual({ variant: 'text', value: 'three' });
    expect(rows.find((row) => row['_id'] === 3001)?.['*']).toMatchObject({ variant: 'struct<added: objectId>' });
    const again = await source.plan([streamRef('things', { changes: { by: 'snapshot' } })], NEVER);
    expect(again.streams[0]?.shape.fields.find((field) => field.name === 'n')?.type).toBe('variant');
    expect(new Set((await read()).map((batch) => batch.shape)).size).toBe(1);
    await source.close();
  });
});
