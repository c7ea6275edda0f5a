import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createRole, describeWithPostgres, startOwnPostgres } from '../servers/postgres.ts';
import { ORDERS_JOB, expectEqualTables, openScenario, ranOf, seedOrders, tableHash } from './scenario.ts';

const SMALL_BATCHES = 'defaults: { batch: { rows: 500 } }\n';

describeWithPostgres('when something goes wrong', () => {
  it(
    'one bad row of 10,000: all others arrive, the letter names key and reason, and goes once the row is mended',
    { timeout: 60_000 },
    async () => {
      const scenario = await openScenario();
      await seedOrders(scenario.source, 10_000);
      await scenario.jobs(ORDERS_JOB);
      expect((await scenario.trueup('plan', '--apply')).code).toBe(0);
      await scenario.target.query(`alter table public.orders add check (total <> 6172.5)`); // row 4938
      const first = await scenario.run();
      expect(first.code).toBe(3);
      expect(first.report.status).toBe('incomplete');
      expect(first.stream('public.orders')).toMatchObject({ upserted: 9_999, deadLettered: 1, read: 10_000 });
      const list = await scenario.trueup('dead-letters', 'list', '--json');
      expect(JSON.parse(list.stdout)).toMatchObject({
        letters: [{ job: 'orders', stream: 'public.orders', key: '4938', code: 'E_RECORD_VALUE', attempts: 1 }],
      });
      expect(list.stdout).not.toContain('6172.5');
      expect((await scenario.run()).code).toBe(0);
      await scenario.source.query(`update public.orders set total = 1, updated_at = now() where id = 4938`);
      const mended = await scenario.run();
      expect(mended.code).toBe(0);
      expect(mended.stream('public.orders')).toMatchObject({ lettersResolved: 1, upserted: 1 });
      expect(JSON.parse((await scenario.trueup('dead-letters', 'list', '--json')).stdout)).toMatchObject({ letters: [] });
      await expectEqualTables(scenario, 'public.orders');
    },
  );

  it('a letter is replayed with the row as it is now, once its cause is gone', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 100);
    await scenario.jobs(ORDERS_JOB);
    await scenario.trueup('plan', '--apply');
    await scenario.target.query(`alter table public.orders add constraint small check (total < 100)`);
    expect(await scenario.run()).toMatchObject({ code: 3 });
    await scenario.target.query(`alter table public.orders drop constraint small`);
    const replay = ranOf(await scenario.trueup('dead-letters', 'replay', 'orders', '--json'));
    expect(replay.code).toBe(0);
    expect(replay.stream('public.orders').lettersResolved).toBe(21);
    await expectEqualTables(scenario, 'public.orders');
  });

  it('the target is down for half a minute: the run waits and arrives', { timeout: 120_000 }, async () => {
    const server = await startOwnPostgres();
    const scenario = await openScenario({ targetUrl: server.url });
    await seedOrders(scenario.source, 30_000);
    await scenario.jobs(ORDERS_JOB, SMALL_BATCHES);
    const running = scenario.start(['run', '--json']);
    await sleep(1_200);
    await server.halt('immediate');
    await sleep(30_000);
    await server.start();
    const ran = ranOf(await running.waitForExit(60_000));
    expect(ran.code).toBe(0);
    expect(ran.stream('public.orders')).toMatchObject({ deadLettered: 0, status: 'succeeded' });
    const [row] = await query(server.url, `select count(*)::int as n from public.orders`);
    expect(row).toEqual({ n: 30_000 });
  });

  it('a wrong password ends at once with 7', { timeout: 30_000 }, async () => {
    const role = await createRole('reader');
    const scenario = await openScenario();
    const wrong = new URL(role.url(scenario.source.url));
    wrong.password = 'not-the-password';
    await scenario.write(
      'trueup.yaml',
      `connections:\n  shop: { connector: postgres, url: "${wrong.href}" }\n  copy: { connector: postgres, url: "\${COPY_URL}" }\njobs:${ORDERS_JOB}`,
    );
    const started = Date.now();
    const exit = await scenario.trueup('run', '--json');
    // The run's own server may trust everybody; then the role lacks the privilege instead.
    expect(exit.code).toBe(7);
    expect(Date.now() - started).toBeLessThan(10_000);
    expect(exit.stdout + exit.stderr).not.toContain('not-the-password');
  });

  it('nobody at the address: 7 within ten seconds at two attempts', { timeout: 30_000 }, async () => {
    const scenario = await openScenario({ sourceUrl: 'postgres://nobody@127.0.0.1:1/none' });
    await scenario.jobs(`${ORDERS_JOB}    retries: { attempts: 2 }\n`);
    const started = Date.now();
    const exit = await scenario.trueup('run', '--json');
    expect(exit.code).toBe(7);
    expect(Date.now() - started).toBeLessThan(10_000);
    expect(JSON.parse(exit.stdout)).toMatchObject({ jobs: [{ status: 'failed', error: { code: 'E_UNREACHABLE' } }] });
  });

  it(
    'a signal ends it at a checkpoint within five seconds, with 143, and the next run goes on from there',
    { timeout: 60_000 },
    async () => {
      const scenario = await openScenario();
      await seedOrders(scenario.source, 60_000);
      await scenario.jobs(ORDERS_JOB, 'defaults: { batch: { rows: 200 } }\n');
      const running = scenario.start(['run', '--json']);
      await expect.poll(() => written(scenario.target.url), { timeout: 20_000, interval: 50 }).toBeGreaterThan(500);
      const asked = Date.now();
      running.kill('SIGTERM');
      const stopped = ranOf(await running.waitForExit(10_000));
      expect(Date.now() - asked).toBeLessThan(5_000);
      expect(stopped.code).toBe(143);
      expect(stopped.report.status).toBe('stopped');
      const { upserted } = stopped.stream('public.orders');
      expect(upserted).toBeGreaterThan(0);
      expect(upserted).toBe(await written(scenario.target.url));
      const next = await scenario.run();
      expect(next.code).toBe(0);
      expect(next.stream('public.orders').upserted).toBe(60_000 - upserted);
      await expectEqualTables(scenario, 'public.orders');
    },
  );

  it('an owner that was stopped in its tracks is taken over, and writes nothing when it wakes', { timeout: 120_000 }, async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 60_000);
    await scenario.jobs(ORDERS_JOB, 'defaults: { batch: { rows: 200 } }\n');
    const first = scenario.start(['run', '--json']);
    await expect.poll(() => written(scenario.target.url), { timeout: 20_000, interval: 50 }).toBeGreaterThan(500);
    first.kill('SIGSTOP');
    const refused = await scenario.trueup('run', '--json');
    expect(refused.code).toBe(6);
    expect(refused.stdout).toContain('E_OWNED');
    await sleep(31_000);
    const second = await scenario.run();
    expect(second.code).toBe(0);
    await expectEqualTables(scenario, 'public.orders');
    await scenario.source.query(`update public.orders set note = 'after the take-over', updated_at = now() where id <= 100`);
    expect((await scenario.run()).code).toBe(0);
    const before = await tableHash(scenario.target, 'public.orders');
    const xmins = await tableHash(scenario.target, '(select id, xmin::text from public.orders)');
    first.kill('SIGCONT');
    const fenced = await first.waitForExit(30_000);
    expect(fenced.code).toBe(6);
    expect(JSON.parse(fenced.stdout)).toMatchObject({ status: 'fenced' });
    expect(await tableHash(scenario.target, 'public.orders')).toBe(before);
    expect(await tableHash(scenario.target, '(select id, xmin::text from public.orders)')).toBe(xmins);
  });

  it('an owner that died is taken over at once', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 30_000);
    await scenario.jobs(ORDERS_JOB, 'defaults: { batch: { rows: 200 } }\n');
    const first = scenario.start(['run', '--json']);
    await expect.poll(() => written(scenario.target.url), { timeout: 20_000, interval: 50 }).toBeGreaterThan(500);
    first.kill('SIGKILL');
    await first.waitForExit();
    expect((await scenario.run()).code).toBe(0);
    await expectEqualTables(scenario, 'public.orders');
  });

  it('the target table is dropped: nothing is taken for written, and a full run loads it again', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 1_000);
    await scenario.jobs(ORDERS_JOB);
    expect((await scenario.run()).code).toBe(0);
    await scenario.target.query('drop table public.orders');
    const lost = await scenario.run();
    expect(lost.code).toBe(5);
    expect(lost.stream('public.orders').error?.code).toBe('E_TARGET_LOST');
    expect((await scenario.run('--full')).code).toBe(0);
    await expectEqualTables(scenario, 'public.orders');
  });

  it('privileges are taken away in between: 7, and the message says which', { timeout: 60_000 }, async () => {
    const role = await createRole('reader');
    const scenario = await openScenario();
    await seedOrders(scenario.source, 100);
    await scenario.source.query(`grant usage on schema public to ${role.name}; grant select on public.orders to ${role.name}`);
    await scenario.write(
      'trueup.yaml',
      `connections:\n  shop: { connector: postgres, url: "${role.url(scenario.source.url)}" }\n  copy: { connector: postgres, url: "\${COPY_URL}" }\njobs:${ORDERS_JOB}`,
    );
    expect((await scenario.run()).code).toBe(0);
    await scenario.source.query(`revoke select on public.orders from ${role.name}`);
    const refused = await scenario.trueup('run', '--json');
    expect(refused.code).toBe(7);
    expect(refused.stdout).toMatch(/E_ACCESS/);
    expect(refused.stdout).toMatch(/orders/);
    expect(refused.stdout + refused.stderr).not.toContain(role.password);
  });
});

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Rows of the target so far; 0 before it is there. */
async function written(url: string): Promise<number> {
  const [table] = await query(url, `select to_regclass('public.orders') is not null as there`);
  if (table?.['there'] !== true) return 0;
  const [row] = await query(url, 'select count(*)::int as n from public.orders');
  return Number(row?.['n']);
}
