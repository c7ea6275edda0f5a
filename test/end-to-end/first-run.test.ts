import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import { ORDERS_JOB, expectEqualTables, openScenario, seedOrders } from './scenario.ts';

describeWithPostgres('a job from Postgres to Postgres', () => {
  it('loads a table, then carries only what changed, then nothing', async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 5_000);
    await scenario.jobs(ORDERS_JOB);

    const first = await scenario.run();
    expect(first.stderr).not.toMatch(/error/i);
    expect(first.code).toBe(0);
    expect(first.stream('public.orders')).toMatchObject({ status: 'succeeded', phase: 'both', upserted: 5_000, caughtUp: true });
    expect(first.report.jobs[0]).toMatchObject({
      checkpoints: 'atomic',
      guarantee: { delivery: 'exactly-once-effect', lateCommits: 'delivered', staleWrites: 'refused' },
    });
    await expectEqualTables(scenario, 'public.orders');

    await scenario.source.query(
      `update public.orders set status = 'gone', updated_at = now() where id % 10 = 0; insert into public.orders values (9001, 'new', 1, null, 'new', null, null, null, now())`,
    );
    const second = await scenario.run();
    expect(second.stream('public.orders')).toMatchObject({ phase: 'changes', upserted: 501 });
    await expectEqualTables(scenario, 'public.orders');

    const third = await scenario.run();
    expect(third.stream('public.orders')).toMatchObject({ upserted: 0, caughtUp: true });
    expect(await scenario.target.query('select from trueup.checkpoints')).toHaveLength(1);
  });

  it('maps, filters and follows rows that leave the filter', async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 300);
    await scenario.write(
      'orders.yaml',
      `where: "status != 'new'"\nfields:\n  id: id\n  cents: { from: total, shift: 2, type: int64 }\n  label: { expr: "customer + ' #' + string(id)", type: text }\n`,
    );
    await scenario.jobs(`${ORDERS_JOB}        mapping: orders.yaml\n`);
    const first = await scenario.run();
    expect(first.code).toBe(0);
    expect(first.stream('public.orders')).toMatchObject({ upserted: 200, filtered: 100 });
    expect(
      await scenario.target
        .query('select id::int, cents::int, label from orders order by id limit 2')
        .catch(() => scenario.target.query('select id::int, cents::int, label from public.orders order by id limit 2')),
    ).toEqual([
      { id: 1, cents: 125, label: 'customer 1 #1' },
      { id: 2, cents: 250, label: 'customer 2 #2' },
    ]);
    await scenario.source.query(`update public.orders set status = 'new', updated_at = now() where id in (1, 3)`);
    const second = await scenario.run();
    expect(second.stream('public.orders')).toMatchObject({ read: 2, deleted: 1, filtered: 1 });
    expect(await scenario.target.query('select count(*)::int as n from public.orders')).toEqual([{ n: 199 }]);
  });
});
