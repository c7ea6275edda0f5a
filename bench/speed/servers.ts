import { accessSync, constants } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/demo/embedded-postgres.ts';
import type { Bench } from './bench.ts';
import type { ServerProcess } from './measure.ts';
import { startBenchMongod } from './mongod.ts';

/** As a server with some memory would be set; durable: fsync stays on. */
const SETTINGS = { shared_buffers: '1GB', max_wal_size: '8GB', wal_level: 'logical' };

export interface Opened extends Bench, AsyncDisposable {
  readonly servers: readonly ServerProcess[];
  readonly version: string;
}

/** One PostgreSQL with two databases, MongoDB where one is found, and a scratch folder. All goes with it. */
export async function openBench({ rows, log }: Pick<Bench, 'rows' | 'log'>): Promise<Opened> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startEmbeddedPostgres({ settings: SETTINGS }));
  const mongod = await startBenchMongod(log);
  if (mongod !== null) stack.use(mongod);
  const scratch = await mkdtemp(join(tmpdir(), 'trueup-bench-'));
  stack.defer(() => rm(scratch, { recursive: true, force: true }));
  const clients: pg.Client[] = [];
  stack.defer(() => Promise.all(clients.map((client) => client.end().catch(() => undefined))).then(() => undefined));
  const connect = async (url: string) => {
    const client = new pg.Client(url);
    await client.connect();
    clients.push(client);
    return client;
  };
  const admin = await connect(server.url);
  const url = (name: string) => server.url.replace(/\/postgres$/, `/${name}`);
  for (const name of ['source', 'target']) await admin.query(`create database ${name}`);
  const on = { source: await connect(url('source')), target: await connect(url('target')) };
  const { rows: versions } = await admin.query<{ server_version: string }>('show server_version');
  const launcher = await installed(join(scratch, 'trueup'));
  const kept = stack.move();
  return {
    rows,
    log,
    scratch,
    postgres: { source: url('source'), target: url('target') },
    mongodb: mongod?.url ?? null,
    psql: onPath('psql'),
    version: versions[0]?.server_version ?? 'unknown',
    trueup: (...args) => [process.execPath, launcher, ...args],
    servers: [{ name: 'postgres', pid: () => server.pid }, ...(mongod === null ? [] : [{ name: 'mongodb', pid: () => mongod.pid }])],
    query: async <Row>(side: 'source' | 'target', text: string) => {
      const result = await on[side].query(text);
      return (Array.isArray(result) ? [] : result.rows) as Row[];
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** trueup as it is when it was installed: in a checkout the launcher takes the sources, which load more slowly. */
async function installed(folder: string): Promise<string> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  for (const part of ['bin', 'dist', 'package.json']) await cp(join(root, part), join(folder, part), { recursive: true });
  return join(folder, 'bin/trueup.js');
}

function onPath(name: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // not here
    }
  }
  return null;
}
