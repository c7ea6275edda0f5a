import { expect, it } from 'vitest';
import type { WhyReport } from '../../src/verify/why-report.ts';
import { createMongoDatabase, describeWithMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { openScenario } from './scenario.ts';
import { verify } from './verify-scenario.ts';

const MAPPING = `fields: { id: _id, version: version }
unwind:
  public.items:
    path: items
    key: [order_id, line_no]
    where: "items.sku != 'none'"
    fields: { order_id: _id, line_no: "@index", sku: { from: items.sku, type: text }, qty: { from: items.qty, type: int32 } }
    unwind:
      public.parts:
        path: items.parts
        key: [order_id, line_no, part_no]
        fields: { order_id: _id, line_no: "items.@index", part_no: "@index", name: { from: items.parts, type: text } }
`;

describeWithPostgres('`why` for rows of child tables', () => {
  describeWithMongo('from MongoDB into Postgres', () => {
    it('tells of each what it is a part of, what is due and what mends it', { timeout: 300_000 }, async () => {
      const scenario = await openScenario();
      const { db, url } = await createMongoDatabase('why');
      const orders = db.collection<{ _id: number }>('orders');
      const order = (_id: number, more = {}) => ({
        _id,
        version: 1,
        at: new Date(Date.now() - 3_600_000),
        items: [
          { sku: 'a', qty: _id, parts: ['p', 'q'] },
          { sku: 'none', qty: 1 },
          { sku: 'c', qty: 3 },
        ],
        ...more,
      });
      await orders.insertMany(Array.from({ length: 20 }, (_, n) => order(n + 1)));
      await scenario.write('orders.yaml', MAPPING);
      await scenario.write(
        'trueup.yaml',
        `connections:
  shop: { connector: mongodb, url: "${url}" }
  copy: { connector: postgres, url: "\${COPY_URL}" }
jobs:
  orders:
    source: shop
    target: copy
    streams: [{ from: orders, to: public.orders, mapping: orders.yaml, changes: { by: cursor, field: at }}]
`,
      );
      expect((await scenario.run()).code).toBe(0);
      const why = async (table: string, key: string): Promise<WhyReport> => {
        const exit = await scenario.trueup('why', 'orders', table, key, '--json');
        const report = JSON.parse(exit.stdout) as WhyReport;
        expect(report.exitCode).toBe(exit.code);
        return report;
      };

      const equal = await why('public.items', '[1, 0]');
      expect(equal).toMatchObject({ verdict: 'equal', exitCode: 0, stream: 'orders', target: 'public.items', key: '["1","0"]' });
      expect(equal.fields.map(({ field, expected }) => [field, expected])).toEqual([
        ['order_id', '1'],
        ['line_no', '0'],
        ['sku', 'a'],
        ['qty', '1'],
      ]);
      expect(await why('public.parts', '[1, 0, 1]')).toMatchObject({ verdict: 'equal', actual: { name: 'q' } });
      expect(await why('public.items', '[1, 1]')).toMatchObject({
        verdict: 'filtered',
        exitCode: 0,
        leftOutBy: { label: 'where of public.items', expression: "items.sku != 'none'" },
      });
      expect(await why('public.items', '[1, 9]')).toMatchObject({
        verdict: 'not-in-source',
        because: "Record 1 of 'orders' has no such element. The target has no such row either.",
      });
      expect(await why('public.items', '[99, 0]')).toMatchObject({ verdict: 'not-in-source', exitCode: 0 });

      // Somebody else was at the tables.
      await scenario.target.query(`
        delete from public.parts where (order_id, line_no, part_no) = (2, 0, 0);
        update public.items set sku = 'other' where (order_id, line_no) = (3, 2);
        insert into public.items values (4, 7, 'too many', 1), (77, 0, 'of no order', 1)`);
      const missing = await why('public.parts', '[2, 0, 0]');
      expect(missing).toMatchObject({ verdict: 'missing', exitCode: 4 });
      expect(missing.next).toContain('trueup verify orders --stream orders --repair');
      expect(await why('public.items', '[3, 2]')).toMatchObject({
        verdict: 'different',
        fields: [{}, {}, { field: 'sku', equal: false }, {}],
      });
      const extra = await why('public.items', '[4, 7]');
      expect(extra).toMatchObject({
        verdict: 'deleted',
        exitCode: 4,
        because: "Record 4 of 'orders' has no such element. It is still in 'public.items'.",
      });
      expect(extra.next).toContain('before record 4 changes in the source');
      expect(await why('public.items', '[77, 0]')).toMatchObject({ verdict: 'deleted', exitCode: 4 });
      // What a verify names is what may be asked.
      const people = (await scenario.trueup('verify', 'orders')).stdout;
      const command = /trueup why orders (\S+) (?:'([^']*)'|(\S+)) /.exec(people);
      expect(command?.[1]).toBe('public.items');
      expect((await why('public.items', command?.[2] ?? command?.[3] ?? '')).exitCode).toBe(4);

      // On its way, and no row yet.
      await orders.updateOne({ _id: 5 }, { $set: { version: 2, at: new Date(), items: [{ sku: 'new', qty: 1 }] } });
      await orders.updateOne({ _id: 6 }, { $set: { at: new Date(), items: [{ sku: 'bad', qty: 'many' }] } });
      expect(await why('public.items', '[5, 0]')).toMatchObject({
        verdict: 'pending',
        exitCode: 0,
        because: 'Record 5, which it is a part of, changed in the source after the checkpoint.',
      });
      expect(await why('public.items', '[5, 2]')).toMatchObject({ verdict: 'pending', exitCode: 0 });
      expect(await why('public.items', '[6, 0]')).toMatchObject({ verdict: 'pending', exitCode: 4 });
      expect((await scenario.run()).code).toBe(3);
      const letter = await why('public.items', '[6, 2]');
      expect(letter).toMatchObject({ verdict: 'dead-letter', exitCode: 4 });
      expect(letter.because).toContain('Record 6, which it is a part of, could not be written');
      expect(letter.next).toContain('trueup dead-letters replay orders --stream orders 6');

      expect(await scenario.trueup('why', 'orders', 'public.items', '5')).toMatchObject({ code: 2 });
      await orders.updateOne({ _id: 6 }, { $set: { items: [] } });
      expect((await scenario.trueup('dead-letters', 'replay', 'orders', '--stream', 'orders', '6')).code).toBe(0);
      expect((await verify(scenario, 'orders', '--repair', '--max-repair', '10')).code).toBe(0);
      for (const [table, key] of [
        ['public.parts', '[2, 0, 0]'],
        ['public.items', '[3, 2]'],
        ['public.items', '[5, 0]'],
      ] as const)
        expect(await why(table, key)).toMatchObject({ verdict: 'equal' });
    });
  });
});
