import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import { openScenario } from './scenario.ts';
import { verify } from './verify-scenario.ts';

const TABLES = `
  create table public.orders (id int primary key, status text);
  create table public.items (id int primary key, order_id int, sku text);
  insert into public.orders select n, 'new' from generate_series(1, 3) n;
  insert into public.items values (10, 1, 's10'), (11, 1, 's11'), (20, 2, 's20'), (30, 3, 's30')`;

const MAPPING = `fields: { id: id, status: status }
embed:
  items: { from: public.items, on: { order_id: id }, orderBy: [id], fields: { sku: sku } }
`;

const FULL = 'alter table public.items replica identity full';
const INDEX = `alter table public.items alter order_id set not null; create unique index items_order on public.items (id, order_id); alter table public.items replica identity using index items_order`;

interface Planned {
  readonly jobs: readonly {
    readonly streams: readonly { readonly guarantee: { readonly deletes: string; readonly assumes: readonly string[] } }[];
  }[];
}

/** Children with a key of their own: only what a row was before tells whose it was. */
describeWithPostgres('embedded children by the log of PostgreSQL', () => {
  it.each([
    { identity: 'the whole row', setup: FULL, told: true },
    { identity: 'an index that holds what they are joined by', setup: INDEX, told: true },
    { identity: 'the primary key', setup: '', told: false },
  ])(
    'leave their old parent at once where old rows tell who that was, and the guarantee says so: $identity',
    { timeout: 120_000 },
    async ({ setup, told }) => {
      const scenario = await openScenario();
      const { source, target } = scenario;
      await source.query(TABLES);
      if (setup !== '') await source.query(setup);
      await scenario.write('orders.yaml', MAPPING);
      await scenario.jobs(`
  orders:
    source: shop
    target: copy
    streams: [{ from: public.orders, mapping: orders.yaml, changes: { by: log } }]
`);
      const embedded = async () =>
        Object.fromEntries(
          (
            await target.query<{ id: number; skus: string }>(
              `select id, jsonb_path_query_array(items, '$[*].sku')::text as skus from public.orders`,
            )
          ).map(({ id, skus }) => [id, JSON.parse(skus) as string[]]),
        );
      const planned = JSON.parse((await scenario.trueup('plan', 'orders', '--json')).stdout) as Planned;
      const guarantee = planned.jobs[0]?.streams[0]?.guarantee;
      expect(guarantee?.deletes).toBe(told ? 'delivered' : 'never');
      expect(guarantee?.assumes.some((text) => text.includes('is deleted or moved'))).toBe(!told);

      expect((await scenario.run()).code).toBe(0);
      expect(await embedded()).toEqual({ 1: ['s10', 's11'], 2: ['s20'], 3: ['s30'] });
      await source.query(`update public.items set order_id = 2 where id = 10; update public.items set sku = 'changed' where id = 20`);
      expect((await scenario.run()).code).toBe(0);
      expect(await embedded()).toEqual({ 1: told ? ['s11'] : ['s10', 's11'], 2: ['s10', 'changed'], 3: ['s30'] });
      await source.query('delete from public.items where id = 30');
      expect((await scenario.run()).code).toBe(0);
      expect((await embedded())[3]).toEqual(told ? [] : ['s30']);
      expect((await verify(scenario, 'orders')).code).toBe(told ? 0 : 4);
    },
  );
});
