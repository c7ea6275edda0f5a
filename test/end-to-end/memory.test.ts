import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import { MEMORY_LIMIT, peakMemory } from './peak-memory.ts';
import { expectEqualTables, openScenario, seedOrders, tableHash, ORDERS_JOB } from './scenario.ts';

const onLinux = process.platform === 'linux';

describeWithPostgres('memory is bounded by bytes', () => {
  it.runIf(onLinux)('with 200 columns and values of 5 MB', { timeout: 180_000 }, async () => {
    const scenario = await openScenario();
    const columns = Array.from({ length: 198 }, (_, index) => `c${index} text`).join(', ');
    await scenario.source.query(
      `create table public.wide (id int primary key, updated_at timestamptz not null default now(), ${columns}, big text)`,
    );
    await scenario.source.query(`alter table public.wide alter column big set storage external`);
    await scenario.source.query(
      `insert into public.wide (id, c0, c100, c197, big) select n, 'a', 'ü', repeat('x', 1000), case when n % 2 = 0 then repeat('é' || n % 10, 1700000) else repeat('z', 5000000) end from generate_series(1, 40) n`,
    );
    await scenario.source.query(`insert into public.wide (id, c0, c50) select n, 'small', n::text from generate_series(41, 3000) n`);
    await scenario.source.query('create index on public.wide (updated_at, id)');
    await scenario.jobs(
      `\n  wide:\n    source: shop\n    target: copy\n    streams: [{ from: public.wide, changes: { by: cursor, field: updated_at } }]\n`,
    );
    const { ran, peakBytes } = await peakMemory(scenario.start(['run', '--json']), 120_000);
    expect(ran.code).toBe(0);
    expect(ran.stream('public.wide').upserted).toBe(3_000);
    expect(await tableHash(scenario.target, 'public.wide')).toBe(await tableHash(scenario.source, 'public.wide'));
    expect(peakBytes).toBeLessThan(MEMORY_LIMIT);
  });

  it.runIf(onLinux)('with 300,000 rows in parallel parts', { timeout: 180_000 }, async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, 300_000);
    await scenario.jobs(`${ORDERS_JOB}        backfill: { partitions: 4 }\n`);
    const { ran, peakBytes } = await peakMemory(scenario.start(['run', '--json']), 120_000);
    expect(ran.code).toBe(0);
    await expectEqualTables(scenario, 'public.orders');
    expect(peakBytes).toBeLessThan(MEMORY_LIMIT);
  });
});
