import type { Client } from 'pg';
import type { RunFigures, Story } from './demo-report.ts';
import type { DemoServers } from './demo-servers.ts';
import type { ShopSize } from './shop.ts';

/** What every scene of the demo works with. */
export interface Stage {
  readonly folder: string;
  readonly size: ShopSize;
  readonly story: Story;
  readonly signal: AbortSignal;
  readonly servers: DemoServers;
  /** One connection to each side, for looking and for changing by hand. */
  readonly shop: Client;
  readonly archive: Client;
}

/** The one value of a query that yields one row with a column `value`. */
export async function valueOf<Value>(client: Client, sql: string, values: readonly unknown[] = []): Promise<Value> {
  const { rows } = await client.query<{ value: Value }>(sql, [...values]);
  if (rows[0] === undefined) throw new Error(`no row from: ${sql}`);
  return rows[0].value;
}

/** Rows of both tables in the archive; 0 while they do not exist. */
export async function archiveRows(archive: Client): Promise<number> {
  let rows = 0;
  for (const table of ['customers', 'orders']) {
    const exists = await valueOf<boolean>(archive, 'select to_regclass($1) is not null as value', [`public.${table}`]);
    if (exists) rows += await valueOf<number>(archive, `select count(*)::int as value from public.${table}`);
  }
  return rows;
}

interface PrintedRun {
  readonly durationMs: number;
  readonly jobs: readonly {
    readonly streams: readonly { readonly read: number; readonly upserted: number; readonly unchanged: number }[];
  }[];
}

/** The sums of `run --json`. */
export function runFigures(document: unknown): RunFigures {
  const { durationMs, jobs } = document as PrintedRun;
  const streams = jobs.flatMap((job) => job.streams);
  const sum = (of: (stream: (typeof streams)[number]) => number) => streams.reduce((total, stream) => total + of(stream), 0);
  return {
    read: sum((stream) => stream.read),
    upserted: sum((stream) => stream.upserted),
    unchanged: sum((stream) => stream.unchanged),
    durationMs,
  };
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return Math.round(performance.now() - begun);
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
