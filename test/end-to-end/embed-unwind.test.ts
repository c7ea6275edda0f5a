import { expect, it } from 'vitest';
import { createMongoDatabase, describeWithMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { openScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { verify } from './verify-scenario.ts';

const TABLES = `
  create table public.customers (id int primary key, name text, updated_at timestamptz not null default clock_timestamp());
  create table public.notes (id int primary key, order_id int, body text, updated_at timestamptz not null default clock_timestamp());
  create table public.orders (id int primary key, customer_id int, cart jsonb, updated_at timestamptz not null default clock_timestamp());
  create index on public.notes (order_id);
  insert into public.customers select n, 'customer ' || n from generate_series(0, 9) n;
  insert into public.orders select n, n % 12, case when n % 9 = 0 then null else jsonb_build_object('lines',
      (select coalesce(jsonb_agg(jsonb_build_object('sku', 'sku ' || k, 'qty', k)), '[]') from generate_series(1, n % 5) k)) end
    from generate_series(1, 100) n;
  insert into public.notes select n * 10 + k, n, 'note ' || k from generate_series(1, 100) n, generate_series(1, n % 3) k;
  analyze`;

/** One stream whose rows carry rows of others, and are taken apart themselves. */
const mappingOf = (table: string): string => `fields: { _id: id }
embed:
  notes: { from: public.notes, on: { order_id: id }, fields: { id: id, body: body } }
  customer: { from: public.customers, on: { id: customer_id }, one: true, fields: { name: name } }
unwind:
  ${table}:
    path: cart.lines
    fields: { order_id: id, line_no: "@index", sku: { from: cart.lines.sku, type: text }, qty: { from: cart.lines.qty, type: int32 } }
`;

const EXPECTED = {
  orders: `select jsonb_build_object('_id', o.id,
      'notes', (select coalesce(jsonb_agg(jsonb_build_object('id', n.id, 'body', n.body) order by n.id), '[]') from public.notes n where n.order_id = o.id),
      'customer', (select jsonb_build_object('name', c.name) from public.customers c where c.id = o.customer_id))::text as row
    from public.orders o order by o.id`,
  lines: `select jsonb_build_object('order_id', o.id, 'line_no', n - 1, 'sku', e->'sku', 'qty', e->'qty')::text as row
    from public.orders o, jsonb_array_elements(o.cart->'lines') with ordinality l(e, n) order by o.id, n`,
};

interface Held {
  orders(): Promise<string[]>;
  lines(): Promise<string[]>;
}

async function expectSame({ source }: Scenario, held: Held): Promise<void> {
  for (const name of ['orders', 'lines'] as const) {
    const expected = await source.query<{ row: string }>(EXPECTED[name]);
    const byValue = (text: string): unknown => JSON.parse(text) as unknown;
    expect((await held[name]()).map(byValue)).toEqual(expected.map(({ row }) => byValue(row)));
  }
}

const now = 'updated_at = clock_timestamp()';

/** Whatever changes, the record, what it carries and what it is taken apart into stay those of the source. */
async function proveBoth(scenario: Scenario, held: Held): Promise<void> {
  const { source } = scenario;
  const first = await scenario.run();
  expect({ code: first.code, errors: first.report.jobs.map(({ error }) => error?.message), stderr: first.stderr }).toEqual({
    code: 0,
    errors: [undefined],
    stderr: '',
  });
  expect(first.stream('public.orders').children).toMatchObject({ notes: { upserted: 100 }, customer: { upserted: 84 } });
  await expectSame(scenario, held);
  // A change of a child reads the record again, its array included.
  await source.query(`
    update public.notes set body = body || '!', ${now} where order_id between 10 and 20;
    update public.customers set name = 'other', ${now} where id = 3;
    insert into public.notes values (5000, 9, 'late'), (5001, 900, 'before its order');
    update public.orders set cart = jsonb_set(cart, '{lines}', (cart->'lines') - 0), ${now} where id between 15 and 30 and cart is not null;
    update public.orders set cart = '{"lines": [{"sku": "x", "qty": 1}]}', ${now} where id = 9;
    update public.orders set cart = null, customer_id = 3, ${now} where id = 14;
    update public.orders set cart = jsonb_set(cart, '{lines}', '[{"sku": "a", "qty": 7}, {"sku": "b", "qty": 8}]') where id = 10;`);
  expect((await scenario.run()).code).toBe(0);
  await source.query(`insert into public.orders values (900, 1, '{"lines": [{"sku": "late", "qty": 2}]}')`);
  expect((await scenario.run()).code).toBe(0);
  await expectSame(scenario, held);
  // One element that cannot be a row: nothing of the record is written, children included, until it can be.
  const before = { orders: await held.orders(), lines: await held.lines() };
  await source.query(`
    update public.orders set cart = '{"lines": [{"sku": "a", "qty": "many"}]}', ${now} where id = 41;
    update public.notes set body = 'changed with it', ${now} where order_id = 41;`);
  expect((await scenario.run()).code).toBe(3);
  expect({ orders: await held.orders(), lines: await held.lines() }).toEqual(before);
  await source.query(`update public.orders set cart = '{"lines": [{"sku": "a", "qty": 3}]}', ${now} where id = 41;`);
  expect((await scenario.run()).code).toBe(0);
  await expectSame(scenario, held);
  await source.query('delete from public.orders where id in (50, 51); delete from public.notes where order_id = 62');
  expect((await scenario.run()).code).toBe(0);
  await expectSame(scenario, held);
  const verified = await verify(scenario, 'orders');
  expect({ code: verified.code, streams: verified.report.streams.length }).toEqual({ code: 0, streams: 2 });
  const backfill = await scenario.trueup('backfill', 'orders', '--json');
  expect(backfill.code).toBe(0);
  await expectSame(scenario, held);
}

const jobTo = (target: string, to: string): string => `
  orders:
    source: shop
    target: ${target}
    streams: [{ from: public.orders, to: ${to}, mapping: orders.yaml, changes: { by: xmin }, deletes: { compare: { maxShare: 1 } } }]
`;

describeWithPostgres('embed and unwind in one stream', () => {
  it('from Postgres into columns and a child table', { timeout: 240_000 }, async () => {
    const scenario = await openScenario();
    await scenario.source.query(TABLES);
    await scenario.write('orders.yaml', mappingOf('public.lines'));
    await scenario.jobs(jobTo('copy', 'public.orders'));
    const rows = (sql: string) => async () => (await scenario.target.query<{ row: string }>(sql)).map(({ row }) => row);
    await proveBoth(scenario, {
      orders: rows('select to_jsonb(o)::text as row from public.orders o order by _id'),
      lines: rows('select to_jsonb(l)::text as row from public.lines l order by order_id, line_no'),
    });
  });

  describeWithMongo('with MongoDB', () => {
    it.each(['', 'checkpoints: atomic'])('from Postgres into documents and a collection, %s', { timeout: 240_000 }, async (checkpoints) => {
      const scenario = await openScenario();
      const { db, url } = await createMongoDatabase('unwound');
      await scenario.source.query(TABLES);
      await db.collection('lines').createIndex({ order_id: 1, line_no: 1 });
      await scenario.write('orders.yaml', mappingOf('lines'));
      const job = jobTo('archive', 'orders');
      await scenario.jobs(
        checkpoints === '' ? job : job.replace('target: archive', `target: archive\n    ${checkpoints}`),
        `  archive: { connector: mongodb, url: "${url}" }\n`,
      );
      const documents = (name: string, sort: Record<string, 1>, fields: readonly string[]) => async () =>
        (await db.collection(name).find().sort(sort).toArray()).map((one) =>
          JSON.stringify(Object.fromEntries(fields.map((field) => [field, one[field] as unknown]))),
        );
      await proveBoth(scenario, {
        orders: documents('orders', { _id: 1 }, ['_id', 'notes', 'customer']),
        lines: documents('lines', { order_id: 1, line_no: 1 }, ['order_id', 'line_no', 'sku', 'qty']),
      });
    });
  });
});
