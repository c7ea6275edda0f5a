import { expect, it } from 'vitest';
import { MEMORY_LIMIT, peakMemory } from '../end-to-end/peak-memory.ts';
import { ORDERS_JOB, expectEqualTables, openScenario, seedOrders } from '../end-to-end/scenario.ts';
import { describeWithPostgres } from '../servers/postgres.ts';

const ROWS = 5_000_000;

describeWithPostgres('a large source', () => {
  it.runIf(process.platform === 'linux')('of 5,000,000 rows is loaded in the memory that a small one takes', async () => {
    const scenario = await openScenario();
    await seedOrders(scenario.source, ROWS);
    await scenario.jobs(ORDERS_JOB);
    const startedAt = performance.now();
    const { ran, peakBytes } = await peakMemory(scenario.start(['run', '--json']), 15 * 60_000);
    const seconds = (performance.now() - startedAt) / 1000;
    expect(ran.code).toBe(0);
    expect(ran.stream('public.orders').upserted).toBe(ROWS);
    await expectEqualTables(scenario, 'public.orders');
    expect(peakBytes).toBeLessThan(MEMORY_LIMIT);
    const figures = { rows: ROWS, rowsPerSecond: Math.round(ROWS / seconds), peakMiB: Math.round(peakBytes / 2 ** 20) };
    process.stdout.write(`${JSON.stringify(figures)}\n`);
  });
});
