import { Decimal128, Double, Int32, Long } from 'bson';
import { MongoClient } from 'mongodb';
import { expect, it } from 'vitest';
import { openScenario } from '../../end-to-end/scenario.ts';
import type { Scenario } from '../../end-to-end/scenario.ts';
import { createMongoDatabase, describeWithMongo, describeWithOwnMongo, startOwnMongo } from '../../servers/mongo.ts';
import type { TestMongo } from '../../servers/mongo.ts';
import { describeWithPostgres } from '../../servers/postgres.ts';

const stream = (more = '') => `
  orders:
    source: shop
    target: copy
    retries: { attempts: 10, maxDelay: 2s }
    streams:
      - from: orders
        to: public.orders
        changes: { by: cursor, field: updatedAt }
        lookback: 10s
${more}`;

async function openMongoScenario(mongo: TestMongo, jobs: string, more = ''): Promise<Scenario> {
  const scenario = await openScenario({ sourceUrl: mongo.url });
  const shop = `shop: { connector: mongodb, url: "\${SHOP_URL}" }`;
  await scenario.write('trueup.yaml', `connections:\n  ${shop}\n  copy: { connector: postgres, url: "\${COPY_URL}" }\n${more}jobs:${jobs}`);
  return scenario;
}

const at = (second: number) => new Date(1_790_000_000_000 + second * 1000);

function order(number: number, change = 0) {
  return {
    _id: new Int32(number) as never,
    number: new Int32(number),
    total: Decimal128.fromString(`${number + change}.50`),
    big: Long.fromString('9007199254740993'),
    ratio: new Double(number / 3),
    customer: { name: `c${number}`, address: { city: 'Köln' } },
    lines: [{ sku: 'a', quantity: new Int32(number % 9) }],
    updatedAt: at(number + change),
  };
}

async function verified(scenario: Scenario): Promise<void> {
  const exit = await scenario.trueup('verify', 'orders', '--json');
  expect({ code: exit.code, report: JSON.parse(exit.stdout) as unknown }).toMatchObject({ code: 0, report: { consistent: true } });
}

/** By an independent way: the number of documents and the sum of what changes in them. */
async function expectSame(mongo: TestMongo, scenario: Scenario): Promise<void> {
  const [there] = await mongo.db
    .collection('orders')
    .aggregate([{ $group: { _id: null, count: { $sum: 1 }, total: { $sum: '$total' }, ids: { $sum: '$_id' } } }])
    .toArray();
  const [here] = await scenario.target.query<{ count: string; total: string; ids: string }>(
    `select count(*)::text as count, sum(total::numeric)::text as total, sum(_id::bigint)::text as ids from public.orders`,
  );
  expect(here).toEqual({ count: String(there?.['count']), total: String(there?.['total']), ids: String(there?.['ids']) });
}

describeWithPostgres('MongoDB to Postgres by the command', () => {
  describeWithMongo('on a replica set of one', { timeout: 120_000 }, () => {
    it('loads documents into columns and keeps up with what changes, verified', async () => {
      const mongo = await createMongoDatabase('run');
      const orders = mongo.db.collection('orders');
      await orders.insertMany(Array.from({ length: 500 }, (_, index) => order(index)));
      const scenario = await openMongoScenario(mongo, stream());
      const first = await scenario.run();
      expect(first).toMatchObject({ code: 0 });
      const columns = await scenario.target.query(
        `select column_name, data_type from information_schema.columns where table_name = 'orders' order by ordinal_position`,
      );
      expect(Object.fromEntries(columns.map((column) => [column['column_name'], column['data_type']]))).toEqual({
        _id: 'integer',
        number: 'integer',
        total: 'numeric',
        big: 'bigint',
        ratio: 'double precision',
        'customer.name': 'text',
        'customer.address.city': 'text',
        lines: 'jsonb',
        updatedAt: 'timestamp with time zone',
        '*': 'jsonb',
      });
      await verified(scenario);
      await orders.replaceOne({ _id: 7 as never }, { ...order(7, 1000), note: 'a name that no document had before' });
      await orders.insertOne(order(501, 1000));
      const second = await scenario.run();
      expect(second).toMatchObject({ code: 0 });
      expect(second.stream('orders')).toMatchObject({ upserted: 2, deadLettered: 0 });
      await verified(scenario);
      await expectSame(mongo, scenario);
      const [row] = await scenario.target.query(`select "*" as rest, total from public.orders where _id = 7`);
      expect(JSON.stringify(row)).toContain('a name that no document had before');
    });

    it('sets a document aside whose value does not fit the column that samples led to, by its key, until it does', async () => {
      const mongo = await createMongoDatabase('drift');
      const orders = mongo.db.collection('orders');
      await orders.insertMany(Array.from({ length: 50 }, (_, index) => order(index)));
      const scenario = await openMongoScenario(mongo, stream());
      expect(await scenario.run()).toMatchObject({ code: 0 });
      await orders.updateOne({ _id: 3 as never }, { $set: { number: 'three', updatedAt: at(1000) } });
      await orders.updateOne({ _id: 4 as never }, { $set: { number: new Double(-1), updatedAt: at(1001) } });
      const second = await scenario.run();
      expect(second.code).toBe(3);
      expect(second.stream('orders')).toMatchObject({ upserted: 1, deadLettered: 1 });
      const letters = JSON.parse((await scenario.trueup('dead-letters', 'list', 'orders', '--json')).stdout) as { letters: unknown[] };
      expect(letters.letters).toEqual([expect.objectContaining({ key: '3', message: expect.stringContaining('number') })]);
      expect(await scenario.target.query('select number from public.orders where _id in (3, 4) order by _id')).toEqual([
        { number: 3 },
        { number: -1 },
      ]);
      await orders.updateOne({ _id: 3 as never }, { $set: { number: new Int32(33), updatedAt: at(1002) } });
      const third = await scenario.run();
      expect(third).toMatchObject({ code: 0 });
      expect(third.stream('orders')).toMatchObject({ lettersResolved: 1 });
      await verified(scenario);
      await expectSame(mongo, scenario);
    });

    it('compares snapshots where no field tells of changes: writes what differs, deletes what is gone', async () => {
      const mongo = await createMongoDatabase('snapshot');
      const orders = mongo.db.collection('orders');
      await orders.insertMany(Array.from({ length: 400 }, (_, index) => order(index)));
      const scenario = await openMongoScenario(
        mongo,
        stream()
          .replace('{ by: cursor, field: updatedAt }', '{ by: snapshot }')
          .replace(/ +lookback.*\n/, ''),
      );
      expect(await scenario.run()).toMatchObject({ code: 0 });
      await orders.updateOne({ _id: 3 as never }, { $set: { total: Decimal128.fromString('0.01') } });
      await orders.deleteOne({ _id: 4 as never });
      await orders.insertOne(order(1000));
      const second = await scenario.run();
      expect(second).toMatchObject({ code: 0 });
      expect(second.stream('orders')).toMatchObject({ upserted: 2, deleted: 1 });
      await verified(scenario);
      await expectSame(mongo, scenario);
    });
  });

  describeWithOwnMongo('on a replica set of three', { timeout: 180_000 }, () => {
    it.each(['steps down', 'is killed'])('finishes a load during which the primary %s, with nothing lost', async (how) => {
      const set = await startOwnMongo({ members: 3 });
      const mongo = await createMongoDatabase('set', set.url);
      for (let from = 0; from < 15_000; from += 5000)
        await mongo.db.collection('orders').insertMany(
          Array.from({ length: 5000 }, (_, index) => order(from + index)),
          { writeConcern: { w: 'majority' } },
        );
      const scenario = await openMongoScenario(mongo, stream(), 'defaults: { batch: { rows: 250 } }\n');
      const running = scenario.start(['run', '--json']);
      await expect
        .poll(
          () =>
            scenario.target.query(`select count(*)::int as n from public.orders`).then(
              ([row]) => Number(row?.['n']),
              () => 0,
            ),
          { timeout: 60_000, interval: 20 },
        )
        .toBeGreaterThan(0);
      await takePrimaryDown(set, how);
      const exit = await running.waitForExit(120_000);
      expect(exit).toMatchObject({ code: 0 });
      const { jobs } = JSON.parse(exit.stdout) as { jobs: { streams: { retries: number }[] }[] };
      // A member that steps down goes on answering reads that began before.
      if (how === 'is killed') expect(jobs[0]?.streams[0]?.retries).toBeGreaterThan(0);
      await verified(scenario);
      await expectSame(mongo, scenario);
      await set.stop();
    });
  });
});

async function takePrimaryDown(set: Awaited<ReturnType<typeof startOwnMongo>>, how: string): Promise<void> {
  const client = new MongoClient(set.url);
  const { primary } = (await client.db('admin').command({ hello: 1 })) as unknown as { primary: string };
  if (how === 'steps down')
    await client
      .db('admin')
      .command({ replSetStepDown: 20, force: true })
      .catch(() => undefined);
  await client.close();
  if (how === 'is killed') await set.members.find((member) => primary.endsWith(`:${member.port}`))?.halt('SIGKILL');
}
