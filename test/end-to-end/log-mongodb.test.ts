import { Decimal128, Int32 } from 'bson';
import { expect, it } from 'vitest';
import { createMongoDatabase, describeWithMongo, describeWithOwnMongo, startOwnMongo } from '../servers/mongo.ts';
import type { TestMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { openScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';

const JOB = `
  shop:
    source: shop
    target: copy
    streams:
      - { from: orders, to: public.orders, changes: { by: log } }
      - { from: items, to: public.items, changes: { by: log } }
`;

const EMBEDDING = `
  shop:
    source: shop
    target: copy
    streams: [{ from: orders, to: public.orders, changes: { by: log }, mapping: orders.yaml }]
`;

const EMBED = `fields: { _id: _id, total: total }
embed:
  items: { from: items, on: { order: _id }, orderBy: [_id], fields: { sku: sku } }
`;

/** The texts of the children of each order. */
async function embedded(scenario: Scenario): Promise<Record<number, string[]>> {
  const rows = await scenario.target.query<{ _id: number; items: { sku: string }[] | null }>('select _id, items from public.orders');
  return Object.fromEntries(rows.map(({ _id, items }) => [_id, (items ?? []).map(({ sku }) => sku)]));
}

function configOf(more: string, job: string): string {
  return `connections:\n  shop: { connector: mongodb, url: "\${SHOP_URL}" }\n  copy: { connector: postgres, url: "\${COPY_URL}" }\n${more}jobs:${job}`;
}

async function openShop(mongo: TestMongo, more = '', job = JOB): Promise<Scenario> {
  const scenario = await openScenario({ sourceUrl: mongo.url });
  await scenario.write('trueup.yaml', configOf(more, job));
  return scenario;
}

const id = (number: number) => new Int32(number) as never;

const order = (number: number, total = number) => ({ _id: id(number), total: Decimal128.fromString(`${total}.50`), status: 'new' });

const item = (number: number, of: number) => ({ _id: id(number), order: new Int32(of), sku: `s${number}` });

async function idsOf(scenario: Scenario, table: string): Promise<number[]> {
  return (await scenario.target.query<{ _id: number }>(`select _id from public.${table} order by _id`)).map((row) => row._id);
}

async function verified(scenario: Scenario): Promise<void> {
  const exit = await scenario.trueup('verify', 'shop', '--json');
  expect({ code: exit.code, report: JSON.parse(exit.stdout) as unknown }).toMatchObject({ code: 0, report: { consistent: true } });
}

describeWithPostgres('the log of MongoDB', { timeout: 120_000 }, () => {
  describeWithMongo('on a replica set', () => {
    it('loads what is there, then brings inserts, updates, replaces and deletes, and nothing twice', async () => {
      const mongo = await createMongoDatabase('log');
      const [orders, items] = [mongo.db.collection('orders'), mongo.db.collection('items')];
      await orders.insertMany(Array.from({ length: 30 }, (_, index) => order(index)));
      await items.insertMany(Array.from({ length: 30 }, (_, index) => item(index, index)));
      const scenario = await openShop(mongo);
      const first = await scenario.run();
      expect(first).toMatchObject({ code: 0 });
      expect(first.report.jobs[0]?.guarantee).toMatchObject({ lateCommits: 'delivered', deletes: 'delivered', assumes: [] });
      expect(first.stream('orders')).toMatchObject({ read: 30, upserted: 30 });

      await orders.insertOne(order(100));
      await orders.updateOne({ _id: id(1) }, { $set: { status: 'paid' }, $inc: { total: Decimal128.fromString('1') } });
      await orders.replaceOne({ _id: id(2) }, { ...order(2, 22), status: 'replaced' });
      await orders.deleteMany({ _id: { $in: [id(3), id(4)] } });
      await items.deleteOne({ _id: id(5) });
      const second = await scenario.run();
      expect(second).toMatchObject({ code: 0 });
      expect(second.stream('orders')).toMatchObject({ read: 5, upserted: 3, deleted: 2 });
      expect(second.stream('items')).toMatchObject({ read: 1, deleted: 1 });
      expect(await scenario.target.query(`select _id, total::text, status from public.orders where _id in (1, 2, 100) order by 1`)).toEqual(
        [
          { _id: 1, total: '2.50', status: 'paid' },
          { _id: 2, total: '22.50', status: 'replaced' },
          { _id: 100, total: '100.50', status: 'new' },
        ],
      );
      expect(await idsOf(scenario, 'orders')).toEqual([0, 1, 2, ...Array.from({ length: 25 }, (_, index) => index + 5), 100]);
      await verified(scenario);

      const third = await scenario.run();
      expect(third).toMatchObject({ code: 0 });
      expect(third.stream('orders')).toMatchObject({ read: 0 });
    });

    it('empties the target when a collection is dropped, and fills it with the one that is made in its place', async () => {
      const mongo = await createMongoDatabase('drops');
      const orders = mongo.db.collection('orders');
      await orders.insertMany(Array.from({ length: 20 }, (_, index) => order(index)));
      await mongo.db.collection('items').insertMany([item(1, 1), item(2, 2)]);
      const scenario = await openShop(mongo);
      expect(await scenario.run()).toMatchObject({ code: 0 });
      await orders.drop();
      await orders.insertMany([order(500), order(501)]);
      expect(await scenario.run()).toMatchObject({ code: 0 });
      expect(await idsOf(scenario, 'orders')).toEqual([500, 501]);
      expect(await idsOf(scenario, 'items')).toEqual([1, 2]);

      // Another collection takes the place; what it holds was written under another name.
      await mongo.db.collection('made').insertMany([order(7), order(8), order(9)]);
      await mongo.db.renameCollection('made', 'orders', { dropTarget: true });
      await orders.insertOne(order(10));
      await mongo.db
        .collection('items')
        .aggregate([{ $match: { _id: 2 } }, { $out: 'items' }])
        .toArray();
      expect(await scenario.run()).toMatchObject({ code: 0 });
      expect(await idsOf(scenario, 'orders')).toEqual([7, 8, 9, 10]);
      expect(await idsOf(scenario, 'items')).toEqual([2]);

      await orders.rename('elsewhere');
      await mongo.db.collection('items').insertOne(item(3, 3));
      expect(await scenario.run()).toMatchObject({ code: 2 });
      await orders.insertOne(order(11));
      expect(await scenario.run()).toMatchObject({ code: 0 });
      expect(await idsOf(scenario, 'orders')).toEqual([11]);

      await mongo.db.dropDatabase();
      await orders.insertOne(order(12));
      await mongo.db.collection('items').insertOne(item(4, 4));
      expect(await scenario.run()).toMatchObject({ code: 0 });
      expect([await idsOf(scenario, 'orders'), await idsOf(scenario, 'items')]).toEqual([[12], [4]]);
      await verified(scenario);
    });

    it('shows what one transaction wrote into two collections at once', async () => {
      const mongo = await createMongoDatabase('transactions');
      await mongo.db.collection('orders').insertOne(order(0));
      await mongo.db.collection('items').insertOne(item(0, 0));
      const scenario = await openShop(mongo, 'defaults: { batch: { rows: 3 } }\n');
      expect(await scenario.run()).toMatchObject({ code: 0 });
      const running = scenario.start(['run', '--follow', '--json', '--log-level', 'error']);
      const torn: string[] = [];
      for (let number = 1; number <= 40; number++) {
        await mongo.client.withSession((session) =>
          session.withTransaction(async () => {
            await mongo.db.collection('orders').insertOne(order(number), { session });
            for (let at = 0; at < 5; at++) await mongo.db.collection('items').insertOne(item(number * 10 + at, number), { session });
          }),
        );
        const [seen] = await scenario.target.query<{ orders: number; items: number }>(
          `select (select count(*)::int from public.orders) - 1 as orders, (select count(*)::int from public.items) - 1 as items`,
        );
        if (seen?.items !== (seen?.orders ?? 0) * 5) torn.push(JSON.stringify(seen));
      }
      await expect.poll(async () => (await idsOf(scenario, 'items')).length, { timeout: 20_000 }).toBe(201);
      running.kill('SIGTERM');
      expect(await running.waitForExit(20_000)).toMatchObject({ code: 143 });
      expect(torn).toEqual([]);
      expect((await idsOf(scenario, 'orders')).length).toBe(41);
      await verified(scenario);
    });

    it.each([true, false])(
      'gives a child that moved to its new document, and takes it from the old one where images are kept (%s)',
      async (images) => {
        const mongo = await createMongoDatabase('embed');
        const items = await mongo.db.createCollection('items', { changeStreamPreAndPostImages: { enabled: images } });
        await mongo.db.collection('orders').insertMany([order(1), order(2), order(3)]);
        await items.insertMany([item(10, 1), item(11, 1), item(20, 2), item(30, 3)]);
        const scenario = await openShop(mongo, '', EMBEDDING);
        await scenario.write('orders.yaml', EMBED);
        const plan = JSON.parse((await scenario.trueup('plan', '--json')).stdout) as {
          jobs: { streams: { guarantee: { deletes: string; assumes: string[] } }[] }[];
        };
        expect(plan.jobs[0]?.streams[0]?.guarantee).toMatchObject({
          deletes: images ? 'delivered' : 'never',
          assumes: [expect.stringContaining(images ? 'images of items are kept' : 'is deleted or moved')],
        });
        expect(await scenario.run()).toMatchObject({ code: 0 });
        expect(await embedded(scenario)).toEqual({ 1: ['s10', 's11'], 2: ['s20'], 3: ['s30'] });
        await items.updateOne({ _id: id(10) }, { $set: { order: new Int32(2) } });
        await items.updateOne({ _id: id(20) }, { $set: { sku: 'changed' } });
        await items.replaceOne({ _id: id(30) }, { order: new Int32(2), sku: 's30' });
        await items.insertOne(item(31, 3));
        await mongo.db.collection('orders').deleteOne({ _id: id(3) });
        expect(await scenario.run()).toMatchObject({ code: 0 });
        expect(await embedded(scenario)).toEqual({ 1: images ? ['s11'] : ['s10', 's11'], 2: ['s10', 'changed', 's30'] });
        await items.deleteOne({ _id: id(11) });
        expect(await scenario.run()).toMatchObject({ code: 0 });
        expect((await embedded(scenario))[1]).toEqual(images ? [] : ['s10', 's11']);
      },
    );
  });

  describeWithOwnMongo('on a replica set of its own', () => {
    it('stops when the oplog has gone past the position, and loads again where the job says so', async () => {
      // The oplog is cut after a checkpoint, of which there is one a minute otherwise.
      const { url } = await startOwnMongo({ args: ['--syncdelay', '1'] });
      const mongo = await createMongoDatabase('lost', url);
      const orders = mongo.db.collection('orders');
      await orders.insertMany([order(1), order(2), order(3)]);
      await mongo.db.collection('items').insertOne(item(1, 1));
      const scenario = await openShop(mongo);
      expect(await scenario.run()).toMatchObject({ code: 0 });
      await orders.deleteOne({ _id: id(1) });
      await orders.updateOne({ _id: id(2) }, { $set: { status: 'missed' } });
      await expect.poll(() => fillOplog(mongo), { timeout: 60_000, interval: 500 }).toBe(true);
      const stopped = await scenario.run();
      expect(stopped.code).toBe(5);
      expect(stopped.stream('orders').error).toMatchObject({ code: 'E_POSITION_LOST', message: expect.stringContaining('oplog') });
      await scenario.write('trueup.yaml', configOf('', JOB.replace('    streams:', '    onLostPosition: rebackfill\n    streams:')));
      expect(await scenario.run()).toMatchObject({ code: 0 });
      expect(await scenario.target.query(`select _id, status from public.orders where _id > 1 order by _id`)).toEqual([
        { _id: 2, status: 'missed' },
        { _id: 3, status: 'new' },
      ]);
    });
  });
});

/** Writes more than the oplog holds, which is 64 MB. Whether its beginning is gone. */
async function fillOplog(mongo: TestMongo): Promise<boolean> {
  const big = { big: 'x'.repeat(15_000_000) };
  for (let at = 0; at < 4; at++) await mongo.db.collection('noise').replaceOne({ _id: id(0) }, big, { upsert: true });
  const oplog = mongo.client.db('local').collection('oplog.rs');
  const first = await oplog.findOne({}, { sort: { $natural: 1 }, projection: { op: 1 } });
  return first?.['op'] !== 'n';
}
