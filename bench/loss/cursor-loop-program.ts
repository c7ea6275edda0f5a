/**
 * The cursor loop by hand: `node cursor-loop-program.ts SOURCE_URL TARGET_URL` copies what is not older than the newest row of the target.
 * Stamps stay text, ties at the edge are read again, rows and position are one transaction: careful in all but one thing, that a row can
 * commit with a stamp below the newest one.
 */
import pg from 'pg';

const [sourceUrl = '', targetUrl = ''] = process.argv.slice(2);
const source = new pg.Client({ connectionString: sourceUrl });
const target = new pg.Client({ connectionString: targetUrl });
await Promise.all([source.connect(), target.connect()]);
await target.query(`create table if not exists orders (
  id bigint primary key, customer text, amount numeric(12,2), note text, version integer, updated_at timestamptz)`);
const newest = await target.query<{ at: string | null }>('select max(updated_at)::text as at from orders');
const changed = await source.query<{ row: string }>(
  `select row_to_json(o)::text as row from orders o where $1::timestamptz is null or updated_at >= $1::timestamptz order by updated_at`,
  [newest.rows[0]?.at ?? null],
);
await target.query(
  `insert into orders select id, customer, amount, note, version, updated_at from json_populate_recordset(null::orders, $1::json)
   on conflict (id) do update set customer = excluded.customer, amount = excluded.amount, note = excluded.note,
     version = excluded.version, updated_at = excluded.updated_at`,
  [`[${changed.rows.map(({ row }) => row).join(',')}]`],
);
await Promise.all([source.end(), target.end()]);
