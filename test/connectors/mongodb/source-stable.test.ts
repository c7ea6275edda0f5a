import { Int32, Long } from 'mongodb';
import { expect, it } from 'vitest';
import type { Feed, Json } from '../../../src/sdk.ts';
import { openScenario } from '../../end-to-end/scenario.ts';
import { verify } from '../../end-to-end/verify-scenario.ts';
import { createMongoDatabase, describeWithMongo } from '../../servers/mongo.ts';
import type { TestMongo } from '../../servers/mongo.ts';
import { describeWithPostgres } from '../../servers/postgres.ts';
import { NEVER, openSource, streamRef } from './source-kit.ts';

const at = (second: number) => new Date(1_790_000_000_000 + second * 1000);

async function fieldsOf(
  url: string,
  feeds: readonly Feed[] = [],
): Promise<{ readonly fields: Record<string, unknown>; readonly known: Json }> {
  const source = openSource(url, { sample: 100 });
  try {
    source.recall?.(JSON.parse(JSON.stringify(feeds)) as Feed[]);
    const [info] = await source.discover(NEVER);
    const [feed] = source.feeds([streamRef('things')]);
    return { fields: Object.fromEntries(info?.shape.fields.map(({ name, type }) => [name, type]) ?? []), known: feed?.known ?? null };
  } finally {
    await source.close();
  }
}

const feed = (known: Json): Feed => ({ id: 'changes:things', kind: 'changes', streams: ['things'], known });

async function seeded(mongo: TestMongo): Promise<void> {
  const documents = Array.from({ length: 100 }, (_, n) => ({
    _id: new Int32(n) as never,
    n: new Int32(n),
    customer: { name: 'a', city: 'b' },
    at: at(n),
    ...(n < 6 ? { vat: 'x' } : {}),
  }));
  await mongo.db.collection('things').insertMany(documents);
}

describeWithMongo('the fields of documents from run to run', { timeout: 120_000 }, () => {
  it('are those of the runs before, whatever this one samples', async () => {
    await using mongo = await createMongoDatabase('stable');
    await seeded(mongo);
    const first = await fieldsOf(mongo.url);
    expect(first.fields).toMatchObject({ n: 'int32', vat: 'text', 'customer.name': 'text' });
    const things = mongo.db.collection('things');
    // vat is below its share now, n and customer have values of other types, and nobody has a city any more.
    await things.updateMany({ _id: { $lt: 4 as never } }, { $unset: { vat: 1 } });
    await things.updateOne({ _id: 0 as never }, { $set: { n: 'text', customer: 'odd' } });
    await things.updateMany({ 'customer.city': { $exists: true } }, { $unset: { 'customer.city': 1 } });
    const forgetful = await fieldsOf(mongo.url);
    expect(Object.keys(forgetful.fields)).not.toContain('vat');
    const second = await fieldsOf(mongo.url, [feed(first.known)]);
    expect(second.fields).toEqual({ ...first.fields, n: 'variant' });
    // What widened stays wide.
    await things.updateOne({ _id: 0 as never }, { $set: { n: new Int32(5) } });
    expect((await fieldsOf(mongo.url, [feed(second.known)])).fields).toEqual(second.fields);
  });

  it('gain what most documents have by now, and what the config declares', async () => {
    await using mongo = await createMongoDatabase('stable');
    await seeded(mongo);
    const first = await fieldsOf(mongo.url);
    await mongo.db.collection('things').updateMany({}, { $set: { fresh: new Long(5) } });
    expect((await fieldsOf(mongo.url, [feed(first.known)])).fields).toEqual({ ...first.fields, fresh: 'int64' });
  });

  it('are what samples say where nothing, or nothing that can be read, is known', async () => {
    await using mongo = await createMongoDatabase('stable');
    await seeded(mongo);
    const { fields } = await fieldsOf(mongo.url);
    for (const known of [null, 5, 'x', {}, [], [5, ['a'], ['b', 5], ['c', 'no type']]] as Json[])
      expect((await fieldsOf(mongo.url, [feed(known)])).fields).toEqual(fields);
  });
});

describeWithPostgres('documents that no sample led to expect', () => {
  describeWithMongo('with both servers', { timeout: 300_000 }, () => {
    it('keep their columns, and are verified, repaired and explained like all others', async () => {
      const mongo = await createMongoDatabase('unexpected');
      const scenario = await openScenario({ sourceUrl: mongo.url });
      await scenario.write(
        'trueup.yaml',
        `connections:
  shop: { connector: mongodb, url: "\${SHOP_URL}", sample: 20 }
  copy: { connector: postgres, url: "\${COPY_URL}" }
jobs:
  things: { source: shop, target: copy, streams: [{ from: things, to: public.things, changes: { by: cursor, field: at }, lookback: 10s }] }
`,
      );
      const things = mongo.db.collection('things');
      const documents = Array.from({ length: 3000 }, (_, n) => ({
        _id: new Int32(n) as never,
        n: new Int32(n),
        m: new Int32(n),
        at: at(n),
        ...(n < 3 ? { vat: 'x' } : {}),
      }));
      await things.insertMany(documents);
      await things.createIndex({ at: 1, _id: 1 });
      expect((await scenario.run()).stream('things')).toMatchObject({ upserted: 3000 });
      // Behind the back of the run: no stamp is raised, and a sample of twenty will hardly find them.
      await things.updateOne({ _id: 1500 as never }, { $set: { n: 'text' } });
      await things.updateOne({ _id: 1600 as never }, { $set: { m: new Long(7) } });
      await things.updateMany({ vat: { $exists: true } }, { $unset: { vat: 1 } });
      const found = await verify(scenario, 'things');
      expect(found.code).toBe(4);
      expect(found.stream().error).toBeUndefined();
      expect(found.stream()).toMatchObject({ missing: 0, extra: 0, different: 5 });
      const why = await scenario.trueup('why', 'things', 'things', '1500', '--json');
      expect(JSON.parse(why.stdout)).toMatchObject({ verdict: 'different' });
      const repaired = await verify(scenario, 'things', '--repair');
      // A text has no place in the integer column: a dead letter says so.
      expect(repaired.stream()).toMatchObject({ different: 5 });
      expect((await verify(scenario, 'things')).stream()).toMatchObject({ different: 0, explained: { deadLettered: 1 } });
      expect(await scenario.target.query('select n, m, vat from public.things where _id in (1, 1600) order by _id')).toEqual([
        { n: 1, m: 1, vat: null },
        { n: 1600, m: 7, vat: null },
      ]);
    });
  });
});
