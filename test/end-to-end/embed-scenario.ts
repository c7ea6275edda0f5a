import { mkdir } from 'node:fs/promises';
import { createMongoDatabase } from '../servers/mongo.ts';
import type { TestMongo } from '../servers/mongo.ts';
import type { TestDatabase } from '../servers/postgres.ts';
import { openScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';

/** Orders with their items, parts of these, and their customer: a document in MongoDB. */
export interface EmbedScenario extends Scenario {
  readonly mongo: TestMongo;
  /** Documents that are not what one query over the source gives, which knows nothing of trueup: the first few, as text. */
  differing(): Promise<readonly { readonly expected: string | undefined; readonly found: string | undefined }[]>;
}

const TABLES = `
  create table public.customers (id int primary key, name text not null, updated_at timestamptz not null default clock_timestamp());
  create table public.orders (id int primary key, customer_id int, status text not null, updated_at timestamptz not null default clock_timestamp());
  create table public.order_items (id bigint primary key, order_id int, line_no int, sku text, price numeric, updated_at timestamptz not null default clock_timestamp());
  create table public.parts (item_id bigint, no int, label text, updated_at timestamptz not null default clock_timestamp(), primary key (item_id, no));
  create index on public.order_items (order_id);
  create index on public.orders (customer_id);`;

export const MAPPING = `fields:
  _id: id
  status: status
embed:
  customer: { from: public.customers, on: { id: customer_id }, one: true, fields: { id: id, name: name } }
  lines.items:
    from: public.order_items
    on: { order_id: id }
    orderBy: [line_no, { price: desc }]
    where: "sku == null || sku != 'hidden'"
    fields: { id: id, "good.sku": sku, "good.price": price, cents: { from: price, shift: 2 } }
    embed:
      parts: { from: public.parts, on: { item_id: id }, fields: { no: no, label: label } }
`;

/** @param changes of the stream, and so of its children */
export function jobOf(changes: string, more = ''): string {
  return `
  orders:
    source: shop
    target: archive
    streams: [{ from: public.orders, changes: ${changes}, mapping: mappings/orders.yaml${more} }]
`;
}

export async function openEmbedScenario(job: string, extra = ''): Promise<EmbedScenario> {
  const scenario = await openScenario();
  const mongo = await createMongoDatabase('embed');
  await scenario.source.query(TABLES);
  await mkdir(`${scenario.dir}/mappings`);
  await scenario.write('mappings/orders.yaml', MAPPING);
  await scenario.write(
    'trueup.yaml',
    `connections:
  shop: { connector: postgres, url: "\${SHOP_URL}" }
  archive: { connector: mongodb, url: "${mongo.url}" }
${extra}jobs:${job}`,
  );
  return { ...scenario, mongo, differing: () => differing(mongo, scenario.source) };
}

async function differing(mongo: TestMongo, source: TestDatabase) {
  const [found, expected] = [await documentsOf(mongo), await expectedOf(source)];
  const [has, wants] = [new Set(found), new Set(expected)];
  const idOf = (text: string): string => text.slice(0, text.indexOf(','));
  const ids = new Set([...found.filter((text) => !wants.has(text)), ...expected.filter((text) => !has.has(text))].map(idOf));
  return [...ids].slice(0, 5).map((id) => ({
    expected: expected.find((text) => idOf(text) === id),
    found: found.find((text) => idOf(text) === id),
  }));
}

export async function seed(source: TestDatabase, orders: number): Promise<void> {
  await source.query(`
    insert into public.customers select n, 'customer ' || n from generate_series(1, ${Math.ceil(orders / 5)}) n;
    insert into public.orders select n, n % ${Math.ceil(orders / 5)} + 1, 'new' from generate_series(1, ${orders}) n;
    insert into public.order_items select n * 10 + k, n, k % 3, case when k = 4 then 'hidden' else 'sku ' || k end, n * 1.10 + k
      from generate_series(1, ${orders}) n, generate_series(0, n % 5) k;
    insert into public.parts select id, k, 'part ' || k from public.order_items, generate_series(1, (id % 3)::int) k;
    analyze`);
}

async function documentsOf(mongo: TestMongo): Promise<string[]> {
  const found = await mongo.db.collection('orders').find().sort({ _id: 1 }).toArray();
  // Fields of a document keep the places in which they were first written.
  const inOrder = found.map(({ _id, status, customer, lines, ...more }) => ({ _id, status, customer, lines, ...more }));
  return inOrder.map((one) => JSON.stringify(one, (_name, value: unknown) => plain(value)));
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  return (value as { readonly $numberDecimal?: string } | null)?.$numberDecimal ?? value;
}

async function expectedOf(source: TestDatabase): Promise<string[]> {
  const rows = await source.query<{ id: number; status: string; customer: unknown; items: unknown }>(`
    select o.id, o.status,
      (select json_build_object('id', c.id, 'name', c.name) from public.customers c where c.id = o.customer_id) as customer,
      coalesce((select json_agg(json_build_object('id', i.id, 'good', json_build_object('sku', i.sku, 'price', i.price::text), 'cents', trim_scale(i.price * 100)::text,
          'parts', coalesce((select json_agg(json_build_object('no', p.no, 'label', p.label) order by p.no) from public.parts p where p.item_id = i.id), '[]'))
          order by i.line_no, i.price desc nulls first, i.id)
        from public.order_items i where i.order_id = o.id and i.sku is distinct from 'hidden'), '[]') as items
      from public.orders o order by o.id`);
  return rows.map(({ id, status, customer, items }) => JSON.stringify({ _id: id, status, customer, lines: { items } }));
}
