import { expect, onTestFinished } from 'vitest';
import { openApp } from '../../src/app.ts';
import type { App, RunOptions } from '../../src/api.ts';
import type { RunReport } from '../../src/pipeline/report/report.ts';
import type { WhyReport } from '../../src/verify/why-report.ts';
import { ORDERS_JOB, openScenario } from '../end-to-end/scenario.ts';
import type { Scenario } from '../end-to-end/scenario.ts';

const silent = (): void => {};
const LOG = { debug: silent, info: silent, warn: silent, error: silent };
const never = new AbortController().signal;

/** Two databases with orders, synced and asked about in this process. */
export interface Shop extends Scenario {
  /** `why orders public.orders <key>`, or another stream. */
  why(key: string, stream?: string): Promise<WhyReport>;
  sync(options?: Partial<RunOptions>): Promise<RunReport>;
  app(): Promise<App>;
}

/** Twenty orders, a second apart. */
export const TABLE = `
  create table public.orders (
    id bigint primary key, customer text, total numeric(12,2), note text, updated_at timestamptz not null default clock_timestamp());
  create index on public.orders (updated_at, id);
  insert into public.orders select n, 'customer ' || n, n * 1.25, 'note ' || n, '2026-01-01Z'::timestamptz + n * interval '1 second' from generate_series(1, 20) as n`;

export async function openShop(jobs = ORDERS_JOB, tables = TABLE): Promise<Shop> {
  const scenario = await openScenario();
  await scenario.source.query(tables);
  await scenario.jobs(jobs);
  const app = async (): Promise<App> => {
    const env = { SHOP_URL: scenario.source.url, COPY_URL: scenario.target.url };
    const opened = await openApp({ cwd: scenario.dir, env, log: LOG });
    onTestFinished(() => opened.close());
    return opened;
  };
  return {
    ...scenario,
    app,
    why: async (key, stream = 'public.orders') => (await app()).why({ job: 'orders', stream, key }, never),
    sync: async (options = {}) => {
      const report = await (await app()).run({ jobs: [], ...options }, { stop: never, abort: never });
      expect(report.jobs.flatMap((job) => [job.error, ...job.streams.map((stream) => stream.error)]).filter(Boolean)).toEqual([]);
      return report;
    },
  };
}
