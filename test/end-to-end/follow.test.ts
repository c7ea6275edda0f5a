import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import { LOAD_TABLES, startLoad } from '../soak/late-commit-load.ts';
import { randomKills } from './random-kills.ts';
import { ORDERS_JOB, expectEqualTables, openScenario, ranOf, seedOrders } from './scenario.ts';
import type { Scenario } from './scenario.ts';

const LOAD_MS = 12_000;

/** Both tables of the load, one by its stamps, one by its counter, one more by its row versions. */
const LOAD_JOB = `
  load:
    source: shop
    target: copy
    streams:
      - { from: public.t, changes: { by: cursor, field: updated_at } }
      - { from: public.s, changes: { by: sequence, field: id } }
      - { from: public.t_versions, to: public.t_versions, changes: { by: cursor, field: updated_at }, key: [id], lookback: 10s }
`;

async function loadScenario(): Promise<Scenario> {
  const scenario = await openScenario();
  await scenario.source.query(`${LOAD_TABLES}; create view public.t_versions as select id, v, updated_at from public.t`);
  await scenario.write(
    'trueup.yaml',
    `connections:\n  shop: { connector: postgres, url: "\${SHOP_URL}", fence: { maxWait: 2s } }\n  copy: { connector: postgres, url: "\${COPY_URL}" }\ndefaults: { batch: { rows: 100 } }\njobs:${LOAD_JOB}`,
  );
  return scenario;
}

/** Rows that the target lacks, and rows that it has in an older form. */
async function differences(scenario: Scenario): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of ['t', 's', 't_versions']) {
    const there = new Map(
      (await scenario.target.query<{ id: string; v: number }>(`select id::text, v from public.${table}`)).map(({ id, v }) => [id, v]),
    );
    const rows = await scenario.source.query<{ id: string; v: number }>(`select id::text, v from public.${table}`);
    expect(rows.length).toBeGreaterThan(100);
    counts[`${table} missing`] = rows.filter(({ id }) => !there.has(id)).length;
    counts[`${table} stale`] = rows.filter(({ id, v }) => there.has(id) && there.get(id) !== v).length;
    counts[`${table} extra`] = there.size - (rows.length - (counts[`${table} missing`] ?? 0));
  }
  return counts;
}

const NONE = Object.fromEntries(
  ['t', 's', 't_versions'].flatMap((table) => [`${table} missing`, `${table} stale`, `${table} extra`].map((name) => [name, 0])),
);

describeWithPostgres('under a load of long transactions, savepoints, rollbacks and prepared transactions', () => {
  it('one run after the other misses nothing, some of them killed', { timeout: 120_000 }, async () => {
    const scenario = await loadScenario();
    const load = await startLoad(scenario.source, { writers: 4, longestMs: 3000 });
    const kills = randomKills();
    for (let index = 0, until = Date.now() + LOAD_MS; Date.now() < until; index += 1) {
      const running = scenario.start(['run', '--json', '--log-level', 'error']);
      const exit = await (index % 3 === 1 ? kills.kill(running) : running.waitForExit(60_000));
      if (exit.signal === null) expect(ranOf(exit).code).toBe(0);
    }
    await load.stop();
    expect(load.counts.prepared).toBeGreaterThan(0);
    expect((await scenario.run()).code).toBe(0);
    expect(await differences(scenario)).toEqual(NONE);
  });

  it('a run that follows misses nothing, killed and started again, and ends at a checkpoint on SIGTERM', { timeout: 120_000 }, async () => {
    const scenario = await loadScenario();
    const load = await startLoad(scenario.source, { writers: 4, longestMs: 3000 });
    const args = ['run', '--follow', '--json', '--log-level', 'error'];
    for (const lives of [LOAD_MS / 3, LOAD_MS / 3]) {
      const running = scenario.start(args);
      await sleep(lives + Math.random() * 500);
      running.kill('SIGKILL');
      await running.waitForExit();
    }
    const last = scenario.start(args);
    await sleep(LOAD_MS / 3);
    await load.stop();
    // No other command helps: what was written last arrives by following alone.
    await expect.poll(() => differences(scenario), { timeout: 30_000, interval: 500 }).toEqual(NONE);
    const asked = Date.now();
    last.kill('SIGTERM');
    const stopped = ranOf(await last.waitForExit());
    expect(Date.now() - asked).toBeLessThan(5_000);
    expect(stopped.code).toBe(143);
    expect(stopped.report.status).toBe('stopped');
    for (const stream of stopped.report.jobs[0]?.streams ?? []) expect(stream).toMatchObject({ status: 'stopped', deadLettered: 0 });
  });
});

describeWithPostgres('several runs', () => {
  it('`--max-time` ends a run that follows at a checkpoint with 0; SIGINT ends it with 130', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 500);
    await scenario.jobs(ORDERS_JOB);
    const timed = await scenario.run('--follow', '--max-time', '3s');
    expect(timed.code).toBe(0);
    expect(timed.report).toMatchObject({ status: 'stopped', jobs: [{ status: 'stopped' }] });
    expect(timed.report.durationMs).toBeLessThan(15_000);
    await expectEqualTables(scenario, 'public.orders');
    const running = scenario.start(['run', '--follow', '--json']);
    await scenario.source.query(`update public.orders set note = 'seen', updated_at = now() where id = 1`);
    await expect
      .poll(() => scenario.target.query(`select note from public.orders where id = 1`), { timeout: 20_000 })
      .toEqual([{ note: 'seen' }]);
    running.kill('SIGINT');
    expect(ranOf(await running.waitForExit())).toMatchObject({ code: 130, report: { status: 'stopped' } });
  });

  it('two jobs side by side in one command, each with its own result', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 500);
    await scenario.source.query(
      `create table public.items (id int primary key, at timestamptz not null default now()); insert into public.items select generate_series(1, 50)`,
    );
    await scenario.jobs(
      `${ORDERS_JOB}\n  items:\n    source: shop\n    target: copy\n    streams: [{ from: public.items, changes: { by: cursor, field: at } }]\n  broken:\n    source: shop\n    target: copy\n    streams: [{ from: public.nothing }]\n`,
    );
    const both = await scenario.run('orders', 'items');
    expect(both.code).toBe(0);
    expect(both.report.jobs.map(({ job, status }) => ({ job, status }))).toEqual([
      { job: 'orders', status: 'succeeded' },
      { job: 'items', status: 'succeeded' },
    ]);
    await scenario.source.query(`insert into public.items values (99)`);
    const three = await scenario.run();
    expect(three.code).toBe(2);
    expect(three.report.jobs.map(({ job, exitCode }) => ({ job, exitCode }))).toEqual([
      { job: 'orders', exitCode: 0 },
      { job: 'items', exitCode: 0 },
      { job: 'broken', exitCode: 2 },
    ]);
    await expectEqualTables(scenario, 'public.items');
  });

  it('the same job twice at once: one does it, the other ends with 6 and has done nothing', { timeout: 60_000 }, async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 30_000);
    await scenario.jobs(ORDERS_JOB, 'defaults: { batch: { rows: 200 } }\n');
    const runs = [scenario.start(['run', '--json']), scenario.start(['run', '--json'])];
    const ended = (await Promise.all(runs.map((one) => one.waitForExit(60_000))))
      .map(ranOf)
      .toSorted((a, b) => (a.code ?? 0) - (b.code ?? 0));
    expect(ended.map(({ code }) => code)).toEqual([0, 6]);
    expect(ended[1]?.report).toMatchObject({ status: 'fenced', jobs: [{ status: 'fenced', error: { code: 'E_OWNED' }, streams: [] }] });
    expect(ended[0]?.stream('public.orders').upserted).toBe(30_000);
    await expectEqualTables(scenario, 'public.orders');
  });
});
