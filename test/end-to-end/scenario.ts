import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { RunReport, StreamReport } from '../../src/pipeline/report/report.ts';
import { runTrueup, spawnTrueup } from '../processes.ts';
import type { Exit, TrueupOptions, TrueupProcess } from '../processes.ts';
import { createDatabase } from '../servers/postgres.ts';
import type { TestDatabase } from '../servers/postgres.ts';

/** Two databases, a folder with a config, and the command. What a user has, for one test. */
export interface Scenario {
  readonly source: TestDatabase;
  readonly target: TestDatabase;
  readonly dir: string;
  write(file: string, text: string): Promise<void>;
  /** Replaces the part below `jobs:` of the config; connections are `shop` (source) and `copy` (target). */
  jobs(yaml: string, extra?: string): Promise<void>;
  trueup(...args: readonly string[]): Promise<Exit>;
  /** `trueup …` with this text on its standard input. */
  pipe(input: string, ...args: readonly string[]): Promise<Exit>;
  start(args: readonly string[], options?: TrueupOptions): TrueupProcess;
  /** `trueup run --json` and its report, whose sums are checked. */
  run(...args: readonly string[]): Promise<Ran>;
}

export interface Ran {
  readonly code: number | null;
  readonly report: RunReport;
  /** The stream's report; throws when it is not in it. */
  stream(name: string): StreamReport;
  readonly stderr: string;
}

export interface ScenarioOptions {
  readonly sourceUrl?: string;
  readonly targetUrl?: string;
}

/** One stream `public.orders` by its `updated_at`, with the checkpoints in the target. */
export const ORDERS_JOB = `
  orders:
    source: shop
    target: copy
    streams:
      - from: public.orders
        changes: { by: cursor, field: updated_at }
`;

export async function openScenario(options: ScenarioOptions = {}): Promise<Scenario> {
  const source = await createDatabase('source');
  const target = await createDatabase('target');
  const dir = await mkdtemp(join(tmpdir(), 'trueup-e2e-'));
  onTestFinished(async () => {
    await source.drop();
    await target.drop();
    await rm(dir, { recursive: true, force: true });
  });
  const env = { SHOP_URL: options.sourceUrl ?? source.url, COPY_URL: options.targetUrl ?? target.url };
  const write = (file: string, text: string): Promise<void> => writeFile(join(dir, file), text);
  const start = (args: readonly string[], more: TrueupOptions = {}): TrueupProcess =>
    spawnTrueup(args, { cwd: dir, ...more, env: { ...env, ...more.env } });
  const trueup = (...args: readonly string[]): Promise<Exit> => runTrueup(args, { cwd: dir, env });
  return {
    source,
    target,
    dir,
    write,
    start,
    trueup,
    pipe: (input, ...args) => runTrueup(args, { cwd: dir, env, input }),
    jobs: (yaml, extra = '') =>
      write(
        'trueup.yaml',
        `connections:\n  shop: { connector: postgres, url: "\${SHOP_URL}" }\n  copy: { connector: postgres, url: "\${COPY_URL}" }\n${extra}jobs:${yaml}`,
      ),
    run: async (...args) => ranOf(await trueup('run', '--json', ...args)),
  };
}

/** A finished `run`, `backfill` or `copy` under `--json`. */
export function ranOf(exit: Exit): Ran {
  const report = parseReport(exit);
  for (const job of report.jobs) for (const stream of job.streams) expectSums(stream);
  const streams = report.jobs.flatMap((job) => job.streams);
  return {
    code: exit.code,
    report,
    stderr: exit.stderr,
    stream(name) {
      const found = streams.find((one) => one.stream === name);
      if (found === undefined) throw new Error(`no stream '${name}' in ${exit.stdout}\n${exit.stderr}`);
      return found;
    },
  };
}

function parseReport(exit: Exit): RunReport {
  try {
    const report = JSON.parse(exit.stdout) as RunReport;
    if (!Array.isArray(report.jobs)) throw new Error('no jobs in it');
    expect(report.exitCode).toBe(exit.code);
    return report;
  } catch (cause) {
    throw new Error(`not a report (exit ${exit.code}, ${exit.signal}):\n${exit.stdout}\n${exit.stderr}`, { cause });
  }
}

/** The law of every report. */
export function expectSums(stream: StreamReport): void {
  const { read, filtered, coalesced, upserted, unchanged, deleted, superseded, deadLettered } = stream;
  expect({ stream: stream.stream, read }).toEqual({
    stream: stream.stream,
    read: filtered + coalesced + upserted + unchanged + deleted + superseded + deadLettered,
  });
}

/** Every row of a table as one text each, by key: an independent look, not through trueup. */
export async function tableContent(database: TestDatabase, table: string, orderBy = '1'): Promise<string[]> {
  const rows = await database.query<{ row: string }>(`select t::text as row from ${table} as t order by ${orderBy}`);
  return rows.map((one) => one.row);
}

/** Count and checksum of a whole table, for tables too large to compare in memory. */
export async function tableHash(database: TestDatabase, table: string): Promise<string> {
  const [row] = await database.query<{ hash: string }>(
    `select count(*)::text || ' ' || coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint)::text, '-') as hash from ${table} as t`,
  );
  return row?.hash ?? '';
}

export async function expectEqualTables(scenario: Scenario, table: string, targetTable = table): Promise<void> {
  expect(await tableHash(scenario.target, targetTable)).toBe(await tableHash(scenario.source, table));
}

/** `count` orders with distinct, ascending stamps and realistic columns. */
export async function seedOrders(source: TestDatabase, count: number): Promise<void> {
  await source.query(`
    create table public.orders (
      id bigint primary key, customer text not null, total numeric(12,2) not null, note text, status text not null,
      tags text[], details jsonb, placed_at timestamp, updated_at timestamptz not null default now());
    create index on public.orders (updated_at, id);
    insert into public.orders
      select n, 'customer ' || n % 1000, n * 1.25, case when n % 3 = 0 then null else 'note ' || n end, (array['new','paid','sent'])[1 + n % 3],
        array['a', n::text], jsonb_build_object('n', n, 'x', n * 0.1), timestamp '2026-01-01' + n * interval '1 second',
        timestamptz '2026-01-01 00:00:00.123456Z' + n * interval '1 millisecond'
      from generate_series(1, ${count}) as n;
    analyze public.orders`);
}
