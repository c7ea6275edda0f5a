import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/demo/embedded-postgres.ts';
import type { Bench } from './bench.ts';

const SETTINGS = {
  fsync: 'off', // A killed tool is the fault here, not a power cut.
  wal_level: 'logical',
  max_prepared_transactions: 50,
  shared_preload_libraries: 'pg_stat_statements',
};

/** Two servers of its own, the source's and the target's, and a scratch folder. All goes with it. */
export interface Servers extends Bench, AsyncDisposable {
  /** Of PostgreSQL. */
  readonly version: string;
}

export interface ServersOptions extends Pick<Bench, 'toolsDir' | 'seed' | 'log'> {}

export async function openServers(options: ServersOptions): Promise<Servers> {
  await using stack = new AsyncDisposableStack();
  const source = stack.use(await startEmbeddedPostgres({ settings: SETTINGS }));
  const target = stack.use(await startEmbeddedPostgres({ settings: SETTINGS }));
  const scratch = await mkdtemp(join(tmpdir(), 'trueup-loss-'));
  stack.defer(() => rm(scratch, { recursive: true, force: true }));
  const urls = { source: withPassword(source.url), target: withPassword(target.url) };
  let databases = 0;
  const version = await ask<string>(urls.source, 'show server_version');
  const kept = stack.move();
  return {
    ...options,
    scratch,
    version,
    async createDatabase(side) {
      const name = `${side}_${++databases}`;
      await ask(urls[side], `create database ${name}`);
      return urls[side].replace(/\/postgres$/, `/${name}`);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The servers ask for none, but some tools refuse a URL without it. */
const withPassword = (url: string) => url.replace('postgres@', 'postgres:bench@');

async function ask<T>(url: string, text: string): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, T>>(text);
    return Object.values(rows[0] ?? {})[0] as T;
  } finally {
    await client.end();
  }
}
