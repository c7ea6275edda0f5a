import { expect, it } from 'vitest';
import { ORDERS_JOB } from '../end-to-end/scenario.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { TABLE, openShop } from './why-shop.ts';

describeWithPostgres('why: on the command line', { timeout: 60_000 }, () => {
  it('prints exactly the report under --json, and text for people', async () => {
    const shop = await openShop();
    await shop.sync();
    await shop.target.query(`update orders set total = 8.76, note = 'note 7 ' where id = 7`);
    const json = await shop.trueup('why', 'orders', 'public.orders', '7', '--json');
    expect(json.code).toBe(4);
    expect(JSON.parse(json.stdout)).toEqual(JSON.parse(JSON.stringify(await shop.why('7'))));
    const text = await shop.trueup('why', 'orders', 'public.orders', '7');
    expect(text).toMatchObject({ code: 4 });
    expect(text.stdout).toMatch(/^public\.orders 7 {2}different$/m);
    expect(text.stdout).toMatch(/^ {2}≠ +total +8\.75 +8\.76$/m);
    expect(text.stdout).toMatch(/^ {2}≠ +note +note 7 +"note 7 "$/m);
    expect(text.stdout).toMatch(/^next: .*trueup verify orders --stream public\.orders --repair/m);
  });

  it('ends with 7 when a server is down, and with 2 for what it does not know', async () => {
    const shop = await openShop();
    await shop.sync();
    expect((await shop.trueup('why', 'ordrs', 'public.orders', '7')).code).toBe(2);
    expect((await shop.trueup('why', 'orders', 'public.ordrs', '7')).code).toBe(2);
    expect((await shop.trueup('why', 'orders', 'public.orders', 'seven')).code).toBe(2);
    const away = new URL(shop.target.url);
    away.port = '1';
    await shop.write(
      'trueup.yaml',
      `connections:\n  shop: { connector: postgres, url: "\${SHOP_URL}" }\n  copy: { connector: postgres, url: "${away.href}" }\njobs:${ORDERS_JOB}`,
    );
    const down = await shop.trueup('why', 'orders', 'public.orders', '7');
    expect(down.code).toBe(7);
    expect(down.stderr).toContain('E_UNREACHABLE');
  });

  it('takes keys that begin with a dash', async () => {
    const shop = await openShop(ORDERS_JOB, `${TABLE}; insert into orders values (-5, 'minus', 1, 'x')`);
    await shop.sync();
    expect((await shop.trueup('why', 'orders', 'public.orders', '-5', '--json')).code).toBe(0);
    expect((await shop.trueup('why', '--json', 'orders', 'public.orders', '--', '-5')).code).toBe(0);
  });
});
