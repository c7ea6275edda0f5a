import { expect, it } from 'vitest';
import { createMongoDatabase, describeWithMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { openScenario } from './scenario.ts';

const MAPPING = `fields: { id: _id }
unwind:
  public.items:
    path: items
    fields: { order_id: _id, line_no: "@index", sku: items.sku }
  public.tags:
    path: tags
    fields: { order_id: _id, tag_no: "@index", tag: { from: tags, type: text } }
`;

describeWithPostgres('documents with elements that the target cannot store', () => {
  describeWithMongo('MongoDB to Postgres', () => {
    it('are left out, whichever table refuses them, and all others are written together', { timeout: 60_000 }, async () => {
      const scenario = await openScenario();
      const mongo = await createMongoDatabase('letters');
      await scenario.write('orders.yaml', MAPPING);
      await scenario.write(
        'trueup.yaml',
        `connections:
  shop: { connector: mongodb, url: "${mongo.url}" }
  copy: { connector: postgres, url: "\${COPY_URL}" }
jobs:
  orders:
    source: shop
    target: copy
    streams: [{ from: orders, to: public.orders, mapping: orders.yaml, changes: { by: cursor, field: changed } }]
`,
      );
      const orders = mongo.db.collection<{ _id: number; changed: Date; items: object[]; tags: string[] }>('orders');
      const isBad = (n: number): boolean => n % 10 === 3 || n % 10 === 7;
      await orders.insertMany(
        Array.from({ length: 300 }, (_unused, n) => ({
          _id: n,
          changed: new Date(1000 + n),
          items: [{ sku: n }, { sku: n % 10 === 3 ? 'a\0' : 'b' }],
          tags: ['t', n % 10 === 7 ? 'a\0' : 'u'],
        })),
      );
      const ran = await scenario.run();
      expect([ran.code, ran.stream('orders').upserted, ran.stream('orders').deadLettered]).toEqual([3, 240, 60]);
      const good = Array.from({ length: 300 }, (_unused, n) => n).filter((n) => !isBad(n));
      for (const [table, key] of [
        ['orders', 'id'],
        ['items', 'order_id'],
        ['tags', 'order_id'],
      ]) {
        const held = await scenario.target.query<{ id: number }>(`select distinct ${key} as id from public.${table} order by 1`);
        expect([table, held.map(({ id }) => id)]).toEqual([table, good]);
      }
      // Commits of their own for ever smaller pieces would make one bad document as slow as a thousand good ones.
      const [written] = await scenario.target.query<{ n: number }>('select count(distinct xmin::text)::int as n from public.items');
      expect(written?.n).toBe(1);
      const listed = (await scenario.trueup('dead-letters', 'list', '--json')).stdout;
      expect(listed).toContain("public.items: field 'sku' holds a NUL character");
      expect(listed).toContain("public.tags: field 'tag' holds a NUL character");
    });
  });
});
