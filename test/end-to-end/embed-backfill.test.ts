import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { describeWithMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { MAPPING, jobOf, openEmbedScenario, seed } from './embed-scenario.ts';
import type { EmbedScenario } from './embed-scenario.ts';
import { ranOf } from './scenario.ts';
import { verify } from './verify-scenario.ts';

const ORDERS = 300;
/** A chunk is a few batches: many chunks, with changes between them. */
const SMALL = 'defaults: { batch: { rows: 20 } }\n';

/** Changes of all streams of the document until it is stopped, each of its own transaction. */
function startWriting({ source }: EmbedScenario): { stop(): Promise<number> } {
  let isOver = false;
  const writing = (async () => {
    let round = 0;
    for (; !isOver; round += 1) {
      const order = 1 + ((round * 37) % ORDERS);
      await source.query(`
        update public.orders set status = 'round ${round}', updated_at = clock_timestamp() where id = ${order};
        update public.order_items set price = price + 1, updated_at = clock_timestamp() where order_id = ${1 + ((order * 7) % ORDERS)};
        insert into public.parts values (${order * 10}, ${100 + round}, 'round ${round}');
        update public.customers set name = 'round ${round}', updated_at = clock_timestamp() where id = ${round % 30}`);
      await sleep(300);
    }
    return round;
  })();
  return {
    stop: () => {
      isOver = true;
      return writing;
    },
  };
}

async function spoil({ mongo }: EmbedScenario): Promise<void> {
  await mongo.db.collection('orders').updateMany({}, { $set: { 'lines.items': [{ spoilt: true }], customer: null } });
}

describeWithPostgres('a backfill of a live stream with children', () => {
  describeWithMongo('from Postgres into MongoDB', () => {
    it.each(['{ by: xmin }', '{ by: log }'])(
      'writes every document again while all of its parts change, killed and resumed, by %s',
      { timeout: 300_000 },
      async (changes) => {
        const scenario = await openEmbedScenario(jobOf(changes), SMALL);
        await seed(scenario.source, ORDERS);
        expect((await scenario.run()).code).toBe(0);
        await spoil(scenario);
        const writer = startWriting(scenario);
        const killed = scenario.start(['backfill', 'orders', '--json']);
        const ended = new AbortController();
        const exit = killed.waitForExit(Number.POSITIVE_INFINITY).finally(() => ended.abort());
        const orders = scenario.mongo.db.collection('orders');
        // Somewhere in the middle: some are whole again.
        while (!ended.signal.aborted && (await orders.countDocuments({ 'lines.items.spoilt': { $ne: true } })) < ORDERS / 5)
          await sleep(20);
        killed.kill('SIGKILL');
        expect((await exit).signal).toBe('SIGKILL');
        expect(await orders.countDocuments({ 'lines.items.spoilt': true })).toBeGreaterThan(0);
        const backfill = ranOf(await scenario.trueup('backfill', 'orders', '--json'));
        expect({ code: backfill.code, stderr: backfill.stderr }).toEqual({ code: 0, stderr: '' });
        expect(await writer.stop()).toBeGreaterThan(3);
        expect((await scenario.run()).code).toBe(0);
        expect(await scenario.differing()).toEqual([]);
        expect((await verify(scenario, 'orders')).code).toBe(0);
      },
    );

    it('follows a mapping that embeds more, less, and otherwise, with changes in between', { timeout: 300_000 }, async () => {
      const scenario = await openEmbedScenario(jobOf('{ by: xmin }'), SMALL);
      await seed(scenario.source, ORDERS);
      const map = (text: string) => scenario.write('mappings/orders.yaml', text);
      const parts = /\n {4}embed:\n.*/.exec(MAPPING)?.[0] ?? '';
      expect(parts).toContain('parts:');
      await map(MAPPING.replace(parts, '').replace(/ {2}customer:.*\n/, ''));
      expect((await scenario.run()).code).toBe(0);
      expect(await scenario.mongo.db.collection('orders').findOne({ 'lines.items.parts': { $exists: true } })).toBeNull();

      await map(MAPPING);
      const refused = await scenario.trueup('run', 'orders');
      expect(refused.code).toBe(5);
      const writer = startWriting(scenario);
      const more = ranOf(await scenario.trueup('run', '--on-change', 'rebackfill', '--json'));
      expect({ code: more.code, stderr: more.stderr }).toEqual({ code: 0, stderr: '' });
      await writer.stop();
      expect((await scenario.run()).code).toBe(0);
      expect(await scenario.differing()).toEqual([]);
      // What came with the mapping is followed as well.
      await scenario.source.query(`update public.parts set label = 'later', updated_at = clock_timestamp() where item_id % 7 = 0;
        update public.customers set name = 'later', updated_at = clock_timestamp() where id = 9`);
      expect((await scenario.run()).code).toBe(0);
      expect(await scenario.differing()).toEqual([]);
      const status = await scenario.trueup('status', 'orders', '--json');
      expect(status.stdout).toContain('embed:public.orders:lines.items/parts');

      await map(MAPPING.replace(parts, ''));
      expect((await scenario.trueup('backfill', 'orders', '--json')).code).toBe(0);
      expect(await scenario.mongo.db.collection('orders').findOne({ 'lines.items.parts': { $exists: true } })).toBeNull();
      expect((await scenario.trueup('status', 'orders', '--json')).stdout).not.toContain('parts');
    });
  });
});
