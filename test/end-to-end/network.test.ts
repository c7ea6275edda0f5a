import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { describeWithPostgres, serverUrl } from '../servers/postgres.ts';
import { startTcpProxy } from '../servers/tcp-proxy.ts';
import type { TcpProxy } from '../servers/tcp-proxy.ts';
import { ORDERS_JOB, expectEqualTables, openScenario, ranOf, seedOrders } from './scenario.ts';
import type { Scenario } from './scenario.ts';

const ROWS = 10_000;
const JOB = `${ORDERS_JOB}    retries: { attempts: 6, maxDelay: 1s }\n`;
const BATCHES = 'defaults: { batch: { rows: 250 } }\n';

interface Wired {
  readonly scenario: Scenario;
  readonly toSource: TcpProxy;
  readonly toTarget: TcpProxy;
  /** How often a row was written, by a trigger in the target: what commits twice is counted twice. */
  writes(): Promise<number>;
  written(): Promise<number>;
}

/** A scenario whose source and target are reached through proxies only; the first load has made the table. */
async function wired(): Promise<Wired> {
  const toSource = await startTcpProxy(serverUrl());
  const toTarget = await startTcpProxy(serverUrl());
  onTestFinished(async () => {
    await toSource.close();
    await toTarget.close();
  });
  const scenario = await openScenario();
  await seedOrders(scenario.source, ROWS);
  await scenario.write(
    'trueup.yaml',
    `connections:\n  shop: { connector: postgres, url: "${toSource.url(scenario.source.url)}" }\n  copy: { connector: postgres, url: "${toTarget.url(scenario.target.url)}" }\n${BATCHES}jobs:${JOB}`,
  );
  expect((await scenario.trueup('plan', '--apply')).code).toBe(0);
  await scenario.target.query(`create table public.writes (n bigint);
    create function public.count_write() returns trigger language plpgsql as $$ begin insert into public.writes values (1); return null; end $$;
    create trigger count_write after insert or update on public.orders for each row execute function public.count_write()`);
  const count = async (table: string): Promise<number> =>
    Number((await scenario.target.query<{ n: string }>(`select count(*) as n from ${table}`))[0]?.n);
  return { scenario, toSource, toTarget, writes: () => count('public.writes'), written: () => count('public.orders') };
}

describeWithPostgres('a bad network', () => {
  it(
    'resets connections in the middle of COPY, of a commit, of a read: nothing is lost and nothing is written twice',
    { timeout: 120_000 },
    async () => {
      const { scenario, toSource, toTarget, writes, written } = await wired();
      const running = scenario.start(['run', '--json']);
      await expect.poll(written, { timeout: 30_000, interval: 20 }).toBeGreaterThan(0);
      // At various distances, so that some fall into COPY data, some into statements, some into COMMIT.
      for (const bytes of [1, 20_000, 45_000, 60_001, 77_777]) {
        toTarget.resetAfter(bytes);
        await sleep(400);
      }
      toSource.reset();
      toTarget.pass();
      const ran = ranOf(await running.waitForExit(90_000));
      expect(ran.code).toBe(0);
      expect(ran.stream('public.orders')).toMatchObject({ deadLettered: 0, status: 'succeeded' });
      expect(ran.stream('public.orders').retries).toBeGreaterThan(0);
      await expectEqualTables(scenario, 'public.orders');
      expect(await writes()).toBe(ROWS);
    },
  );

  it('loses the answer to a commit: what is unknown is found out, not assumed', { timeout: 120_000 }, async () => {
    const { scenario, toTarget, writes, written } = await wired();
    const running = scenario.start(['run', '--json']);
    await expect.poll(written, { timeout: 30_000, interval: 20 }).toBeGreaterThan(0);
    for (let round = 0; round < 3; round += 1) {
      // Requests arrive, answers do not; then the line breaks.
      toTarget.blackHole('toClient');
      await sleep(300);
      toTarget.reset();
      toTarget.pass();
      await sleep(500);
    }
    const ran = ranOf(await running.waitForExit(90_000));
    expect(ran.code).toBe(0);
    await expectEqualTables(scenario, 'public.orders');
    expect(await writes()).toBe(ROWS);
    // Batches whose commit was not answered are durable, though this report cannot count them.
    expect(ran.stream('public.orders').upserted).toBeLessThanOrEqual(ROWS);
  });

  it('is slow: the run takes longer, and that is all', { timeout: 120_000 }, async () => {
    const { scenario, toSource, toTarget, writes } = await wired();
    toSource.delay(40);
    toTarget.throttle(600_000);
    const ran = await scenario.run();
    expect(ran.code).toBe(0);
    expect(ran.stream('public.orders')).toMatchObject({ retries: 0, upserted: ROWS });
    expect(await writes()).toBe(ROWS);
  });

  it(
    'goes silent in the middle of a read, with someone on the way who answers for it: it is noticed, and read again',
    { timeout: 120_000 },
    async () => {
      const { scenario, toSource, writes, written } = await wired();
      toSource.throttle(200_000);
      const running = scenario.start(['run', '--json']);
      await expect.poll(written, { timeout: 30_000, interval: 20 }).toBeGreaterThan(0);
      toSource.halfOpen('server');
      toSource.pass();
      const ran = ranOf(await running.waitForExit(80_000));
      expect(ran.code).toBe(0);
      expect(ran.stream('public.orders')).toMatchObject({ deadLettered: 0 });
      expect(ran.stream('public.orders').retries).toBeGreaterThan(0);
      await expectEqualTables(scenario, 'public.orders');
      expect(await writes()).toBe(ROWS);
    },
  );

  it('goes silent at the start: the run gives up within its attempts', { timeout: 120_000 }, async () => {
    const { scenario, toSource, toTarget } = await wired();
    const text = (attempts: number): string =>
      `connections:\n  shop: { connector: postgres, url: "${toSource.url(scenario.source.url)}", connectTimeout: 1s }\n  copy: { connector: postgres, url: "${toTarget.url(scenario.target.url)}", connectTimeout: 1s }\njobs:${ORDERS_JOB}    retries: { attempts: ${attempts}, maxDelay: 1s }\n`;
    for (const proxy of [toSource, toTarget]) {
      await scenario.write('trueup.yaml', text(2));
      proxy.blackHole();
      const started = Date.now();
      const ran = ranOf(await scenario.trueup('run', '--json'));
      expect(ran.code).toBe(7);
      expect(ran.report.jobs[0]?.error).toMatchObject({ code: 'E_UNREACHABLE' });
      expect(Date.now() - started).toBeLessThan(30_000);
      proxy.pass();
    }
    expect((await scenario.run()).code).toBe(0);
    await expectEqualTables(scenario, 'public.orders');
  });
});
