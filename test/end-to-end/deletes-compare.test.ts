import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openSqliteState } from '../../src/state/sqlite-state.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import type { TestDatabase } from '../servers/postgres.ts';
import { randomKills } from './random-kills.ts';
import { expectEqualTables, openScenario, ranOf, seedOrders, tableContent } from './scenario.ts';
import type { Scenario } from './scenario.ts';

const job = (streams: string, more = ''): string => `
  orders:
    source: shop
    target: copy
${more}    streams:
${streams}
`;
const ORDERS = (compare = '{}'): string =>
  `      - { from: public.orders, changes: { by: cursor, field: updated_at }, deletes: { compare: ${compare} } }`;

async function loaded(rows: number, yaml: string): Promise<Scenario> {
  const scenario = await openScenario();
  await seedOrders(scenario.source, rows);
  await scenario.jobs(yaml);
  expect((await scenario.run()).code).toBe(0);
  return scenario;
}

describeWithPostgres('deletes by compare', { timeout: 120_000 }, () => {
  it('reach the target, are counted, and are promised, required and stored as by-compare', async () => {
    const scenario = await loaded(3_000, job(ORDERS(), '    require: { deletes: by-compare }\n'));
    await scenario.source.query(
      `delete from public.orders where id % 50 = 0; update public.orders set note = 'new', updated_at = now() where id = 1`,
    );
    const ran = await scenario.run();
    expect(ran.code).toBe(0);
    expect(ran.stream('public.orders')).toMatchObject({ read: 61, upserted: 1, deleted: 60, compared: { source: 2_940, target: 3_000 } });
    expect(ran.report.jobs[0]?.guarantee).toMatchObject({ deletes: 'by-compare', lateCommits: 'delivered' });
    await expectEqualTables(scenario, 'public.orders');
    expect((await scenario.run()).stream('public.orders')).toMatchObject({
      read: 0,
      deleted: 0,
      compared: { source: 2_940, target: 2_940 },
    });

    const state = openSqliteState(join(scenario.dir, '.trueup/state.db'));
    onTestFinished(() => state.close());
    const [last] = await state.runs.list({ job: 'orders', limit: 1 }, new AbortController().signal);
    expect(last?.report).toMatchObject({ guarantee: { deletes: 'by-compare' } });

    const status = JSON.parse((await scenario.trueup('status', '--json')).stdout) as { jobs: { feeds: unknown[] }[] };
    expect(status.jobs[0]?.feeds).toContainEqual(
      expect.objectContaining({
        feed: 'compare:public.orders',
        kind: 'compare',
        position: expect.stringMatching(/^2940 in the source, 2940/) as string,
      }),
    );
    expect((await scenario.trueup('plan')).stdout).toMatch(/deletes by-compare/);
    await scenario.jobs(
      job('      - { from: public.orders, changes: { by: cursor, field: updated_at } }', '    require: { deletes: by-compare }\n'),
    );
    const refused = await scenario.run();
    expect([refused.code, refused.report.jobs[0]?.error?.code]).toEqual([5, 'E_REQUIRE']);
  });

  it('stop with exit code 5 and delete nothing when more is gone than maxShare, until that is allowed', async () => {
    const scenario = await loaded(500, job(ORDERS()));
    await scenario.source.query('delete from public.orders where id <= 26');
    const refused = await scenario.run();
    expect(refused.code).toBe(5);
    expect(refused.stream('public.orders')).toMatchObject({ deleted: 0, error: { code: 'E_DELETES' } });
    expect(refused.stream('public.orders').error?.message).toMatch(
      /26 of 500 records of target 'public.orders' .*5\.2 %.*5 %.*maxShare.*Nothing was deleted/,
    );
    expect(await tableContent(scenario.target, 'public.orders')).toHaveLength(500);
    await scenario.jobs(job(ORDERS('{ maxShare: 6% }')));
    expect((await scenario.run()).stream('public.orders')).toMatchObject({ deleted: 26 });
    await scenario.source.query('truncate public.orders');
    const empty = await scenario.run();
    expect([empty.code, empty.stream('public.orders').error?.message]).toEqual([
      5,
      expect.stringMatching(/The source has no records at all/),
    ]);
    await expect(tableContent(scenario.target, 'public.orders')).resolves.toHaveLength(474);
  });

  it('go from children to parents where foreign keys hold in the target', async () => {
    const scenario = await openScenario();
    const tables = `create table public.customers (id int primary key, updated_at timestamptz not null default now());
      create table public.orders (id int primary key, customer int not null references public.customers, updated_at timestamptz not null default now());`;
    await scenario.source.query(
      `${tables} insert into public.customers select generate_series(1, 300); insert into public.orders select n, n from generate_series(1, 300) n`,
    );
    await scenario.target.query(tables);
    const stream = (name: string): string =>
      `      - { from: public.${name}, changes: { by: cursor, field: updated_at }, deletes: { compare: { maxShare: 50% } } }`;
    await scenario.jobs(job(`${stream('customers')}\n${stream('orders')}`));
    expect((await scenario.run()).code).toBe(0);
    await scenario.source.query('delete from public.orders where id <= 120; delete from public.customers where id <= 120');
    const ran = await scenario.run();
    expect([ran.code, ran.stream('public.orders').deleted, ran.stream('public.customers').deleted]).toEqual([0, 120, 120]);
    expect(ran.stream('public.customers').deadLettered).toBe(0);
    await expectEqualTables(scenario, 'public.customers');
  });

  it('mark instead of delete, once, and take what comes back', async () => {
    const scenario = await loaded(
      200,
      job(
        `      - { from: public.orders, changes: { by: cursor, field: updated_at }, onDelete: { mark: gone_at }, deletes: { compare: {} } }`,
      ),
    );
    await scenario.source.query('delete from public.orders where id in (7, 8)');
    expect((await scenario.run()).stream('public.orders')).toMatchObject({ deleted: 2 });
    const marked = (): Promise<{ id: string }[]> =>
      scenario.target.query<{ id: string }>('select id from public.orders where gone_at is not null order by id');
    expect((await marked()).map(({ id }) => id)).toEqual(['7', '8']);
    expect((await scenario.run()).stream('public.orders')).toMatchObject({ read: 0 });
    await scenario.source.query(`insert into public.orders (id, customer, total, status) values (7, 'back', 1, 'new')`);
    expect((await scenario.run()).code).toBe(0);
    expect((await marked()).map(({ id }) => id)).toEqual(['8']);
  });

  it.each([
    ['numbers with other digits', 'numeric', 'n + 0.5', 'id::numeric(10,3)', 'trim_scale(id)::text'],
    ['text in another case', 'citext', `'key ' || n`, 'upper(id::text)', 'lower(id::text)'],
  ])('never delete a record for the way its key is written: %s', async (_what, type, made, changed, text) => {
    const scenario = await openScenario();
    for (const database of [scenario.source, scenario.target]) await database.query('create extension citext');
    await scenario.source
      .query(`create table public.rates (id ${type}, part text, v int, updated_at timestamptz not null default now(), primary key (part, id));
      insert into public.rates select ${made}, 'ä"''' || n % 7, n from generate_series(1, 400) n`);
    await scenario.jobs(
      job('      - { from: public.rates, changes: { by: cursor, field: updated_at }, deletes: { compare: { maxShare: 20% } } }'),
    );
    expect((await scenario.run()).code).toBe(0);
    // The same keys to PostgreSQL, written otherwise; nothing tells of the change.
    await scenario.source.query(`update public.rates set id = ${changed} where v <= 30; delete from public.rates where v = 31`);
    const ran = await scenario.run();
    expect(ran.code).toBe(0);
    const keys = (database: TestDatabase): Promise<{ key: string }[]> =>
      database.query<{ key: string }>(`select part || ' ' || ${text} as key from public.rates order by 1`);
    expect(await keys(scenario.target)).toEqual(await keys(scenario.source));
  });

  it('find keys that the mapping turned into others', async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 400);
    await scenario.write('shifted.yaml', 'fields: { ref: { from: id, shift: -3 }, who: customer }\nkey: [ref]\notherFields: drop\n');
    await scenario.write('hashed.yaml', 'fields: { ref: { from: id, mask: sha256 }, who: customer }\nkey: [ref]\notherFields: drop\n');
    const jobs = ['shifted', 'hashed'].map(
      (name) => `
  ${name}:
    source: shop
    target: copy
    streams:
      - { from: public.orders, to: ${name}, changes: { by: cursor, field: updated_at }, mapping: ${name}.yaml, deletes: { compare: {} } }`,
    );
    await scenario.jobs(`${jobs.join('')}\n`);
    expect((await scenario.run()).code).toBe(0);
    await scenario.source.query('delete from public.orders where id in (17, 18, 19)');
    const ran = await scenario.run();
    expect(ran.report.jobs.map(({ streams }) => [streams[0]?.read, streams[0]?.deleted])).toEqual([
      [3, 3],
      [3, 3],
    ]);
    expect(await tableContent(scenario.target, 'public.shifted')).toHaveLength(397);
    expect(await scenario.target.query(`select 1 from public.hashed where ref = encode(sha256('17'), 'hex')`)).toEqual([]);
    expect(await scenario.target.query(`select 1 from public.hashed where ref = encode(sha256('20'), 'hex')`)).toHaveLength(1);
  });

  it('leave alone what is out of scope', async () => {
    const scenario = await loaded(300, job(ORDERS(`{ scope: "status == 'sent'", maxShare: 100% }`)));
    await scenario.source.query('delete from public.orders');
    const ran = await scenario.run();
    expect(ran.stream('public.orders')).toMatchObject({ deleted: 100, compared: { source: 0, target: 100 } });
    expect(await scenario.target.query(`select status, count(*)::int from public.orders group by 1 order by 1`)).toEqual([
      { status: 'new', count: 100 },
      { status: 'paid', count: 100 },
    ]);
  });

  it('come at their times while a run follows', async () => {
    const scenario = await loaded(500, job(ORDERS(`{ schedule: "* * * * * *" }`)));
    const following = scenario.start(['run', '--follow', '--json', '--log-level', 'error']);
    const target = async (id: number): Promise<number> =>
      (await scenario.target.query(`select 1 from public.orders where id = ${id}`)).length;
    const within = async (check: () => Promise<boolean>): Promise<void> => {
      for (const until = Date.now() + 30_000; Date.now() < until; await sleep(100)) if (await check()) return;
      throw new Error('not within 30 s');
    };
    await scenario.source.query(`insert into public.orders (id, customer, total, status) values (9001, 'a', 1, 'new')`);
    await within(async () => (await target(9001)) === 1);
    await scenario.source.query('delete from public.orders where id in (5, 9001)');
    await within(async () => (await target(5)) + (await target(9001)) === 0);
    await scenario.source.query(`insert into public.orders (id, customer, total, status) values (5, 'back', 1, 'new')`);
    await within(async () => (await target(5)) === 1);
    following.kill('SIGTERM');
    expect(ranOf(await following.waitForExit()).code).toBe(143);
    expect((await scenario.run()).code).toBe(0);
    await expectEqualTables(scenario, 'public.orders');
  });

  it('converge under writers that delete, bring back and commit late, with kills', async () => {
    const scenario = await loaded(2_000, job(ORDERS('{ maxShare: 80% }')));
    const load = churn(scenario.source, 6, 10_000);
    let runs = 0;
    const kills = randomKills();
    for (const until = Date.now() + 10_000; Date.now() < until; runs += 1) {
      const running = scenario.start(['run', '--json', '--log-level', 'error']);
      const exit = await (runs % 2 === 1 ? kills.kill(running) : running.waitForExit(60_000));
      if (exit.signal === null) expect(ranOf(exit).code).toBe(0);
    }
    const changes = await load;
    expect(changes).toBeGreaterThan(100);
    expect(runs - kills.fell).toBeGreaterThan(1);
    expect((await scenario.run()).code).toBe(0);
    await expectEqualTables(scenario, 'public.orders');
  });
});

/** Writers whose transactions insert, update, delete and bring back, and of which some stay open for a second before they commit. */
async function churn(source: TestDatabase, writers: number, lastsMs: number): Promise<number> {
  let changes = 0;
  const until = Date.now() + lastsMs;
  const write = async (writer: number): Promise<void> => {
    const client = await source.connect();
    for (let turn = 0; Date.now() < until; turn += 1) {
      // Each writer has its own keys, so that none waits for another.
      const id = writer + writers * Math.floor(Math.random() * 300);
      const pause = turn % 4 === 0 ? Math.random() : Math.random() / 20;
      const put = `insert into public.orders (id, customer, total, status) values (${id}, 'w${writer}', ${turn}, 'new') on conflict (id) do update set total = excluded.total, updated_at = now()`;
      const act = [put, `delete from public.orders where id = ${id}`, `delete from public.orders where id = ${id}; ${put}`][turn % 3];
      await client.query(`begin; ${act}; select pg_sleep(${pause}); ${turn % 10 === 9 ? 'rollback' : 'commit'}`);
      changes += 1;
    }
  };
  await Promise.all(Array.from({ length: writers }, (_unused, writer) => write(writer)));
  return changes;
}
