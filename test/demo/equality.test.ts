import { expect, it } from 'vitest';
import { compareTable } from '../../src/demo/equality.ts';
import { fillShop } from '../../src/demo/shop.ts';
import { createDatabase, describeWithPostgres } from '../servers/postgres.ts';

describeWithPostgres('demo: the comparison', () => {
  async function twoShops() {
    const [shop, archive] = [await (await createDatabase('shop')).connect(), await (await createDatabase('archive')).connect()];
    for (const client of [shop, archive]) await fillShop(client, { customers: 50, orders: 1000 });
    return { shop, archive };
  }

  it('finds two shops of the same size equal, to the last byte', async () => {
    const { shop, archive } = await twoShops();
    for (const table of ['customers', 'orders']) expect((await compareTable(shop, archive, table)).equal).toBe(true);
  });

  it.each([
    ['a row is missing', 'delete from orders where id = 17'],
    [
      'a row is added',
      'insert into orders select 5000, customer_id, reference, status, total, items, note, ship_on, placed_at, updated_at from orders where id = 17',
    ],
    ['a stamp is off by a microsecond', "update orders set updated_at = updated_at + interval '1 microsecond' where id = 17"],
    ['NULL became an empty text', "update orders set note = '' where id = 17"],
    [
      'two rows swapped a value',
      'update orders set total = case id when 17 then (select total from orders where id = 18) else (select total from orders where id = 17) end where id in (17, 18)',
    ],
  ])('notices when %s', async (_, fault) => {
    const { shop, archive } = await twoShops();
    await archive.query(fault);
    expect((await compareTable(shop, archive, 'orders')).equal).toBe(false);
  });
});
