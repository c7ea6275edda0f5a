import { expect, it } from 'vitest';
import { describeWithPostgres } from '../servers/postgres.ts';
import type { TestDatabase } from '../servers/postgres.ts';
import { MEMORY_LIMIT, peakMemory } from './peak-memory.ts';
import { expectEqualTables, openScenario, seedOrders, ORDERS_JOB } from './scenario.ts';

const onLinux = process.platform === 'linux';
const TIMEOUT_MS = 120_000;
/** A file of CSV into PostgreSQL (bytes). */
const FILE_LIMIT = 150 * 1024 * 1024;

/** Loads one table with the settings that nobody changed: its rows arrive as they were, in bounded memory. */
async function expectBounded(
  table: string,
  seed: (source: TestDatabase) => Promise<void>,
  rows: number,
  job = jobOf(table),
): Promise<void> {
  const scenario = await openScenario();
  await seed(scenario.source);
  await scenario.jobs(job);
  const { ran, peakBytes } = await peakMemory(scenario.start(['run', '--json']), TIMEOUT_MS);
  expect(ran.code).toBe(0);
  expect(ran.stream(table).upserted).toBe(rows);
  await expectEqualTables(scenario, table);
  expect(peakBytes).toBeLessThan(MEMORY_LIMIT);
}

function jobOf(table: string): string {
  return `\n  copied:\n    source: shop\n    target: copy\n    streams: [{ from: ${table}, changes: { by: cursor, field: updated_at } }]\n`;
}

async function makeWide(source: TestDatabase): Promise<void> {
  const columns = Array.from({ length: 198 }, (_, index) => `c${index} text`).join(', ');
  await source.query(
    `create table public.wide (id int primary key, updated_at timestamptz not null default now(), ${columns}, big text); alter table public.wide alter column big set storage external`,
  );
}

describeWithPostgres('memory is bounded by bytes', () => {
  it.runIf(onLinux)('with 200 columns and values of 5 MB', { timeout: TIMEOUT_MS }, async () => {
    await expectBounded(
      'public.wide',
      async (source) => {
        await makeWide(source);
        await source.query(
          `insert into public.wide (id, c0, c100, c197, big) select n, 'a', 'ü', repeat('x', 1000), case when n % 2 = 0 then repeat('é' || n % 10, 1700000) else repeat('z', 5000000) end from generate_series(1, 30) n`,
        );
        await source.query(`insert into public.wide (id, c0, c50) select n, 'small', n::text from generate_series(31, 3000) n`);
      },
      3_000,
    );
  });

  it.runIf(onLinux)('with 200 columns that all hold something', { timeout: TIMEOUT_MS }, async () => {
    await expectBounded(
      'public.wide',
      async (source) => {
        await makeWide(source);
        const values = Array.from({ length: 198 }, (_, index) => `'value ' || n % ${index + 2}`).join(', ');
        await source.query(`insert into public.wide select n, now(), ${values}, 'b' from generate_series(1, 15000) n`);
      },
      15_000,
    );
  });

  it.runIf(onLinux)('with values of 5 MB between narrow rows, which nobody looks into', { timeout: TIMEOUT_MS }, async () => {
    await expectBounded(
      'public.mixed',
      async (source) => {
        await source.query(
          'create table public.mixed (id int primary key, note text, big text, updated_at timestamptz not null default now()); alter table public.mixed alter column big set storage external',
        );
        await source.query(
          `insert into public.mixed select n, 'note ' || n, case when n % 1500 = 0 then repeat('é' || n % 10, 1700000) end from generate_series(1, 60000) n`,
        );
      },
      60_000,
    );
  });

  it.runIf(onLinux)('with a file of any size, far below the limit of others', { timeout: TIMEOUT_MS }, async () => {
    const scenario = await openScenario();
    const line = (id: number): string =>
      `${id},"customer ""${id % 997}""",${id}.25,,some more text that makes it a line of a usual length for a file\n`;
    const rows = 400_000;
    const text = Array.from({ length: rows / 1000 }, (_, part) =>
      Array.from({ length: 1000 }, (_each, at) => line(part * 1000 + at)).join(''),
    );
    await scenario.write('in.csv', `id,customer,total,note,text\n${text.join('')}`);
    const copy = scenario.start(['copy', './in.csv', scenario.target.url, '--key', 'id', '--json']);
    const { ran, peakBytes } = await peakMemory(copy, TIMEOUT_MS);
    expect(ran.stream('in.csv').upserted).toBe(rows);
    expect(peakBytes).toBeLessThan(FILE_LIMIT);
  });

  it.runIf(onLinux)('with 200,000 rows in parallel parts', { timeout: TIMEOUT_MS }, async () => {
    await expectBounded(
      'public.orders',
      (source) => seedOrders(source, 200_000),
      200_000,
      `${ORDERS_JOB}        backfill: { partitions: 4 }\n`,
    );
  });
});
