import { expect, it } from 'vitest';
import { createMongoDatabase, describeWithMongo } from '../servers/mongo.ts';
import type { TestMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { openScenario, tableContent } from './scenario.ts';
import { verifiedOf } from './verify-scenario.ts';
import type { Scenario } from './scenario.ts';

const MAPPING = `fields:
  id: _id
  customer: customer.name
  changed: changed
unwind:
  public.items:
    path: items
    key: [order_id, line_no]
    fields: { order_id: _id, line_no: "@index", sku: { from: items.sku, type: text }, qty: { from: items.qty, type: int32 } }
    unwind:
      public.parts:
        path: items.parts
        key: [order_id, line_no, part_no]
        fields: { order_id: _id, line_no: "items.@index", part_no: "@index", name: { from: items.parts.name, type: text } }
`;

/** MongoDB \`shop\` into Postgres \`copy\`. */
async function config(
  scenario: Scenario,
  mongo: TestMongo,
  stream = 'changes: { by: cursor, field: changed }',
  mapping = MAPPING,
): Promise<void> {
  await scenario.write('orders.yaml', mapping);
  await scenario.write(
    'trueup.yaml',
    `connections:
  shop: { connector: mongodb, url: "${mongo.url}" }
  copy: { connector: postgres, url: "\${COPY_URL}" }
jobs:
  orders:
    source: shop
    target: copy
    streams: [{ from: orders, to: public.orders, mapping: orders.yaml, ${stream} }]
`,
  );
}

const KEYS = `
  alter table public.items add foreign key (order_id) references public.orders;
  alter table public.parts add foreign key (order_id, line_no) references public.items`;

interface Order {
  readonly _id: number;
  readonly customer: { readonly name: string };
  readonly changed: Date;
  readonly items?: unknown;
}

let clock = Date.now() - 3_600_000;

async function put(mongo: TestMongo, _id: number, items?: unknown): Promise<void> {
  const order = { _id, customer: { name: `c${_id}` }, changed: new Date((clock += 1000)), ...(items === undefined ? {} : { items }) };
  await mongo.db.collection<Order>('orders').replaceOne({ _id }, order, { upsert: true });
}

async function tables(scenario: Scenario): Promise<Record<'orders' | 'items' | 'parts', string[]>> {
  return {
    orders: await tableContent(scenario.target, '(select id, customer from public.orders)'),
    items: await tableContent(scenario.target, 'public.items'),
    parts: await tableContent(scenario.target, 'public.parts'),
  };
}

describeWithPostgres('arrays of documents in child tables', () => {
  describeWithMongo('MongoDB to Postgres', () => {
    it('follow the documents: arrays grow, shrink, change order, are emptied, go; documents go', { timeout: 120_000 }, async () => {
      const scenario = await openScenario();
      const mongo = await createMongoDatabase('unwind');
      await config(scenario, mongo);
      const part = (...names: string[]) => names.map((name) => ({ name }));
      await put(mongo, 1, [
        { sku: 'a', qty: 1, parts: part('x', 'y') },
        { sku: 'b', qty: 2 },
      ]);
      await put(mongo, 2, [{ sku: 'c', qty: 3, parts: part('z') }]);
      await put(mongo, 3);
      await put(mongo, 4, null);
      const first = await scenario.run();
      expect(first.stderr).toBe('');
      expect(first.stream('orders')).toMatchObject({
        read: 4,
        upserted: 4,
        children: { 'public.items': { upserted: 3, deleted: 0 }, 'public.parts': { upserted: 3, deleted: 0 } },
      });
      expect(await tables(scenario)).toEqual({
        orders: ['(1,c1)', '(2,c2)', '(3,c3)', '(4,c4)'],
        items: ['(1,0,a,1)', '(1,1,b,2)', '(2,0,c,3)'],
        parts: ['(1,0,0,x)', '(1,0,1,y)', '(2,0,0,z)'],
      });
      await scenario.target.query(KEYS);
      await put(mongo, 1, [{ sku: 'b', qty: 2 }]);
      await put(mongo, 2, []);
      await put(mongo, 3, [
        { sku: 'd', qty: 4, parts: part('p', 'q') },
        { sku: 'e', qty: 5, parts: part('r') },
      ]);
      const second = await scenario.run();
      expect(second.stderr).toBe('');
      expect(second.code).toBe(0);
      expect(await tables(scenario)).toEqual({
        orders: ['(1,c1)', '(2,c2)', '(3,c3)', '(4,c4)'],
        items: ['(1,0,b,2)', '(3,0,d,4)', '(3,1,e,5)'],
        parts: ['(3,0,0,p)', '(3,0,1,q)', '(3,1,0,r)'],
      });
    });

    it('set a document aside as a whole, with the place, and take it back when it is mended', { timeout: 180_000 }, async () => {
      const scenario = await openScenario();
      const mongo = await createMongoDatabase('unwind');
      await config(scenario, mongo);
      await put(mongo, 1, [{ sku: 'a', qty: 1, parts: [{ name: 'x' }] }]);
      await put(mongo, 2, [{ sku: 'b', qty: 2 }]);
      expect((await scenario.run()).code).toBe(0);
      await scenario.target.query(`${KEYS}; alter table public.items add check (sku <> 'bad')`);
      const before = await tables(scenario);
      await put(mongo, 1, [
        { sku: 'aa', qty: 1 },
        { sku: 'bb', qty: 'many' },
      ]);
      await put(mongo, 2, [
        { sku: 'bb', qty: 2 },
        { sku: 'bad', qty: 3 },
      ]);
      await put(mongo, 3, [{ sku: 'c', qty: 3 }, 'no document']);
      await put(mongo, 4, { sku: 'no array' });
      await put(mongo, 5, [{ sku: 'e', qty: 5 }]);
      const ran = await scenario.run();
      expect(ran.code).toBe(3);
      expect(ran.stream('orders')).toMatchObject({ read: 5, deadLettered: 4, upserted: 1 });
      expect(await tables(scenario)).toEqual({ ...before, orders: [...before.orders, '(5,c5)'], items: [...before.items, '(5,0,e,5)'] });
      const letters = JSON.parse((await scenario.trueup('dead-letters', 'list', '--json')).stdout) as {
        letters: { key: string; message: string }[];
      };
      expect(letters.letters.map(({ key, message }) => `${key} ${message}`).sort()).toEqual([
        expect.stringMatching(/^1 public\.items: field 'qty' \(items\[1\]\.qty\): /),
        expect.stringMatching(/^2 public\.items: .*items_sku_check/),
        '3 public.items: items[1]: a document was expected, and there is a value of type text',
        "4 public.items: items[0]: an array was expected in 'items', and there is a document",
      ]);
      for (const id of [1, 2, 3, 4]) await put(mongo, id, [{ sku: `s${id}`, qty: id }]);
      const mended = await scenario.run();
      expect(mended.code).toBe(0);
      expect(mended.stream('orders')).toMatchObject({ lettersResolved: 4, deadLettered: 0 });
      expect((await tables(scenario)).items).toEqual(['(1,0,s1,1)', '(2,0,s2,2)', '(3,0,s3,3)', '(4,0,s4,4)', '(5,0,e,5)']);
    });

    it(
      'are compared and repaired table by table: rows missing, too many, changed, in another order, without a document',
      { timeout: 240_000 },
      async () => {
        const scenario = await openScenario();
        const mongo = await createMongoDatabase('unwind');
        await config(scenario, mongo);
        for (let id = 1; id <= 30; id += 1)
          await put(mongo, id, [
            { sku: `a${id}`, qty: 1, parts: [{ name: 'x' }, { name: 'y' }] },
            { sku: `b${id}`, qty: 2 },
          ]);
        expect((await scenario.run()).code).toBe(0);
        const before = await tables(scenario);
        expect(
          verifiedOf(await scenario.trueup('verify', 'orders', '--json')).report.streams.map(({ target, compared }) => [
            target,
            compared.target,
          ]),
        ).toEqual([
          ['public.orders', 30],
          ['public.items', 60],
          ['public.parts', 60],
        ]);
        await scenario.target.query(`
        delete from public.items where order_id = 1 and line_no = 1;
        update public.items set sku = 'other' where order_id = 2 and line_no = 0;
        insert into public.items values (3, 2, 'extra', 1), (999, 0, 'orphan', 1);
        update public.items set sku = case line_no when 0 then 'b4' else 'a4' end where order_id = 4;
        delete from public.parts where order_id = 5;
        insert into public.parts values (6, 0, 2, 'z'), (6, 5, 0, 'z');
        update public.parts set part_no = 9 - part_no where order_id = 7`);
        const found = verifiedOf(await scenario.trueup('verify', 'orders', '--json'));
        expect(found.code).toBe(4);
        expect(found.report.streams.map(({ target, missing, extra, different }) => ({ target, missing, extra, different }))).toEqual([
          { target: 'public.orders', missing: 0, extra: 0, different: 0 },
          { target: 'public.items', missing: 1, extra: 2, different: 3 },
          { target: 'public.parts', missing: 4, extra: 4, different: 0 },
        ]);
        const repaired = verifiedOf(await scenario.trueup('verify', 'orders', '--repair', '--json'));
        expect(repaired.report.error).toBeUndefined();
        expect(repaired.code).toBe(0);
        expect(await tables(scenario)).toEqual(before);
      },
    );

    it('are kept right by comparing alone, and lose no more rows than a comparison may delete', { timeout: 240_000 }, async () => {
      const scenario = await openScenario();
      const mongo = await createMongoDatabase('unwind');
      await config(scenario, mongo, 'changes: { by: snapshot }');
      for (let id = 101; id <= 140; id += 1) await put(mongo, id, [{ sku: `a${id}`, qty: 1, parts: [{ name: 'x' }] }]);
      expect((await scenario.run()).code).toBe(0);
      const orders = mongo.db.collection<Order>('orders');
      // Nothing of the records themselves changes.
      await orders.updateOne({ _id: 101 }, { $push: { items: { sku: 'new', qty: 2 } as never } });
      await orders.updateOne({ _id: 102 }, { $set: { items: [] } });
      await orders.updateOne({ _id: 103 }, { $set: { 'items.0.parts': [{ name: 'y' }] } as never });
      await orders.deleteOne({ _id: 104 });
      await scenario.target.query(`insert into public.parts values (999, 0, 0, 'orphan')`);
      const ran = await scenario.run();
      expect(ran.stderr).toBe('');
      const { items, parts } = await tables(scenario);
      expect(items.slice(0, 4)).toEqual(['(101,0,a101,1)', '(101,1,new,2)', '(103,0,a103,1)', '(105,0,a105,1)']);
      expect(parts.slice(0, 3)).toEqual(['(101,0,0,x)', '(103,0,0,y)', '(105,0,0,x)']);
      expect(parts.at(-1)).toBe('(140,0,0,x)');
      await scenario.target.query('insert into public.parts select 1000 + n, 0, 0, null from generate_series(1, 1200) n');
      const refused = await scenario.run();
      expect(refused.code).toBe(5);
      expect(refused.stream('orders').error?.message).toMatch(/1200 of 1238 records of target 'public\.parts' are not in the source/);
    });

    it('come out of jsonb of PostgreSQL as well, and into collections', { timeout: 180_000 }, async () => {
      const scenario = await openScenario();
      const mongo = await createMongoDatabase('unwind');
      await scenario.source
        .query(`create table public.orders (id bigint primary key, doc jsonb, tags text[], updated_at timestamptz default clock_timestamp());
        insert into public.orders (id, doc, tags) select n, jsonb_build_object('items', jsonb_build_array(jsonb_build_object('sku', 'a' || n, 'qty', n), jsonb_build_object('sku', 'b', 'qty', 0))),
          array['x', 'y'] from generate_series(1, 300) n`);
      const mapping = `fields: { _id: id }
unwind:
  items: { path: doc.items, where: doc.items.qty > 0, fields: { order: id, line: "@index", sku: { from: doc.items.sku, type: text }, qty: { from: doc.items.qty, type: decimal } } }
  tags: { path: tags, fields: { order: id, line: "@index", tag: tags } }
`;
      await scenario.write('orders.yaml', mapping.replace('where: doc.items.qty > 0, ', ''));
      await scenario.write(
        'trueup.yaml',
        `connections:
  shop: { connector: postgres, url: "\${SHOP_URL}" }
  archive: { connector: mongodb, url: "${mongo.url}" }
jobs:
  orders:
    source: shop
    target: archive
    streams: [{ from: public.orders, mapping: orders.yaml, changes: { by: cursor, field: updated_at } }]
`,
      );
      const first = await scenario.run();
      expect(first.stream('public.orders')).toMatchObject({
        upserted: 300,
        children: { items: { upserted: 600 }, tags: { upserted: 600 } },
      });
      await scenario.source.query(
        `update public.orders set doc = jsonb_set(doc, '{items}', (doc->'items') - 0), tags = array['z'], updated_at = clock_timestamp() where id <= 100`,
      );
      const second = await scenario.run();
      expect(second.stderr).toBe('');
      expect(second.stream('public.orders')).toMatchObject({
        children: { items: { deleted: 100 }, tags: { upserted: 100, deleted: 100 } },
      });
      expect(await mongo.db.collection('items').countDocuments()).toBe(500);
      expect(
        await mongo.db
          .collection('tags')
          .find({ order: 7n }, { projection: { _id: 0, line: 1, tag: 1 } })
          .toArray(),
      ).toEqual([{ line: 0, tag: 'z' }]);
      const verified = verifiedOf(await scenario.trueup('verify', 'orders', '--json'));
      expect(verified.report.streams.map(({ target, missing, extra, different }) => [target, missing + extra + different])).toEqual([
        ['orders', 0],
        ['items', 0],
        ['tags', 0],
      ]);
    });

    it(
      'never change silently when documents do: an int here and a text there, a field that nobody knew',
      { timeout: 240_000 },
      async () => {
        const scenario = await openScenario();
        const mongo = await createMongoDatabase('unwind');
        const fields = 'fields: { order_id: _id, line_no: "@index", sku: items.sku, qty: { from: items.qty, type: int32 } }';
        const mapping = `otherFields: keep
drop: ['*']
unwind:
  public.items: { path: items, otherFields: { into: rest }, ${fields} }
`;
        await config(scenario, mongo, 'changes: { by: cursor, field: changed }', mapping);
        await put(mongo, 1, [
          { sku: 1, qty: 1 },
          { sku: '1', qty: '2', colour: 'red' },
        ]);
        expect((await scenario.run()).code).toBe(0);
        const columns = async () =>
          (
            await scenario.target.query<{ name: string }>(`select attname || ' ' || format_type(atttypid, -1) as name from pg_attribute
        where attrelid = 'public.orders'::regclass and attnum > 0 order by 1`)
          ).map(({ name }) => name);
        expect(await columns()).toEqual(['_id integer', 'changed timestamp with time zone', 'customer.name text']);
        expect(await tableContent(scenario.target, '(select line_no, sku, qty, rest from public.items)')).toEqual([
          '(0,1,1,{})',
          `(1,"""1""",2,"{""colour"": ""red""}")`,
        ]);
        // Of the documents themselves, after their fields were taken from samples: another type, and a new field.
        const orders = mongo.db.collection<{ _id: number }>('orders');
        const later = (_id: number, more: object) => ({ _id, changed: new Date((clock += 1000)), ...more });
        await orders.insertMany([
          later(2, { customer: { name: 5 }, items: [{ sku: 'x', qty: 1 }] }),
          later(3, { customer: { name: 'c3' }, note: 'new', items: [{ sku: { deep: true }, qty: 3, size: 1 }] }),
          later(4, { customer: { name: 'c4' }, items: [{ sku: 'y', qty: 'many' }] }),
        ]);
        const drifted = await scenario.run();
        expect(drifted.code).toBe(3);
        expect(drifted.stream('orders')).toMatchObject({ read: 3, upserted: 1, deadLettered: 2 });
        expect(await columns()).toEqual(['_id integer', 'changed timestamp with time zone', 'customer.name text', 'note text']);
        expect(await tableContent(scenario.target, '(select order_id, sku, qty, rest from public.items where order_id > 1)')).toEqual([
          `(3,"{""deep"": true}",3,"{""size"": 1}")`,
        ]);
        const { letters } = JSON.parse((await scenario.trueup('dead-letters', 'list', '--json')).stdout) as {
          letters: { key: string; message: string }[];
        };
        expect(letters.map(({ key, message }) => `${key} ${message}`).sort()).toEqual([
          expect.stringMatching(/^2 .*customer\.name/),
          expect.stringMatching(/^4 public\.items: field 'qty' \(items\[0\]\.qty\): /),
        ]);
      },
    );
  });
});
