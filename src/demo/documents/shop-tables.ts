import type { Client } from 'pg';

/** How much is made up. The same numbers give the same rows. */
export interface ShopTables {
  readonly customers: number;
  readonly orders: number;
}

const TABLES = `
create table customers (
  id integer primary key,
  name text not null,
  country char(2) not null,
  updated_at timestamptz not null
);
create table orders (
  id bigint primary key,
  customer_id integer not null,
  status text not null,
  total numeric(12,2) not null,
  placed_at timestamptz(3) not null,
  updated_at timestamptz not null
);
create table order_items (
  order_id bigint not null,
  line_no integer not null,
  sku text not null,
  quantity integer not null,
  price numeric(10,2) not null,
  updated_at timestamptz not null,
  primary key (order_id, line_no)
);`;

const CUSTOMERS = `
insert into customers
select i, (array['Ada','Boris','Chloé','Dmitri','Eun-ji','Fatima','健一','Łucja'])[1 + i * 7 % 8] || ' ' || i,
  (array['DE','FR','JP','US','BR'])[1 + i % 5], timestamptz '2024-01-01 00:00:00Z' + i * interval '61.234567 seconds'
from generate_series(1, $1::int) as i`;

const ORDERS = `
insert into orders
select i, 1 + i * 48271 % $2::bigint, (array['new','paid','shipped'])[1 + i % 3], (i * 104729 % 5000000) / 100.0,
  timestamptz '2024-01-01 00:00:00Z' + i * interval '36.123 seconds', timestamptz '2024-01-01 00:00:00Z' + i * interval '36.123457 seconds'
from generate_series(1::bigint, $1::bigint) as i`;

/** Every order has one to five items. */
const ITEMS = `
insert into order_items
select i, line, 'SKU-' || (i * 31 + line) % 9973, 1 + (i + line) % 4, (i * 331 % 100000 + line) / 100.0,
  timestamptz '2024-01-01 00:00:00Z' + i * interval '36.123457 seconds'
from generate_series(1::bigint, $1::bigint) as i, generate_series(1, (1 + i % 5)::int) as line`;

const INDEXES = `
create index on customers (updated_at, id);
create index on orders (updated_at, id);
create index on orders (customer_id);
create index on order_items (updated_at, order_id, line_no);
analyze;`;

/** Fills an empty database. Returns how many items there are. */
export async function fillShopTables(client: Client, { customers, orders }: ShopTables): Promise<number> {
  await client.query(TABLES);
  await client.query(CUSTOMERS, [customers]);
  await client.query(ORDERS, [orders, customers]);
  const { rowCount } = await client.query(ITEMS, [orders]);
  await client.query(INDEXES);
  return rowCount ?? 0;
}
