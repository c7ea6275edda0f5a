import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import type { TestDatabase } from '../servers/postgres.ts';
import { openScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { verify } from './verify-scenario.ts';

const TABLES = `
  create table public.customers (id int primary key, name text not null, updated_at timestamptz not null default clock_timestamp());
  create table public.orders (id int primary key, customer_id int, status text not null, updated_at timestamptz not null default clock_timestamp());
  create table public.items (order_id int, line_no int, big bigint, price numeric, ratio float8, flag bool, day date, at timestamptz, token uuid, raw bytea,
    details jsonb, tags text[], note text, updated_at timestamptz not null default clock_timestamp(), primary key (order_id, line_no));
  create table public.parts (order_id int, line_no int, no int, label text, updated_at timestamptz not null default clock_timestamp(), primary key (order_id, line_no, no));`;

const SEED = `
  insert into public.customers select n, 'customer ' || n from generate_series(1, 20) n;
  insert into public.orders select n, case when n % 7 = 0 then null else n % 20 + 1 end, 'new' from generate_series(1, 100) n;
  insert into public.items select n, k, 9007199254740993 + n, n * 1.10 + k, n / 7.0, k = 0, date '2026-01-01' + n, timestamptz '2026-01-01 00:00:00.123456Z' + n * interval '1 s',
      md5(n || '-' || k)::uuid, decode(md5(n::text), 'hex'), case when k = 1 then null else jsonb_build_object('n', n, 'deep', jsonb_build_array(1.50, null, 'x')) end,
      case when k = 2 then null else array['a', 'q"' || n, null] end, case when k = 3 then 'tab' || chr(9) || 'ü\\ ' || chr(128512) end
    from generate_series(1, 100) n, generate_series(0, n % 4) k;
  insert into public.parts select order_id, line_no, k, 'part ' || k from public.items, generate_series(1, order_id % 3) k;
  analyze`;

const MAPPING = `fields: { id: id, status: status }
embed:
  customer: { from: public.customers, on: { id: customer_id }, one: true, fields: { id: id, name: name } }
  items:
    from: public.items
    on: { order_id: id }
    orderBy: [{ price: desc }]
    where: "note == null || note != 'hidden'"
    fields: { no: line_no, big: big, "money.price": price, "money.ratio": ratio, flag: flag, day: day, at: at, token: token, raw: raw, details: details, tags: tags, note: note }
    embed:
      parts: { from: public.parts, on: { order_id: order_id, line_no: line_no }, fields: { no: no, label: label } }
`;

/** The same by one query, which knows nothing of trueup. JSON has no notation for bytes, and its instants are ISO text. */
const EXPECTED = `
  select jsonb_build_object('id', o.id, 'status', o.status,
    'customer', (select jsonb_build_object('id', c.id, 'name', c.name) from public.customers c where c.id = o.customer_id),
    'items', coalesce((select jsonb_agg(jsonb_build_object('no', i.line_no, 'big', i.big, 'money', jsonb_build_object('price', i.price, 'ratio', i.ratio), 'flag', i.flag, 'day', i.day,
        'at', to_char(i.at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'token', i.token, 'raw', i.raw::text, 'details', i.details, 'tags', to_jsonb(i.tags), 'note', i.note,
        'parts', coalesce((select jsonb_agg(jsonb_build_object('no', p.no, 'label', p.label) order by p.no)
          from public.parts p where (p.order_id, p.line_no) = (i.order_id, i.line_no)), '[]')) order by i.price desc nulls first, i.line_no)
      from public.items i where i.order_id = o.id and i.note is distinct from 'hidden'), '[]'))::text as row
  from public.orders o order by o.id`;

const FOUND = `select (to_jsonb(o))::text as row from public.orders o order by o.id`;

async function differing({ source, target }: Pick<Scenario, 'source' | 'target'>): Promise<unknown[]> {
  const texts = async (database: TestDatabase, sql: string) => (await database.query<{ row: string }>(sql)).map(({ row }) => row);
  const [expected, found] = [await texts(source, EXPECTED), await texts(target, FOUND)];
  return expected
    .map((row, index) => ({ row, found: found[index] }))
    .filter((one) => one.row !== one.found)
    .concat(found.slice(expected.length).map((row) => ({ row: '', found: row })))
    .slice(0, 3);
}

async function openJob(changes: string, more = ''): Promise<Scenario> {
  const scenario = await openScenario();
  await scenario.source.query(TABLES);
  await scenario.source.query(SEED);
  await scenario.write('orders.yaml', MAPPING);
  await scenario.jobs(`
  orders:
    source: shop
    target: copy
    streams: [{ from: public.orders, mapping: orders.yaml, changes: ${changes}${more} }]
`);
  return scenario;
}

const now = 'updated_at = clock_timestamp()';

describeWithPostgres('children of other streams in jsonb columns', () => {
  it.each(['{ by: xmin }', '{ by: cursor, field: updated_at }', '{ by: log }', '{ by: snapshot }'])(
    'are what one query over the source gives, by %s',
    { timeout: 240_000 },
    async (changes) => {
      const scenario = await openJob(changes);
      const { source } = scenario;
      const first = await scenario.run();
      expect({ code: first.code, stderr: first.stderr }).toEqual({ code: 0, stderr: '' });
      expect(await differing(scenario)).toEqual([]);

      await source.query(
        `update public.items set price = price + 0.50, note = 'hidden', ${now} where order_id between 10 and 13 and line_no = 1`,
      );
      await source.query(`update public.items set details = '{"b": 1, "a": [0.10]}', tags = '{}', ${now} where order_id = 14`);
      await source.query(`update public.customers set name = name || '!', ${now} where id = 7`);
      await source.query(`update public.parts set label = null, ${now} where order_id between 30 and 35`);
      await source.query(`insert into public.items (order_id, line_no, price) values (40, 9, 0), (1001, 1, null)`);
      await source.query(`update public.orders set status = 'sent', customer_id = 3, ${now} where id in (50, 51)`);
      const second = await scenario.run();
      expect({ code: second.code, stderr: second.stderr }).toEqual({ code: 0, stderr: '' });
      await source.query(`insert into public.orders values (1001, 1, 'late')`);
      expect((await scenario.run()).code).toBe(0);
      expect(await differing(scenario)).toEqual([]);
      expect((await scenario.run()).stream('public.orders')).toMatchObject(
        changes.includes('snapshot') ? { upserted: 0, deleted: 0 } : { read: 0 },
      );
      expect((await verify(scenario, 'orders')).code).toBe(0);

      // Known to be on their way, whoever looks.
      await source.query(`update public.parts set label = 'again', ${now} where order_id = 31`);
      expect((await verify(scenario, 'orders')).stream()).toMatchObject({ different: changes.includes('snapshot') ? 1 : 0 });
      expect((await scenario.run()).code).toBe(0);
      expect(await differing(scenario)).toEqual([]);
    },
  );

  it('lose children that are deleted or move, as the log tells it', { timeout: 240_000 }, async () => {
    const scenario = await openJob('{ by: log }');
    const { source } = scenario;
    expect((await scenario.run()).code).toBe(0);
    await source.query(`
      delete from public.items where order_id = 11 and line_no = 1;
      update public.items set order_id = 500 + line_no, line_no = 7 where order_id = 23;
      update public.parts set line_no = 0 , no = 77 where order_id = 47 and line_no = 1 and no = 1;
      insert into public.orders values (501, 3, 'late');
      delete from public.orders where id = 60`);
    expect((await scenario.run()).code).toBe(0);
    expect(await differing(scenario)).toEqual([]);
    await source.query('truncate public.parts');
    expect((await scenario.run()).code).toBe(0);
    expect(await differing(scenario)).toEqual([]);
    expect((await verify(scenario, 'orders')).code).toBe(0);
    const slots = async () =>
      (await source.query<{ n: number }>('select count(*)::int as n from pg_replication_slots where database = current_database()'))[0]?.n;
    expect(await slots()).toBe(4);
    expect((await scenario.trueup('checkpoint', 'drop', 'orders')).code).toBe(0);
    expect(await slots()).toBe(0);
  });
});
