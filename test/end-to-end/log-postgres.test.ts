import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import { peakMemory } from './peak-memory.ts';
import { expectEqualTables, openScenario, ranOf, seedOrders } from './scenario.ts';
import type { Scenario } from './scenario.ts';

const LOG_JOB = `
  orders:
    source: shop
    target: copy
    streams:
      - { from: public.orders, changes: { by: log } }
      - { from: public.items, changes: { by: log } }
`;

const ITEMS = `
  create table public.items (order_id bigint not null, line int not null, sku text, qty numeric, primary key (order_id, line));
  insert into public.items select o, l, 'sku ' || l, l * 1.5 from generate_series(1, 500) o, generate_series(1, 3) l`;

async function logScenario(rows = 500): Promise<Scenario> {
  const scenario = await openScenario();
  await seedOrders(scenario.source, rows);
  await scenario.source.query(ITEMS);
  await scenario.jobs(LOG_JOB);
  return scenario;
}

async function expectEqual(scenario: Scenario): Promise<void> {
  await expectEqualTables(scenario, 'public.orders');
  await expectEqualTables(scenario, 'public.items');
}

describeWithPostgres('the log of PostgreSQL', () => {
  it('first everything, then inserts, updates, deletes, changed keys and truncates, of several tables', { timeout: 60_000 }, async () => {
    const scenario = await logScenario();
    const first = await scenario.run();
    expect(first.stderr).toBe('');
    expect(first.code).toBe(0);
    expect(first.stream('public.orders')).toMatchObject({ read: 500, upserted: 500 });
    await expectEqual(scenario);
    const idle = await scenario.run();
    expect(idle.stream('public.orders')).toMatchObject({ read: 0, status: 'succeeded' });
    await scenario.source.query(`
      begin;
      update public.orders set note = 'changed' where id <= 10;
      delete from public.orders where id between 11 and 20;
      delete from public.items where order_id between 11 and 20;
      insert into public.orders (id, customer, total, status) values (1001, 'new', 1, 'new');
      update public.orders set id = 2000 where id = 30;
      savepoint a;
      delete from public.orders;
      rollback to savepoint a;
      commit;
      begin; delete from public.orders; rollback;`);
    const second = await scenario.run();
    expect(second.stderr).toBe('');
    expect(second.stream('public.orders')).toMatchObject({ deleted: 11, upserted: 12 });
    expect(second.stream('public.items')).toMatchObject({ deleted: 30 });
    await expectEqual(scenario);
    await scenario.source.query(`truncate public.items; insert into public.items values (1, 1, 'after', 1)`);
    expect((await scenario.run()).code).toBe(0);
    await expectEqual(scenario);
  });

  it.runIf(process.platform === 'linux')(
    'a transaction of 1,000,000 rows takes bounded memory and is committed at its end',
    { timeout: 240_000 },
    async () => {
      const scenario = await openScenario();
      await scenario.source.query('create table public.orders (id bigint primary key, customer text, total numeric, at timestamptz)');
      await scenario.source.query('create table public.items (order_id bigint, line int, primary key (order_id, line))');
      await scenario.jobs(LOG_JOB);
      expect((await scenario.run()).code).toBe(0);
      await scenario.source.query(`begin;
      insert into public.items select n, 1 from generate_series(1, 10) n;
      insert into public.orders select n, 'customer ' || n % 1000, n * 1.25, now() from generate_series(1, 1000000) n;
      delete from public.items where order_id <= 5;
      commit`);
      const began = Date.now();
      const { ran, peakBytes } = await peakMemory(scenario.start(['run', '--json', '--log-level', 'error']), 200_000);
      process.stdout.write(`1,000,000 rows in ${Date.now() - began} ms, ${Math.round(peakBytes / 1024 ** 2)} MiB\n`);
      expect(ran.stream('public.orders')).toMatchObject({ read: 1_000_000, upserted: 1_000_000 });
      await expectEqual(scenario);
      expect(peakBytes).toBeLessThan(300 * 1024 * 1024);
    },
  );

  it(
    'a run that follows: changes arrive within moments, `status` tells how fast, and it ends at once on a signal',
    { timeout: 60_000 },
    async () => {
      const scenario = await logScenario();
      const running = scenario.start(['run', '--follow', '--json', '--log-level', 'error']);
      await expect
        .poll(() => scenario.target.query(`select from pg_tables where schemaname = 'public' and tablename = 'orders'`), {
          timeout: 20_000,
        })
        .toHaveLength(1);
      for (let index = 0; index < 150; index += 1) {
        await scenario.source.query(`insert into public.orders (id, customer, total, status) values (${10_000 + index}, 'x', 1, 'new')`);
        await sleep(20);
      }
      await scenario.source.query('delete from public.orders where id >= 10100');
      await expect.poll(() => scenario.target.query('select from public.orders where id >= 10000'), { timeout: 10_000 }).toHaveLength(100);
      const status = async () => {
        // What came while the run was still loading was not followed, so it was not measured.
        await scenario.source.query(`update public.orders set customer = customer || '.' where id = 1`);
        return JSON.parse((await scenario.trueup('status', 'orders', '--json')).stdout) as {
          jobs: { delays?: { count: number }; feeds: { feed: string; log?: { lagBytes: number; warnings: string[] } }[] }[];
        };
      };
      await expect.poll(async () => (await status()).jobs[0]?.delays?.count ?? 0, { timeout: 20_000 }).toBeGreaterThan(1);
      expect((await status()).jobs[0]?.feeds).toMatchObject([{ feed: 'changes:log', log: { warnings: [] } }]);
      const asked = Date.now();
      running.kill('SIGTERM');
      const stopped = ranOf(await running.waitForExit());
      expect(Date.now() - asked).toBeLessThan(3_000);
      expect(stopped.code).toBe(143);
      const [job] = stopped.report.jobs;
      process.stdout.write(`delays: ${JSON.stringify(job?.delays)}\n`);
      expect(job?.delays?.count).toBeGreaterThan(1);
      expect(job?.delays?.p50Ms).toBeLessThan(5_000);
      await expectEqual(scenario);
    },
  );

  it('a table that is added is loaded beside the log, with what was being written to it just then', { timeout: 60_000 }, async () => {
    const scenario = await logScenario();
    await scenario.jobs(LOG_JOB.replace('      - { from: public.items, changes: { by: log } }\n', ''));
    expect((await scenario.run()).code).toBe(0);
    const writer = await scenario.source.connect();
    await writer.query(`begin; insert into public.items values (900, 1, 'open', 1)`);
    await scenario.source.query('delete from public.orders where id = 1');
    await scenario.jobs(LOG_JOB);
    const running = scenario.start(['run', '--json', '--log-level', 'error']);
    await expect
      .poll(() => scenario.source.query(`select from pg_publication_tables where tablename = 'items'`), { timeout: 20_000 })
      .toHaveLength(1);
    await sleep(500);
    await writer.query('commit');
    const added = ranOf(await running.waitForExit());
    expect(added.code).toBe(0);
    expect(added.stream('public.orders').read).toBe(1);
    await expectEqual(scenario);
    const dropped = await scenario.trueup('checkpoint', 'drop', 'orders');
    expect(dropped.stdout).toMatch(/dropped in the source: replication slot 'trueup_orders_/);
    expect(await scenario.source.query(`select from pg_replication_slots where database = current_database()`)).toEqual([]);
  });

  it(
    'a lost slot stops with 5; with `rebackfill` all is loaded again and what was deleted in the gap goes',
    { timeout: 60_000 },
    async () => {
      const scenario = await logScenario();
      expect((await scenario.run()).code).toBe(0);
      await scenario.source
        .query(`delete from public.orders where id = 7; delete from public.items where order_id = 7; update public.orders set note = 'in the gap' where id = 8;
      select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()`);
      const lost = await scenario.run();
      expect(lost.code).toBe(5);
      expect(lost.stream('public.orders').error).toMatchObject({ code: 'E_POSITION_LOST' });
      await scenario.jobs(LOG_JOB.replace('    target: copy\n', '    target: copy\n    onLostPosition: rebackfill\n'));
      const again = await scenario.run();
      expect(again.code).toBe(0);
      expect(again.stream('public.orders').deleted).toBe(1);
      await expectEqual(scenario);
      expect((await scenario.run()).stream('public.orders')).toMatchObject({ read: 0 });
    },
  );

  it('`verify`, `why` and a backfill of a stream that is read from the log', { timeout: 60_000 }, async () => {
    const scenario = await logScenario();
    expect((await scenario.run()).code).toBe(0);
    await scenario.source.query(`update public.orders set note = 'later' where id = 3`);
    const pending = JSON.parse((await scenario.trueup('verify', 'orders', '--json')).stdout) as {
      streams: { stream: string; explained: unknown }[];
    };
    expect(pending).toMatchObject({ consistent: true, streams: [{ stream: 'public.orders', explained: { pending: 1 } }, {}] });
    const why = JSON.parse((await scenario.trueup('why', 'orders', 'public.orders', '3', '--json')).stdout) as { verdict: string };
    expect(why.verdict).toBe('pending');
    await scenario.target.query('delete from public.orders where id between 100 and 120');
    expect((await scenario.trueup('verify', 'orders')).code).toBe(4);
    expect((await scenario.trueup('backfill', 'orders', '--stream', 'public.orders', '--from', '90', '--to', '130')).code).toBe(0);
    await expectEqual(scenario);
    await scenario.target.query(`update public.items set sku = 'broken' where order_id = 5`);
    expect((await scenario.trueup('verify', 'orders', '--repair')).code).toBe(0);
    await expectEqual(scenario);
  });

  it('a column that comes in the middle of the log: rows of before are looked up', { timeout: 60_000 }, async () => {
    const scenario = await logScenario(10);
    expect((await scenario.run()).code).toBe(0);
    await scenario.source.query(`update public.orders set total = total + 1 where id <= 5`);
    await scenario.source.query(`alter table public.orders add column more text`);
    await scenario.source.query(`update public.orders set more = 'x' where id between 4 and 8; delete from public.orders where id = 9`);
    const ran = await scenario.run();
    expect(ran.code).toBe(0);
    expect(ran.stream('public.orders')).toMatchObject({ read: 11, deleted: 1 });
    await expectEqual(scenario);
  });

  it('the slot of a job that was removed is listed, and dropped by the name of the job', { timeout: 60_000 }, async () => {
    const scenario = await logScenario(10);
    await scenario.trueup('run', 'orders');
    const [slot] = await scenario.source.query<{ name: string }>(
      'select slot_name::text as name from pg_replication_slots where database = current_database()',
    );
    const kept = async () =>
      (JSON.parse((await scenario.trueup('status', '--json')).stdout) as { kept?: { connection: string; name: string }[] }).kept;
    expect(await kept()).toBeUndefined();
    await scenario.jobs(LOG_JOB.replace('  orders:', '  again:'));
    expect(await kept()).toMatchObject([{ connection: 'shop', name: slot?.name, kind: 'replication slot', inUse: false }]);
    expect((await scenario.trueup('status')).stdout).toContain(`replication slot '${slot?.name}' on connection 'shop'`);
    const dropped = await scenario.trueup('checkpoint', 'drop', 'orders', '--json');
    expect(JSON.parse(dropped.stdout)).toMatchObject({
      exitCode: 0,
      job: 'orders',
      changed: [{ feed: expect.stringContaining(`'${slot?.name}'`) }, {}],
    });
    expect(await kept()).toBeUndefined();
    expect(await scenario.source.query('select from pg_publication')).toEqual([]);
    // Once there is nothing of it, it is a name like any other.
    expect((await scenario.trueup('checkpoint', 'drop', 'orders')).code).toBe(2);
  });
});
