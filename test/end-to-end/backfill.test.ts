import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import { ORDERS_JOB, expectEqualTables, openScenario, ranOf, seedOrders } from './scenario.ts';
import type { Ran, Scenario } from './scenario.ts';

async function backfill(scenario: Scenario, ...args: string[]): Promise<Ran> {
  return ranOf(await scenario.trueup('backfill', 'orders', '--json', ...args));
}

async function loaded(rows: number, options = '', extra = ''): Promise<Scenario> {
  const scenario = await openScenario();
  await seedOrders(scenario.source, rows);
  await scenario.jobs(`${ORDERS_JOB}${options}`, extra);
  const first = await scenario.run();
  expect(first.report).toMatchObject({ status: 'succeeded', exitCode: 0 });
  return scenario;
}

/** Damage that no cursor sees. */
const damage = (scenario: Scenario): Promise<unknown> => scenario.target.query(`update public.orders set note = 'damaged'`);

async function damaged(scenario: Scenario): Promise<number[]> {
  return (await scenario.target.query<{ id: number }>(`select id::int from public.orders where note = 'damaged' order by id`)).map(
    ({ id }) => id,
  );
}

const without = (rows: number, mended: (id: number) => boolean): number[] =>
  Array.from({ length: rows }, (_, index) => index + 1).filter((id) => !mended(id));

describeWithPostgres('backfill of a live stream', () => {
  it('mends the keys it is asked for and no others, and the changes go on', { timeout: 120_000 }, async () => {
    const scenario = await loaded(300);
    await damage(scenario);
    await scenario.source.query(`insert into public.orders values (301, 'new', 1, null, 'new')`);
    const range = await backfill(scenario, '--from', '50', '--to', '60');
    expect(range.code).toBe(0);
    expect(range.stream('public.orders')).toMatchObject({ read: 12, upserted: 12, status: 'succeeded', phase: 'both' });
    expect(await damaged(scenario)).toEqual(without(300, (id) => id >= 50 && id <= 60));

    expect(
      (await backfill(scenario, '--where', 'id % 100 = 7', '--partitions', '3', '--stream', 'public.orders')).stream('public.orders'),
    ).toMatchObject({ upserted: 3 });
    expect(await damaged(scenario)).toEqual(without(300, (id) => (id >= 50 && id <= 60) || id % 100 === 7));
    expect((await backfill(scenario, '--from', '295')).code).toBe(0);
    expect(await damaged(scenario)).toEqual(without(300, (id) => (id >= 50 && id <= 60) || id % 100 === 7 || id >= 295));

    const all = await backfill(scenario, '--partitions', '3');
    expect(all.stream('public.orders')).toMatchObject({ read: 301 });
    await expectEqualTables(scenario, 'public.orders');
    expect((await scenario.run()).stream('public.orders')).toMatchObject({ read: 0 });
  });

  it('resumes where it was stopped, and another range is not taken for the one that was stopped', { timeout: 120_000 }, async () => {
    const scenario = await loaded(6_000, '', 'defaults: { batch: { rows: 40 } }\n');
    await damage(scenario);
    const running = scenario.start(['backfill', 'orders', '--from', '1001', '--json']);
    await expect.poll(async () => (await damaged(scenario)).length, { timeout: 30_000, interval: 20 }).toBeLessThan(6_000);
    running.kill('SIGTERM');
    const stopped = ranOf(await running.waitForExit());
    expect(stopped.code).toBe(143);
    const mended = 6_000 - (await damaged(scenario)).length;
    expect(stopped.stream('public.orders')).toMatchObject({ upserted: mended });
    expect(mended).toBeLessThan(5_000);

    const other = await backfill(scenario, '--from', '1', '--to', '10');
    expect(other.code).toBe(0);
    expect((await damaged(scenario)).filter((id) => id <= 10)).toEqual([]);

    // What was asked first is asked again, and only its rest is read.
    const rest = await backfill(scenario, '--from', '1001');
    expect(rest.code).toBe(0);
    expect(await damaged(scenario)).toEqual(without(1_000, (id) => id <= 10));
  });

  it('refuses keys that are none, and a job or stream that is not there', { timeout: 60_000 }, async () => {
    const scenario = await loaded(10);
    for (const args of [
      ['--from', 'abc'],
      ['--to', '[1,2]'],
      ['--stream', 'public.nothing'],
    ]) {
      const refused = await scenario.trueup('backfill', 'orders', '--json', ...args);
      expect({ args, code: refused.code, stdout: refused.stdout }).toMatchObject({ args, code: 2 });
      expect(refused.stdout).not.toContain('E_BUG');
    }
    await scenario.source.query('create table public.fresh (id int primary key)');
    await scenario.jobs(`${ORDERS_JOB}      - { from: public.fresh }\n`);
    // A part of what was never loaded would pass for the whole from then on.
    const fresh = await scenario.trueup('backfill', 'orders', '--json', '--stream', 'public.fresh', '--from', '1');
    expect({ code: fresh.code, stdout: fresh.stdout }).toMatchObject({ code: 2 });
    const nowhere = await scenario.trueup('backfill', 'orders', '--where', 'nonsense = 1', '--json');
    expect({ code: nowhere.code, stdout: nowhere.stdout }).toMatchObject({ code: 2 });
    expect((await scenario.run()).code).toBe(0);
  });
});

describeWithPostgres('a mapping that changed', () => {
  const mapping = (note: string): string => `fields:\n  id: id\n  note: ${note}\n  updated_at: updated_at\n`;

  it('stops with 5 until it is said what is meant: load again, or from now on', { timeout: 120_000 }, async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 100);
    await scenario.write('map.yaml', mapping('note'));
    await scenario.jobs(`${ORDERS_JOB}        mapping: map.yaml\n`);
    expect((await scenario.run()).code).toBe(0);
    await scenario.write('map.yaml', mapping(`{ expr: "customer + '!'", type: text }`));
    await scenario.source.query(`insert into public.orders values (101, 'late', 1, null, 'new')`);
    const stopped = await scenario.run();
    expect(stopped.code).toBe(5);
    expect(stopped.stream('public.orders').error?.code).toBe('E_PLAN_HASH');
    expect(await scenario.target.query(`select count(*)::int as n from public.orders where note like '%!'`)).toEqual([{ n: 0 }]);

    // A part of the rows is not what the new mapping means.
    expect(ranOf(await scenario.trueup('backfill', 'orders', '--from', '1', '--to', '3', '--json')).code).toBe(5);

    const rebackfilled = await scenario.run('--on-change', 'rebackfill');
    expect(rebackfilled.code).toBe(0);
    expect(
      await scenario.target.query(`select count(*)::int as n from public.orders where note like 'customer %!' or note = 'late!'`),
    ).toEqual([{ n: 101 }]);
    expect((await scenario.run()).code).toBe(0);

    await scenario.write('map.yaml', mapping(`{ expr: "customer + '?'", type: text }`));
    const fromNow = await scenario.run('--on-change', 'from-now');
    expect(fromNow.code).toBe(0);
    await scenario.source.query(`update public.orders set updated_at = now() where id <= 5`);
    expect((await scenario.run()).stream('public.orders')).toMatchObject({ upserted: 5 });
    expect(await scenario.target.query(`select count(*)::int as n from public.orders where note like '%?'`)).toEqual([{ n: 5 }]);
  });

  it('a filter that changed: rows that no longer pass go, those that now pass come', { timeout: 120_000 }, async () => {
    const scenario = await loaded(90, `        where: "status != 'new'"\n`);
    const ids = async (): Promise<unknown> =>
      (
        await scenario.target.query(`select string_agg(distinct status, ',' order by status) as s, count(*)::int as n from public.orders`)
      )[0];
    expect(await ids()).toEqual({ s: 'paid,sent', n: 60 });
    await scenario.jobs(`${ORDERS_JOB}        where: "status != 'paid'"\n        onExit: delete\n`);
    expect((await scenario.run()).code).toBe(5);
    const changed = await scenario.run('--on-change', 'rebackfill');
    expect(changed.code).toBe(0);
    expect(changed.stream('public.orders')).toMatchObject({ deleted: 30, upserted: 30, unchanged: 30 });
    expect(await ids()).toEqual({ s: 'new,sent', n: 60 });
    await scenario.jobs(`${ORDERS_JOB}        where: "status != 'sent'"\n`);
    const full = await scenario.run('--full');
    expect(full.code).toBe(0);
    expect(await ids()).toEqual({ s: 'new,paid', n: 60 });
  });
});

describeWithPostgres('checkpoints by hand', () => {
  it('set goes back to a cursor, rewind to the beginning, drop forgets; each takes a new epoch', { timeout: 120_000 }, async () => {
    const scenario = await loaded(100);
    const checkpoint = async (...args: string[]): Promise<Record<string, never>> => {
      const exit = await scenario.trueup('checkpoint', ...args, '--json');
      expect({ args, code: exit.code, stdout: exit.stdout }).toMatchObject({ args, code: 0 });
      return JSON.parse(exit.stdout) as Record<string, never>;
    };
    const shown = await checkpoint('show', 'orders');
    const [{ cursor, feed, epoch }] = shown['checkpoints'] as unknown as [{ cursor: unknown; feed: { id: string }; epoch: number }];
    await scenario.source.query(`update public.orders set note = 'changed', updated_at = now() where id <= 7`);
    expect((await scenario.run()).stream('public.orders')).toMatchObject({ upserted: 7 });
    await damage(scenario);

    const set = await checkpoint('set', 'orders', feed.id, JSON.stringify(cursor));
    expect(set['epoch']).toBeGreaterThan(epoch);
    expect((await scenario.run()).stream('public.orders')).toMatchObject({ read: 7, upserted: 7 });
    expect(await damaged(scenario)).toHaveLength(93);
    await checkpoint('rewind', 'orders');
    expect((await scenario.run()).stream('public.orders')).toMatchObject({ read: 100, upserted: 93, unchanged: 7 });
    await expectEqualTables(scenario, 'public.orders');
    await checkpoint('drop', 'orders');
    expect((await checkpoint('list', 'orders'))['checkpoints']).toEqual([]);
    expect((await scenario.run()).stream('public.orders')).toMatchObject({ phase: 'both', upserted: 0, unchanged: 100 });

    for (const args of [
      ['set', 'orders', feed.id, '{"kind":"nonsense"}'],
      ['set', 'orders', feed.id, 'not json'],
      ['set', 'orders', feed.id, '"text"'],
      ['rewind', 'orders', 'nothing'],
      ['drop', 'nothing'],
    ]) {
      const exit = await scenario.trueup('checkpoint', ...args, '--json');
      expect({ args, code: exit.code, stdout: exit.stdout }).toMatchObject({ args, code: 2 });
    }
    expect((await scenario.run()).code).toBe(0);
  });
});
