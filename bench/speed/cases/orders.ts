import type { Bench } from '../bench.ts';

/** The narrow table: 10 columns, about 200 bytes a row. */
export const COLUMNS =
  'id bigint primary key, customer_id int not null, status text not null, total numeric(12,2) not null, currency char(3) not null, note text, placed_at timestamptz not null, shipped_at timestamptz, updated_at timestamptz not null, paid boolean not null';

export async function seedOrders({ query, rows }: Bench, ties = false): Promise<void> {
  await query('source', 'drop table if exists orders');
  await query('source', `create table orders (${COLUMNS})`);
  const stamp = ties ? `timestamptz '2026-01-01'` : `timestamptz '2026-01-01' + i * interval '1 ms'`;
  await query(
    'source',
    `insert into orders select i, i % 50000, (array['new','paid','shipped','gone'])[i % 4 + 1], (i % 100000) / 100.0, 'EUR', repeat('lorem ipsum ', 8) || i,
            timestamptz '2026-01-01' - i * interval '1 s', case when i % 3 = 0 then timestamptz '2026-02-01' end, ${stamp}, i % 2 = 0
       from generate_series(1, ${rows}) i`,
  );
  await query('source', 'create index on orders (updated_at, id)');
  await query('source', 'vacuum analyze orders');
}

/** Neither server owes anything to the disk when a contender begins. */
export async function settle({ query }: Bench): Promise<void> {
  await query('source', 'checkpoint');
  await query('target', 'checkpoint');
}

/** An empty keyed table, and no checkpoint of trueup. */
export async function emptyTarget(bench: Bench, table = 'orders', columns: string | null = COLUMNS): Promise<void> {
  await bench.query('target', `drop table if exists ${table}; drop schema if exists trueup cascade`);
  if (columns !== null) await bench.query('target', `create table ${table} (${columns})`);
  await settle(bench);
}

/** Whether the two tables hold the same rows. @throws when they do not */
export async function expectSame({ query }: Bench, table = 'orders', expression = 't::text'): Promise<void> {
  const sql = `select count(*)::int as n, coalesce(sum(hashtextextended(${expression}, 0)), 0)::text as hash from ${table} t`;
  const [[source], [target]] = await Promise.all([
    query<{ n: number; hash: string }>('source', sql),
    query<{ n: number; hash: string }>('target', sql),
  ]);
  if (source?.n !== target?.n || source?.hash !== target?.hash)
    throw new Error(
      `${table}: the source has ${source?.n} rows, the target ${target?.n}${source?.n === target?.n ? ', of other content' : ''}`,
    );
}
