import { expect, it } from 'vitest';
import { createMongoDatabase, describeWithMongo } from '../servers/mongo.ts';
import type { TestMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { randomKills } from './random-kills.ts';
import { openScenario, ranOf, seedOrders, tableContent } from './scenario.ts';
import type { Scenario } from './scenario.ts';

const ROWS = 20_000;
const SMALL_BATCHES = 'defaults: { batch: { rows: 400 }, onLoss: truncate }\n';

/** Connections: `shop` Postgres, `archive` MongoDB, `copy` another Postgres. */
async function config(scenario: Scenario, mongo: TestMongo, jobs: string, extra = ''): Promise<void> {
  await scenario.write(
    'trueup.yaml',
    `connections:
  shop: { connector: postgres, url: "\${SHOP_URL}" }
  copy: { connector: postgres, url: "\${COPY_URL}" }
  archive: { connector: mongodb, url: "${mongo.url}", collections: { things: { fields: { doc: json } } } }
${extra}jobs:${jobs}`,
  );
}

const TO_MONGO = `
  orders:
    source: shop
    target: archive
    streams: [{ from: public.orders, changes: { by: cursor, field: updated_at }, backfill: { partitions: 3 } }]
`;

/** What the source says each document should be; instants cut to milliseconds. */
async function expected(scenario: Scenario): Promise<string[]> {
  const rows = await scenario.source.query<{ row: string }>(`
    select concat_ws('|', id, customer, total, coalesce(note, '-'), status, tags::text, format('{"n":%s,"x":%s}', details->>'n', (details->>'x')::float8), placed_at,
      floor(extract(epoch from updated_at) * 1000)) as row from public.orders order by id`);
  return rows.map(({ row }) => row);
}

async function held(mongo: TestMongo): Promise<string[]> {
  const found = await mongo.db.collection('orders').find().sort({ _id: 1 }).toArray();
  return found.map((one) => {
    expect(one['_id']).toEqual(one['id']);
    const tags = `{${(one['tags'] as string[]).join(',')}}`;
    const at = (one['updated_at'] as Date).getTime();
    return [
      one['id'],
      one['customer'],
      String(one['total']),
      one['note'] ?? '-',
      one['status'],
      tags,
      JSON.stringify(one['details']),
      one['placed_at'],
      at,
    ].join('|');
  });
}

describeWithPostgres('Postgres to MongoDB and back', () => {
  describeWithMongo('with both servers', () => {
    it('keeps documents equal to rows through inserts, updates and twenty kills', { timeout: 240_000 }, async () => {
      const scenario = await openScenario();
      const mongo = await createMongoDatabase('e2e');
      await seedOrders(scenario.source, ROWS);
      await config(scenario, mongo, TO_MONGO, SMALL_BATCHES);
      const kills = randomKills();
      for (let kill = 0; kill < 20; kill += 1) {
        if (kill > 8)
          await scenario.source.query(`update public.orders set total = total + 1, updated_at = clock_timestamp() where id % 40 = ${kill}`);
        const run = scenario.start(['run', '--json', '--log-level', 'error']);
        await kills.kill(run);
      }
      expect(kills.fell).toBeGreaterThan(3);
      const last = await scenario.run();
      expect(last.stderr).toBe('');
      expect(last.code).toBe(0);
      expect(await held(mongo)).toEqual(await expected(scenario));
      const again = await scenario.run();
      expect(again.stream('public.orders').upserted).toBe(0);
      const verified = await scenario.trueup('verify', 'orders', '--json');
      expect({ code: verified.code, ...(verified.code === 0 ? {} : { out: verified.stdout + verified.stderr }) }).toEqual({ code: 0 });
    });

    it('counts what a policy cut, and by default cuts nothing', { timeout: 60_000 }, async () => {
      const scenario = await openScenario();
      const mongo = await createMongoDatabase('e2e');
      await seedOrders(scenario.source, 20);
      await config(scenario, mongo, TO_MONGO);
      const strict = await scenario.run();
      expect(strict.stream('public.orders')).toMatchObject({ read: 20, deadLettered: 20, upserted: 0 });
      await config(scenario, mongo, TO_MONGO, 'defaults: { onLoss: truncate }\n');
      const cut = await scenario.run('--full', '--on-change', 'rebackfill');
      expect(cut.stream('public.orders')).toMatchObject({
        upserted: 20,
        conversions: [{ field: 'updated_at', kind: 'truncated-to-ms', count: 20 }],
      });
      expect(cut.report.jobs[0]?.guarantee).toMatchObject({
        delivery: 'at-least-once',
        staleWrites: 'possible',
        fidelity: 'declared-losses',
      });
    });

    it('keeps documents and checkpoint in one transaction where the job asks, through kills', { timeout: 180_000 }, async () => {
      const scenario = await openScenario();
      const mongo = await createMongoDatabase('e2e');
      await seedOrders(scenario.source, 6000);
      await config(scenario, mongo, TO_MONGO.replace('target: archive', 'target: archive\n    checkpoints: atomic'), SMALL_BATCHES);
      const kills = randomKills();
      for (let kill = 0; kill < 5; kill += 1) {
        const run = scenario.start(['run', '--json', '--log-level', 'error']);
        await kills.kill(run);
        // What is there is as far as the checkpoints say, to the document.
        const positions = await mongo.db.collection('trueup.checkpoints').find().toArray();
        if (positions.length === 0) expect(await mongo.db.collection('orders').countDocuments()).toBe(0);
        await scenario.source.query(`update public.orders set total = total + 1, updated_at = clock_timestamp() where id % 40 = ${kill}`);
      }
      const last = await scenario.run();
      expect({ code: last.code, stderr: last.stderr }).toEqual({ code: 0, stderr: '' });
      expect(last.report.jobs[0]).toMatchObject({
        checkpoints: 'atomic',
        guarantee: { delivery: 'exactly-once-effect', staleWrites: 'refused' },
      });
      expect(await held(mongo)).toEqual(await expected(scenario));
      expect((await scenario.run()).stream('public.orders')).toMatchObject({ upserted: 0, unchanged: 0 });
      expect(await mongo.db.collection('trueup.lanes').countDocuments()).toBe(0);
    });

    it('brings rows back as they were, in columns of the types that they came from', { timeout: 60_000 }, async () => {
      const scenario = await openScenario();
      const mongo = await createMongoDatabase('e2e');
      const table = `(id bigint primary key, small int, flag boolean, ratio float8, total numeric(30,6), label text, raw bytea, ref uuid, day date, at time, placed timestamp,
        seen timestamptz, took interval, doc jsonb, names text[])`;
      for (const database of [scenario.source, scenario.target]) await database.query(`create table public.things ${table}`);
      await scenario.source.query(`insert into public.things values
        (9223372036854775807, -2147483648, true, 'NaN', 123456789012345678901234.567890, 'ünï 😀', '\\x00ff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '0001-01-01', '23:59:59.999999',
         '2026-03-08 02:30:00.123456', '2026-01-01 00:00:00.123Z', '1 mon 2 days 03:04:05.6', '{"n": 12345678901234567890.123, "a": [null]}', array['a', null, '']),
        (1, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
        (2, 0, false, '-0', 0.000000, '', '', '00000000-0000-0000-0000-000000000000', '9999-12-31', '00:00', '1970-01-01', '1970-01-01Z', '0', '[null, {"a": 1.5}]', '{}')`);
      await config(
        scenario,
        mongo,
        `
  there:
    source: shop
    target: archive
    streams: [{ from: public.things, changes: { by: snapshot } }]
  back:
    source: archive
    target: copy
    streams: [{ from: things, to: public.things, key: [_id], changes: { by: snapshot }, mapping: mappings/back.yaml }]
`,
      );
      await scenario.trueup('connectors');
      const { mkdir } = await import('node:fs/promises');
      await mkdir(`${scenario.dir}/mappings`);
      const names = ['small', 'flag', 'ratio', 'total', 'label', 'raw', 'ref', 'day', 'at', 'placed', 'seen', 'took', 'doc', 'names'];
      await scenario.write(
        'mappings/back.yaml',
        `fields:\n  id: _id\n${names.map((name) => `  ${name}: ${name}\n`).join('')}otherFields: drop\n`,
      );
      const there = ranOf(await scenario.trueup('run', 'there', '--json'));
      expect(there.stream('public.things')).toMatchObject({ upserted: 3, deadLettered: 0 });
      const back = ranOf(await scenario.trueup('run', 'back', '--json'));
      expect({ stderr: back.stderr, stream: back.stream('things') }).toMatchObject({
        stderr: '',
        stream: { upserted: 3, deadLettered: 0 },
      });
      expect(await tableContent(scenario.target, 'public.things')).toEqual(await tableContent(scenario.source, 'public.things'));
    });
  });
});
