import { expect, it } from 'vitest';
import { ORDERS_JOB } from '../end-to-end/scenario.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { TABLE, openShop } from './why-shop.ts';

/** A source from one function, which can neither look up nor say what is still to come. */
const API = `
import { defineConnector, pagedSource, z } from '${new URL('../../src/sdk.ts', import.meta.url).href}';
const rows = [{ id: '1', title: 'one', changed: '2026-01-01T00:00:00Z' }, { id: '2', title: 'two', changed: '2026-01-02T00:00:00Z' }];
export default defineConnector({
  name: 'api',
  summary: 'things',
  options: z.object({}),
  cursorVersion: 1,
  openSource: () =>
    pagedSource({
      identity: 'api',
      streams: { things: { key: ['id'], fields: { id: 'int64', title: 'text', changed: 'timestamptz' } } },
      page: async (_stream, after) => ({ rows: rows.filter((row) => after === null || row.changed > after), more: false, cursor: rows.at(-1).changed }),
    }),
});
`;

describeWithPostgres('why: which record is meant', () => {
  it('finds composite keys as JSON arrays, with any characters, with digits that no number holds', async () => {
    const shop = await openShop(
      `\n  orders:\n    source: shop\n    target: copy\n    streams:\n      - { from: public.lines, changes: { by: xmin } }\n`,
      `create table lines (region text, id numeric(30), note text, primary key (region, id));
       insert into lines values ('eu', 1, 'a'), ('["x"]', 12345678901234567890123456789, 'b'), ('żółć 🐘 ''"\\', 2, 'c'), ('', 3, 'd')`,
    );
    await shop.sync();
    const keys = ['["eu",1]', '["[\\"x\\"]",12345678901234567890123456789]', JSON.stringify(['żółć 🐘 \'"\\', '2']), '["","3"]'];
    for (const key of keys) {
      const report = await shop.why(key, 'public.lines');
      expect({ key, verdict: report.verdict }).toEqual({ key, verdict: 'equal' });
      expect(await shop.why(report.key, 'public.lines')).toMatchObject({ verdict: 'equal', key: report.key });
    }
    await expect(shop.why('eu', 'public.lines')).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(shop.why('["eu","x"]', 'public.lines')).rejects.toMatchObject({ code: 'E_USAGE' });
  });

  it('takes the key of the target where the source has none of that name', async () => {
    const shop = await openShop(`${ORDERS_JOB}        to: public.copies\n        mapping: orders.yaml\n`);
    await shop.source.query('alter table orders drop constraint orders_pkey, add primary key (customer)');
    await shop.write('orders.yaml', `key: [name, kind]\nfields:\n  kind: { const: order, type: text }\n  name: customer\n  total: total\n`);
    await shop.sync();
    expect(await shop.why('customer 7')).toMatchObject({ verdict: 'equal', target: 'public.copies' });
    const byTarget = await shop.why('["customer 7","order"]', 'public.copies');
    expect(byTarget).toMatchObject({ verdict: 'equal', key: 'customer 7', stream: 'public.orders' });
  });

  it('finds a record by a key that the mapping computed, also one that the source has no more', async () => {
    const shop = await openShop(`${ORDERS_JOB}        to: public.copies\n        mapping: orders.yaml\n`);
    await shop.write('orders.yaml', `key: [code]\nfields:\n  code: { expr: "'o-' + string(id)", type: text }\n  total: total\n`);
    await shop.sync();
    await shop.source.query('delete from orders where id = 8');
    expect(await shop.why('o-7')).toMatchObject({ verdict: 'equal', key: '7' });
    expect(await shop.why('o-8')).toMatchObject({ verdict: 'deleted', exitCode: 4, key: 'o-8', actual: { code: 'o-8', total: '10.00' } });
    expect(await shop.why('8')).toMatchObject({ verdict: 'deleted', exitCode: 4, key: '8', actual: { code: 'o-8' } });
    await expect(shop.why('o-9999')).rejects.toMatchObject({ code: 'E_USAGE' });
  });

  it('reads a source as a whole that cannot look a record up by its key', async () => {
    const shop = await openShop();
    await shop.write('api.ts', API);
    await shop.write(
      'trueup.yaml',
      `connections:\n  api: { connector: ./api.ts }\n  copy: { connector: postgres, url: "\${COPY_URL}" }\njobs:\n  orders: { source: api, target: copy, streams: [{ from: things, to: public.things }] }\n`,
    );
    await shop.sync();
    expect(await shop.why('2', 'things')).toMatchObject({ verdict: 'equal', exitCode: 0, source: { title: 'two' } });
    await shop.target.query(`update things set title = 'three' where id = 2`);
    expect(await shop.why('2', 'public.things')).toMatchObject({ verdict: 'different', exitCode: 4 });
  });

  it('says that a key stands for several records', async () => {
    const shop = await openShop(`${ORDERS_JOB}        key: [customer]\n`, `${TABLE}; alter table orders drop constraint orders_pkey`);
    await shop.sync();
    await shop.source.query(`insert into orders select 21, customer, 3, 'twice', now() from orders where id = 7`);
    const report = await shop.why('customer 7');
    expect(report).toMatchObject({ records: 2 });
    expect(report.because).toContain('2 records with this key');
    expect(report.next).toContain("'key: [...]'");
  });

  it('names the streams there are, and the one that was meant', async () => {
    const shop = await openShop();
    await expect(shop.why('7', 'public.order')).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining("Did you mean 'public.orders'?") as string,
    });
    await shop.source.query('alter table orders rename to moved');
    await expect(shop.why('7')).rejects.toMatchObject({ code: 'E_STREAM_UNKNOWN' });
  });
});
