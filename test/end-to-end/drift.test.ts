import { expect, it } from 'vitest';
import { describeWithPostgres, startOwnPostgres } from '../servers/postgres.ts';
import { mountSmallDisk } from '../servers/small-disk.ts';
import { withClient } from '../servers/postgres-admin.ts';
import { ORDERS_JOB, expectEqualTables, openScenario, ranOf, seedOrders } from './scenario.ts';
import type { Scenario } from './scenario.ts';

const SMALL_BATCHES = 'defaults: { batch: { rows: 200 } }\n';

async function rowsWritten(scenario: Scenario): Promise<number> {
  const [table] = await scenario.target.query<{ there: boolean }>(`select to_regclass('public.orders') is not null as there`);
  if (table?.there !== true) return 0;
  return Number((await scenario.target.query<{ n: string }>('select count(*) as n from public.orders'))[0]?.n);
}

describeWithPostgres('when the tables change', () => {
  it('a column is added between two runs: it is added to the target, too', async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 200);
    await scenario.jobs(ORDERS_JOB);
    expect((await scenario.run()).code).toBe(0);
    await scenario.source.query(
      `alter table public.orders add column colour text; update public.orders set colour = 'red', updated_at = now() where id <= 10`,
    );
    const second = await scenario.run();
    expect(second.code).toBe(0);
    expect(await scenario.target.query(`select count(*)::int as n from public.orders where colour = 'red'`)).toEqual([{ n: 10 }]);
  });

  it('a column is added while a run follows', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 200);
    await scenario.jobs(ORDERS_JOB);
    const following = scenario.start(['run', '--follow', '--json']);
    await expect.poll(() => rowsWritten(scenario), { timeout: 20_000 }).toBe(200);
    await scenario.source.query(
      `alter table public.orders add column colour text; update public.orders set colour = 'red', updated_at = now() where id <= 10`,
    );
    const red = async (): Promise<unknown> =>
      (await scenario.target.query(`select count(*)::int as n from public.orders as t where to_jsonb(t) ->> 'colour' = 'red'`))[0];
    await expect.poll(red, { timeout: 20_000 }).toEqual({ n: 10 });
    following.kill('SIGTERM');
    const stopped = ranOf(await following.waitForExit());
    expect(stopped.code).toBe(143);
    expect(stopped.stream('public.orders')).toMatchObject({ status: 'stopped' });
  });

  it('with `drift: { add: stop }` an added column stops the run with 5, and nothing is lost', async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 50);
    await scenario.jobs(`${ORDERS_JOB}        drift: { add: stop }\n`);
    expect((await scenario.run()).code).toBe(0);
    await scenario.source.query(
      `alter table public.orders add column colour text; update public.orders set colour = 'red', updated_at = now()`,
    );
    const stopped = await scenario.trueup('run', '--json');
    expect(stopped.code).toBe(5);
    expect(stopped.stdout).toContain('E_DRIFT');
    await scenario.jobs(ORDERS_JOB);
    expect((await scenario.run()).code).toBe(0);
    expect(await scenario.target.query(`select count(*)::int as n from public.orders where colour = 'red'`)).toEqual([{ n: 50 }]);
  });

  it('a dropped column stays in the target, a wider type is followed', async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 50);
    await scenario.jobs(ORDERS_JOB);
    expect((await scenario.run()).code).toBe(0);
    await scenario.source.query(
      `alter table public.orders drop column note, alter column total type numeric(20,4); update public.orders set total = 12345678901.2345, updated_at = now() where id = 7`,
    );
    const second = await scenario.run();
    expect(second.code).toBe(0);
    expect(await scenario.target.query(`select total::text, note from public.orders where id = 7`)).toEqual([
      { total: '12345678901.2345', note: 'note 7' },
    ]);
  });

  it('a type that no longer fits stops with 5', async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 50);
    await scenario.jobs(ORDERS_JOB);
    expect((await scenario.run()).code).toBe(0);
    await scenario.source.query(
      `alter table public.orders alter column placed_at type boolean using true; update public.orders set updated_at = now() where id = 7`,
    );
    const stopped = await scenario.trueup('run', '--json');
    expect(stopped.code).toBe(5);
    expect(stopped.stdout).toContain('E_DRIFT');
    expect(stopped.stdout).toContain('placed_at');
  });

  it('the source table is dropped: 2, and the stream is named', async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 50);
    await scenario.jobs(ORDERS_JOB);
    expect((await scenario.run()).code).toBe(0);
    await scenario.source.query('drop table public.orders');
    const gone = await scenario.trueup('run', '--json');
    expect(gone.code).toBe(2);
    expect(gone.stdout).toMatch(/E_STREAM_UNKNOWN/);
    expect(gone.stdout).toMatch(/public\.orders/);
  });

  it('the disk of the target is full: 1, and the next run goes on once there is room', { timeout: 120_000 }, async (context) => {
    const disk = mountSmallDisk(260);
    if (disk === null) return context.skip('no small file system can be mounted here');
    try {
      const server = await startOwnPostgres({ dataDir: `${disk.path}/data`, settings: { max_wal_size: '64MB', min_wal_size: '32MB' } });
      const scenario = await openScenario({ targetUrl: server.url });
      await seedOrders(scenario.source, 60_000);
      await scenario.jobs(`${ORDERS_JOB}    retries: { attempts: 2 }\n`, SMALL_BATCHES);
      expect((await scenario.trueup('plan', '--apply')).code).toBe(0);
      disk.fill();
      const full = await scenario.trueup('run', '--json');
      expect([1, 7]).toContain(full.code);
      expect(full.stdout).toMatch(/E_RESOURCES|E_CONNECTION_LOST|E_BUSY|E_UNREACHABLE/);
      disk.free();
      if ((await scenario.trueup('status')).code !== 0) await server.restart('immediate').catch(() => server.start());
      const next = await scenario.run();
      expect(next.code).toBe(0);
      expect(next.stream('public.orders').deadLettered).toBe(0);
      await withClient(server.url, async (client) =>
        expect((await client.query('select count(*)::int as n from public.orders')).rows).toEqual([{ n: 60_000 }]),
      );
      await server.stop();
    } finally {
      disk.unmount();
    }
  });
});

describeWithPostgres('keys and cursors', () => {
  it('a key that changes leaves a copy behind unless something delivers the delete, and the guarantee says so', async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 20);
    await scenario.jobs(ORDERS_JOB);
    const first = await scenario.run();
    expect(first.report.jobs[0]?.guarantee?.deletes).toBe('never');
    await scenario.source.query(`update public.orders set id = 1001, updated_at = now() where id = 1`);
    await scenario.run();
    expect(await scenario.target.query('select id::int from public.orders where id in (1, 1001) order by 1')).toEqual([
      { id: 1 },
      { id: 1001 },
    ]);
  });

  it('soft deletes are deletes', async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 20);
    await scenario.source.query('alter table public.orders add column deleted_at timestamptz');
    await scenario.jobs(`${ORDERS_JOB}        deletes: { when: "deleted_at != null" }\n`);
    const first = await scenario.run();
    expect(first.report.jobs[0]?.guarantee?.deletes).toBe('delivered');
    await scenario.source.query('update public.orders set deleted_at = now(), updated_at = now() where id <= 3');
    expect((await scenario.run()).stream('public.orders')).toMatchObject({ read: 3, deleted: 3 });
    expect(await scenario.target.query('select count(*)::int as n from public.orders')).toEqual([{ n: 17 }]);
  });

  it('a table without a key is refused with advice', async () => {
    const scenario = await openScenario();
    await scenario.source.query('create table public.log (at timestamptz not null, line text)');
    await scenario.jobs(
      `\n  log:\n    source: shop\n    target: copy\n    streams: [{ from: public.log, changes: { by: cursor, field: at } }]\n`,
    );
    const refused = await scenario.trueup('run', '--json');
    expect(refused.code).toBe(2);
    expect(refused.stdout).toContain('E_STREAM_KEY');
  });

  it('parents and children of a foreign key arrive in order, in one job with a wildcard', async () => {
    const scenario = await openScenario();
    await scenario.source.query(`
      create table public.a_children (id int primary key, parent int not null, updated_at timestamptz not null default now());
      create table public.parents (id int primary key, updated_at timestamptz not null default now());
      create index on public.a_children (updated_at, id); create index on public.parents (updated_at, id);
      insert into public.parents select n from generate_series(1, 500) n; insert into public.a_children select n, n % 500 + 1 from generate_series(1, 2000) n`);
    await scenario.target.query(`
      create table public.parents (id int primary key, updated_at timestamptz not null);
      create table public.a_children (id int primary key, parent int not null references public.parents, updated_at timestamptz not null)`);
    await scenario.jobs(`\n  all:\n    source: shop\n    target: copy\n    streams: [{ from: "public.*" }]\n`);
    const ran = await scenario.run();
    expect(ran.code).toBe(0);
    expect(ran.stream('public.a_children')).toMatchObject({ upserted: 2_000, deadLettered: 0 });
    await expectEqualTables(scenario, 'public.a_children');
  });
});
