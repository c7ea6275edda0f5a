import { Binary, BSONRegExp, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp } from 'bson';
import { expect, it } from 'vitest';
import { rawDocument } from '../../../connectors/mongodb/bson/read.ts';
import type { BsonValue } from '../../../connectors/mongodb/bson/value.ts';
import { rawAt } from '../../../connectors/mongodb/read/decode.ts';
import { extendedJson } from '../../../connectors/mongodb/bson/ejson-write.ts';
import { after, all, ordered } from '../../../connectors/mongodb/read/order.ts';
import type { Batch, Cursor } from '../../../src/sdk.ts';
import { createMongoDatabase, describeWithMongo } from '../../servers/mongo.ts';
import type { TestMongo } from '../../servers/mongo.ts';
import { cursorAfter, drainOnce, fetchRequest, NEVER, openSource, rowsOf, streamRef } from './source-kit.ts';

/** One of every type, several of those whose order is easily got wrong. */
const VALUES: readonly BsonValue[] = [
  new MinKey(),
  new Double(Number.NaN),
  new Double(-Infinity),
  new Int32(-1),
  Decimal128.fromString('-0.5'),
  new Double(-0),
  new Int32(0),
  new Int32(5),
  new Double(5),
  Long.fromNumber(5),
  Decimal128.fromString('5.0'),
  Long.fromBigInt(2n ** 60n),
  new Double(2 ** 60),
  '',
  'a',
  'B',
  '$x',
  new Map(),
  new Map<string, BsonValue>([
    ['10', 'a'],
    ['2', 'b'],
  ]),
  new Map<string, BsonValue>([
    ['2', 'b'],
    ['10', 'a'],
  ]),
  new Binary(Buffer.from('b'), 0),
  new Binary(Buffer.from('a'), 5),
  ObjectId.createFromHexString('65a1b2c3d4e5f60718293a4b'),
  false,
  true,
  new Date(-1),
  new Date(1_790_000_000_000),
  new Timestamp({ t: 1, i: 2 }),
  new BSONRegExp('^a', 'i'),
  new MaxKey(),
];
const LOOSE: readonly BsonValue[] = [null, [], [new Int32(1)], [null], ['a', new Date(0)]];

async function idsInOrder(database: TestMongo, sort: Record<string, 1>, filter: object = {}): Promise<string[]> {
  const raw = (await database.db.collection('things').find(filter, { raw: true, sort }).toArray()) as unknown as Uint8Array[];
  return raw.map((bytes) => extendedJson(rawAt(rawDocument(bytes), ['_id']) ?? rawDocument(bytes)));
}

function deliveredIds(batches: readonly Batch[]): string[] {
  return rowsOf(batches).map((row) => row['n'] as string);
}

async function mixedCollection(index: boolean): Promise<TestMongo> {
  const database = await createMongoDatabase('mixed');
  if (index) await database.db.collection('things').createIndex({ at: 1, _id: 1 });
  let n = 0;
  const documents = [...VALUES, ...VALUES, ...LOOSE].map(
    (value) =>
      new Map<string, BsonValue>([
        ['_id', new Int32(++n)],
        ['at', value],
        ['n', `n${n}`],
      ]),
  );
  documents.push(
    new Map<string, BsonValue>([
      ['_id', new Int32(++n)],
      ['n', `n${n}`],
    ]),
  );
  // Not in the order of their values.
  const shuffled = (document: Map<string, BsonValue>): number => ((document.get('_id') as Int32).value * 37) % 101;
  documents.sort((a, b) => shuffled(a) - shuffled(b));
  await database.db.collection('things').insertMany(documents as never);
  return database;
}

const REF = streamRef('things', { changes: { by: 'cursor', field: 'at' } });

describeWithMongo('connectors: mongodb orders', { timeout: 120_000 }, () => {
  it.each([true, false])(
    'delivers values of all types in the order of the server, and goes on after each of them (index: %s)',
    async (index) => {
      const database = await mixedCollection(index);
      const expected = await database.db
        .collection('things')
        .find({ at: { $ne: null, $not: { $type: 'array' } } }, { sort: { at: 1, _id: 1 } })
        .toArray();
      const inOrder = expected.map((document) => String(document['n']));
      const { batches } = await drainOnce(database.url, REF, { batchRows: 1 });
      const ids = deliveredIds(batches);
      expect(ids.slice(-inOrder.length)).toEqual(inOrder);
      expect([...ids].sort()).toEqual(Array.from({ length: VALUES.length * 2 + LOOSE.length + 1 }, (_, at) => `n${at + 1}`).sort());
      for (let cut = 0; cut < batches.length; cut += 5) {
        const cursor = cursorAfter(batches.slice(0, cut + 1));
        const rest = await drainOnce(database.url, REF, { after: cursor, batchRows: 4 });
        expect(new Set([...deliveredIds(batches.slice(0, cut + 1)), ...deliveredIds(rest.batches)]).size, `cut after ${cut + 1}`).toBe(
          ids.length,
        );
        if (cut < LOOSE.length) continue;
        // Ordered ones are not repeated.
        expect(deliveredIds(rest.batches).filter((id) => inOrder.includes(id))).toEqual(inOrder.slice(cut - LOOSE.length));
      }
    },
  );

  it('delivers documents without a place in every run, as nothing tells whether they changed', async () => {
    const database = await mixedCollection(true);
    const first = await drainOnce(database.url, REF);
    await database.db.collection('things').updateOne({ at: null, n: { $exists: true } }, { $set: { n: 'changed' } });
    const second = await drainOnce(database.url, REF, { after: first.cursor });
    expect(second.rows).toHaveLength(LOOSE.length + 1);
    expect(second.rows.map((row) => row['n'])).toContain('changed');
    const source = openSource(database.url);
    const plan = await source.plan([REF], NEVER);
    expect(plan.streams[0]?.problems.map(({ code, message }) => `${code} ${message}`).join()).toMatch(
      /E_CHANGES_SLOW About \d+ % of the documents .* have no single value/,
    );
    await source.close();
  });

  it('reads what changed through the index, not the whole collection', async () => {
    const database = await createMongoDatabase('explain');
    const things = database.db.collection('things');
    await things.createIndex({ at: 1, _id: 1 });
    await things.insertMany(Array.from({ length: 2000 }, (_, index) => ({ _id: index as never, at: new Date(index) })));
    const filter = all([ordered('at'), after('at', { c: '{"$date":{"$numberLong":"1990"}}', id: '{"$numberInt":"1990"}' })]);
    const explained = await things.find(filter, { sort: { at: 1, _id: 1 } }).explain('executionStats');
    const stats = (explained as unknown as { executionStats: { nReturned: number; totalKeysExamined: number; totalDocsExamined: number } })
      .executionStats;
    expect(stats.nReturned).toBe(9);
    expect(stats.totalKeysExamined).toBeLessThan(30);
    expect(stats.totalDocsExamined).toBeLessThan(30);
  });

  it.each([1, 3, 7])('splits ids of all types into %i ranges that cover each document once', async (partitions) => {
    const database = await createMongoDatabase('ids');
    const ids = VALUES.filter(
      (value) =>
        !(value instanceof BSONRegExp) &&
        !(value instanceof Double && value.value === 5) &&
        !(value instanceof Long && value.toNumber() === 5),
    );
    const distinct = ids.filter(
      (value) =>
        !(value instanceof Decimal128 && value.toString() === '5.0') &&
        !(value instanceof Double && (Object.is(value.value, -0) || value.value === 2 ** 60)),
    );
    const documents = [...distinct, null, ...Array.from({ length: 200 }, (_, index) => new Int32(100 + index))].map(
      (id) =>
        new Map<string, BsonValue>([
          ['_id', id],
          ['x', 'y'],
        ]),
    );
    await database.db.collection('things').insertMany(documents as never);
    const order = await idsInOrder(database, { _id: 1 }, { _id: { $ne: null } });
    const source = openSource(database.url);
    const ref = streamRef('things', { changes: { by: 'snapshot' } });
    const feeds = (await source.splitBackfill?.(ref, partitions, NEVER)) ?? [];
    expect(feeds).toHaveLength(partitions);
    const read: string[] = [];
    const rejected: string[] = [];
    for (const feed of JSON.parse(JSON.stringify(feeds)) as typeof feeds) {
      let cursor: Cursor | null = null;
      for (;;) {
        const batches: Batch[] = await Array.fromAsync(
          source.fetchChanges(fetchRequest(source, ref, { feed, after: cursor, batchRows: 9, until: 'chunk' })),
        );
        const [batch] = batches;
        if (batch === undefined) break;
        read.push(
          ...rowsOf(batches).map((row) =>
            JSON.stringify(row['_id'], (_key, value: unknown) =>
              typeof value === 'bigint' || typeof value === 'number' ? `${value}` : value,
            ),
          ),
        );
        rejected.push(...(batch.rejected ?? []).map((one) => one.position));
        cursor = cursorAfter(batches);
      }
    }
    expect(new Set(read).size).toBe(order.length);
    expect(read).toHaveLength(order.length);
    // An `_id` that is null is no key: it is told, not lost.
    expect(rejected).toEqual(['_id null']);
    await source.close();
  });

  it('keeps to the bounds of a key that a person gave', async () => {
    const database = await createMongoDatabase('bounds');
    await database.db
      .collection('things')
      .insertMany(
        Array.from({ length: 50 }, (_, index) => ({ _id: index as never, a: new Int32(Math.floor(index / 10)), b: `b${index % 10}` })),
      );
    const source = openSource(database.url);
    const read = async (key: readonly string[], bounds: { from?: string[]; to?: string[] }) => {
      const ref = streamRef('things', { key, changes: { by: 'snapshot' } });
      const feeds = (await source.splitBackfill?.(ref, 3, NEVER, bounds)) ?? [];
      const batches = await Promise.all(feeds.map((feed) => Array.fromAsync(source.fetchChanges(fetchRequest(source, ref, { feed })))));
      return rowsOf(batches.flat())
        .map((row) => Number(row['_id']))
        .sort((a, b) => a - b);
    };
    expect(await read(['_id'], { from: ['10'], to: ['12'] })).toEqual([10, 11, 12]);
    expect(await read(['a', 'b'], { from: ['3', 'b8'], to: ['4', 'b1'] })).toEqual([38, 39, 40, 41]);
    await expect(read(['_id'], { from: ['ten'] })).rejects.toMatchObject({ code: 'E_RECORD_VALUE' });
    await source.close();
  });

  it('delivers what was written late within the lookback, and says that it is lost without one', async () => {
    const database = await createMongoDatabase('late');
    const things = database.db.collection('things');
    await things.createIndex({ at: 1, _id: 1 });
    const now = Date.now();
    await things.insertMany([
      { _id: 1 as never, at: new Date(now - 60_000) },
      { _id: 2 as never, at: new Date(now) },
    ]);
    const first = await drainOnce(database.url, REF);
    await things.insertMany([
      { _id: 3 as never, at: new Date(now - 5_000) },
      { _id: 4 as never, at: new Date(now - 30_000) },
    ]);
    const back = { ...REF, lookbackMs: 10_000 };
    expect((await drainOnce(database.url, back, { after: first.cursor })).rows.map((row) => row['_id'])).toEqual([3, 2]);
    expect((await drainOnce(database.url, REF, { after: first.cursor })).rows).toEqual([]);
    const source = openSource(database.url);
    expect((await source.plan([REF, back], NEVER)).streams.map((stream) => stream.guarantee.lateCommits)).toEqual([
      'lost',
      'within-lookback',
    ]);
    await source.close();
  });

  it('looks back from its own clock when documents are dated into the future', async () => {
    const database = await createMongoDatabase('future');
    const things = database.db.collection('things');
    await things.insertOne({ _id: 1 as never, at: new Date(Date.now() + 3_600_000) });
    const back = { ...REF, lookbackMs: 10_000 };
    const first = await drainOnce(database.url, back);
    await things.insertOne({ _id: 2 as never, at: new Date() });
    expect((await drainOnce(database.url, back, { after: first.cursor })).rows.map((row) => row['_id'])).toContain(2);
  });

  it('looks up by a field, never taking an element of an array or a match of a pattern for the value', async () => {
    const database = await createMongoDatabase('lookup');
    await database.db.collection('things').insertMany([
      { _id: 1 as never, tag: 'a' },
      { _id: 2 as never, tag: ['a', 'b'] },
      { _id: 3 as never, tag: new BSONRegExp('a') },
      { _id: 4 as never, tag: 'b' },
    ]);
    const source = openSource(database.url);
    const by = async (variant: string, value: never) =>
      rowsOf(await Array.fromAsync(source.fetchBy?.(streamRef('things'), ['tag'], [[{ variant, value }]], NEVER) ?? [])).map(
        (row) => row['_id'],
      );
    expect(await by('text', 'a' as never)).toEqual([1]);
    expect(await by('list<text>', ['a', 'b'] as never)).toEqual([2]);
    expect(await by('unknown', '{"$regularExpression":{"pattern":"a","options":""}}' as never)).toEqual([3]);
    await source.close();
  });
});
