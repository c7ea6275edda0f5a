import type { Client } from 'pg';

/** How much is made up. The same numbers give the same rows, to the last byte. */
export interface ShopSize {
  readonly customers: number;
  readonly orders: number;
}

const TABLES = `
create type order_status as enum ('new', 'paid', 'shipped', 'returned');
create table customers (
  id integer primary key,
  name text not null,
  email text not null,
  country char(2) not null,
  tags text[] not null,
  born date,
  credit numeric(12,2) not null,
  updated_at timestamptz not null
);
create table orders (
  id bigint not null,
  customer_id integer not null,
  reference uuid not null,
  status order_status not null,
  total numeric(12,2) not null,
  items jsonb not null,
  note text,
  ship_on date,
  placed_at timestamptz not null,
  updated_at timestamptz not null
);`;

/** Odd strides, so that neighbouring ids look unrelated. Stamps carry microseconds, which many tools cut off. */
const CUSTOMERS = `
insert into customers
select i,
  (array['Ada','Boris','Chloé','Dmitri','Eun-ji','Fatima','Grzegorz','Hồ','Ines','Jürgen','健一','Łucja'])[1 + i * 7 % 12] || ' ' ||
  (array['Nguyễn','Smith','Müller','García','Kowalski','Іваненко','O''Neill','田中','Öztürk','da Silva'])[1 + i * 3 % 10],
  'customer' || i || '@example.com',
  (array['DE','FR','JP','US','BR','VN','PL'])[1 + i % 7],
  case i % 3 when 0 then array['vip','newsletter'] when 1 then array['b2b'] else array[]::text[] end,
  case when i % 5 > 0 then date '1950-01-01' + i * 37 % 20000 end,
  (i * 7919 % 1000000) / 100.0,
  timestamptz '2024-01-01 00:00:00Z' + i * interval '61.234567 seconds'
from generate_series(1, $1::int) as i`;

const ORDERS = `
insert into orders
select i, 1 + i * 48271 % $2::bigint, md5('order ' || i)::uuid,
  (array['new','paid','shipped','shipped','returned'])[1 + i % 5]::order_status,
  (i * 104729 % 5000000) / 100.0,
  jsonb_build_array(jsonb_build_object('sku', 'SKU-' || i * 31 % 9973, 'quantity', 1 + i % 4, 'price', (i * 331 % 100000) / 100.0)),
  case when i % 11 = 0 then 'gift wrap, please' || chr(10) || 'für "' || i || E'"\\\\\\t ✓' end,
  case when i % 5 > 1 then date '2024-01-02' + (i / 2500)::int end,
  timestamptz '2024-01-01 00:00:00Z' + i * interval '36.123457 seconds',
  timestamptz '2024-01-01 00:00:00Z' + i * interval '36.123457 seconds' + (i % 7) * interval '1.000003 hours'
from generate_series(1::bigint, $1::bigint) as i`;

/** Keys and indexes after the rows: several times faster than before them. */
const KEYS = `
create sequence orders_id_seq owned by orders.id;
select setval('orders_id_seq', (select max(id) from orders));
alter table orders add primary key (id), alter column id set default nextval('orders_id_seq'),
  add foreign key (customer_id) references customers;
create index orders_updated_at on orders (updated_at, id);
create index customers_updated_at on customers (updated_at, id);
analyze customers, orders;`;

/** Fills an empty database with a shop. */
export async function fillShop(client: Client, size: ShopSize): Promise<void> {
  await client.query(TABLES);
  await client.query(CUSTOMERS, [size.customers]);
  await client.query(ORDERS, [size.orders, size.customers]);
  await client.query(KEYS);
}
