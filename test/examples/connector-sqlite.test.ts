import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { runTrueup } from '../processes.ts';
import { createDatabase, describeWithPostgres } from '../servers/postgres.ts';

const CONNECTOR = fileURLToPath(new URL('../../examples/connector-sqlite/src/index.ts', import.meta.url));

describeWithPostgres('the example connector for SQLite, named by its path', { timeout: 120_000 }, () => {
  it('brings tables into Postgres and back into another file, deletes too, with verify and why', async () => {
    const copy = await createDatabase('copy');
    const dir = await mkdtemp(join(tmpdir(), 'trueup-sqlite-'));
    const shop = new DatabaseSync(join(dir, 'shop.db'));
    onTestFinished(async () => {
      shop.close();
      await copy.drop();
      await rm(dir, { recursive: true });
    });
    await writeFile(
      join(dir, 'trueup.yaml'),
      `connections:
  shop: { connector: "${CONNECTOR}", path: shop.db }
  copy: { connector: postgres, url: "\${COPY_URL}" }
  back: { connector: "${CONNECTOR}", path: back.db }
jobs:
  there: { source: shop, target: copy, streams: [{ from: "*", to: "public.{table}" }] }
  back: { source: copy, target: back, streams: [{ from: public.orders, to: orders, changes: { by: xmin }, deletes: { compare: { maxShare: 0.5 } } }] }
`,
    );
    const trueup = async (...args: string[]): Promise<{ code: number | null; report: unknown }> => {
      const { code, stdout, stderr } = await runTrueup([...args, '--json'], { cwd: dir, env: { COPY_URL: copy.url } });
      if (stdout === '') throw new Error(stderr);
      return { code, report: JSON.parse(stdout) as unknown };
    };

    shop.exec(`create table customers (id integer primary key, name text not null);
      create table orders (id integer primary key, customer integer not null references customers, total decimal(10, 2), note text);
      insert into customers values (1, 'Ada'), (2, 'Bob');
      insert into orders values (10, 1, 12.5, 'first'), (11, 2, 7, null), (12, 2, 99.99, 'gone soon')`);
    expect(await trueup('run', 'there')).toMatchObject({ code: 0, report: { jobs: [{ streams: [{ upserted: 2 }, { upserted: 3 }] }] } });
    expect(await trueup('run', 'back')).toMatchObject({ code: 0, report: { jobs: [{ streams: [{ upserted: 3 }] }] } });

    shop.exec(`delete from orders where id = 12; update orders set note = 'now' where id = 11; insert into customers values (3, 'Cy')`);
    expect(await trueup('run', 'there')).toMatchObject({
      code: 0,
      report: {
        jobs: [{ guarantee: { deletes: 'delivered', lateCommits: 'delivered' }, streams: [{ upserted: 1 }, { upserted: 1, deleted: 1 }] }],
      },
    });
    expect(await trueup('run', 'back')).toMatchObject({ code: 0, report: { jobs: [{ streams: [{ upserted: 1, deleted: 1 }] }] } });
    const rows = await copy.query('select id::text, customer::text, total::text, note from orders order by id');
    expect(rows).toEqual([
      { id: '10', customer: '1', total: '12.5', note: 'first' },
      { id: '11', customer: '2', total: '7', note: 'now' },
    ]);
    const back = new DatabaseSync(join(dir, 'back.db'));
    expect(
      back
        .prepare('select * from orders order by id')
        .all()
        .map((row) => Object.values(row)),
    ).toEqual([
      [10, 1, '12.5', 'first'],
      [11, 2, '7', 'now'],
    ]);

    for (const job of ['there', 'back']) expect(await trueup('verify', job)).toMatchObject({ code: 0, report: { consistent: true } });
    back.exec(`update orders set note = 'damaged' where id = 11`);
    back.close();
    expect(await trueup('verify', 'back')).toMatchObject({ code: 4, report: { streams: [{ different: 1, missing: 0, extra: 0 }] } });
    expect(await trueup('why', 'back', 'public.orders', '11')).toMatchObject({ code: 4, report: { verdict: 'different' } });
    expect(await trueup('verify', 'back', '--repair')).toMatchObject({ code: 0, report: { streams: [{ repaired: 1 }] } });
  });
});
