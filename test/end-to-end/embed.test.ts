import { expect, it } from 'vitest';
import { describeWithMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { jobOf, openEmbedScenario, seed } from './embed-scenario.ts';

const COMPARES = ', deletes: { compare: { maxShare: 1 } }';

describeWithPostgres('documents with children of other streams', () => {
  describeWithMongo('from Postgres into MongoDB', () => {
    it.each([['{ by: xmin }'], ['{ by: cursor, field: updated_at }']])(
      'are what one query over the source gives, by %s',
      { timeout: 120_000 },
      async (changes) => {
        const scenario = await openEmbedScenario(jobOf(changes));
        const { source } = scenario;
        await seed(source, 500);
        const first = await scenario.run();
        expect({ code: first.code, stderr: first.stderr }).toEqual({ code: 0, stderr: '' });
        expect(first.stream('public.orders')).toMatchObject({ upserted: 500, deadLettered: 0, children: { customer: { upserted: 500 } } });
        expect(await scenario.differing()).toEqual([]);

        const now = 'updated_at = clock_timestamp()';
        await source.query(`update public.order_items set price = price + 1, ${now} where order_id between 10 and 20`);
        await source.query(`update public.customers set name = name || '!', ${now} where id = 7`);
        await source.query(`update public.parts set label = label || '?', ${now} where item_id between 100 and 130`);
        await source.query("insert into public.order_items values (9001, 30, 0, 'late', 1.5)");
        await source.query("insert into public.order_items values (9002, 9003, 0, 'before its order', 1.5)");
        await source.query("insert into public.parts values (9002, 1, 'before its order')");
        const second = await scenario.run();
        expect(second.code).toBe(0);
        expect(second.stream('public.orders').read).toBeLessThan(60);
        expect(await scenario.differing()).toEqual([]);

        await source.query("insert into public.orders values (9003, 1, 'late')");
        expect((await scenario.run()).code).toBe(0);
        expect(await scenario.differing()).toEqual([]);
        expect((await scenario.run()).stream('public.orders')).toMatchObject({ read: 0 });
        const verified = await scenario.trueup('verify', 'orders', '--json');
        expect({ code: verified.code, out: verified.code === 0 ? '' : verified.stdout }).toEqual({ code: 0, out: '' });
      },
    );

    it('lose children that are gone, and those that moved away, at the next comparison', { timeout: 120_000 }, async () => {
      const scenario = await openEmbedScenario(jobOf('{ by: xmin }', COMPARES));
      const { source } = scenario;
      await seed(source, 100);
      await scenario.run();
      await source.query('delete from public.order_items where order_id between 10 and 20');
      await source.query('delete from public.parts where item_id between 300 and 330');
      await source.query('update public.order_items set order_id = 50 where order_id between 30 and 35');
      await source.query('delete from public.orders where id in (60, 61)');
      await source.query('delete from public.customers where id = 3');
      const ran = await scenario.run();
      expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code: 0, stderr: '' });
      expect(ran.stream('public.orders')).toMatchObject({ deleted: 2 });
      expect(await scenario.differing()).toEqual([]);
    });

    it(
      'are verified as a whole: a child too many, one in the wrong place and one that was changed are found, explained and repaired',
      { timeout: 180_000 },
      async () => {
        const scenario = await openEmbedScenario(jobOf('{ by: xmin }'));
        const orders = scenario.mongo.db.collection<{ _id: number }>('orders');
        await seed(scenario.source, 100);
        await scenario.run();
        await orders.updateOne({ _id: 12 }, { $push: { 'lines.items': { id: 1 } } as never });
        await orders.updateOne({ _id: 13 }, [{ $set: { 'lines.items': { $reverseArray: '$lines.items' } } }]);
        await orders.updateOne({ _id: 14 }, { $set: { 'lines.items.0.good.sku': 'changed' } });
        await orders.updateOne({ _id: 17 }, { $set: { 'lines.items.0.parts': [] } });
        await orders.updateOne({ _id: 18 }, { $set: { customer: null } });
        const verified = await scenario.trueup('verify', 'orders', '--json');
        expect(verified.code).toBe(4);
        const [stream] = (JSON.parse(verified.stdout) as { streams: { different: number; samples: { key: string; fields: string[] }[] }[] })
          .streams;
        expect(stream?.different).toBe(5);
        const why = await scenario.trueup('why', 'orders', 'public.orders', '14', '--json');
        expect(JSON.parse(why.stdout)).toMatchObject({ verdict: 'different' });
        expect((await scenario.trueup('verify', 'orders', '--repair', '--json')).code).toBe(0);
        expect(await scenario.differing()).toEqual([]);
      },
    );
  });
});
