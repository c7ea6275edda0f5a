import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, describe, inject } from 'vitest';
import type { EmbeddedPostgres, EmbeddedPostgresOptions } from '../../src/demo/embedded-postgres.ts';
import { launchOwnPostgres } from './own-postgres.ts';
import { dropDatabase, uniqueName, withClient, withDatabase } from './postgres-admin.ts';

/** A fresh database of the run's server. */
export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  /** As the superuser. */
  readonly url: string;
  /** On one connection that is kept: a transaction may span calls, session settings stay. */
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** A further connection, closed with the database. */
  connect(config?: pg.ClientConfig): Promise<pg.Client>;
  /** Also done after the last test of the file. Harmless when repeated. */
  drop(): Promise<void>;
}

export interface TestRole {
  readonly name: string;
  readonly password: string;
  /** The same database as that url, entered as this role. */
  url(databaseUrl: string): string;
}

const shared = inject('postgres');

/** Suites that need the server. Without one they are skipped; the reason was printed at the start of the run. */
export const describeWithPostgres = describe.skipIf(shared.origin === 'none');

/** In this order: a role that owns something in a database cannot be dropped before it. */
const cleanups = {
  databases: new Set<() => Promise<void>>(),
  roles: new Set<() => Promise<void>>(),
  servers: new Set<() => Promise<void>>(),
};
afterAll(async () => {
  for (const kind of [cleanups.databases, cleanups.roles, cleanups.servers]) {
    for (const cleanup of kind) await cleanup();
  }
});

/** The superuser's url of the run's server. Prefer a database of your own. */
export function serverUrl(): string {
  if (shared.origin === 'none') throw new Error(`This test needs PostgreSQL, put it into describeWithPostgres(): ${shared.reason}.`);
  return shared.url;
}

/** @param tag part of the name, for whoever looks at the server in the middle of a test */
export async function createDatabase(tag = 'test'): Promise<TestDatabase> {
  const name = uniqueName(tag);
  await withClient(serverUrl(), (admin) => admin.query(`create database ${name}`));
  const url = withDatabase(serverUrl(), name);
  const clients: pg.Client[] = [];
  let main: Promise<pg.Client> | null = null;
  const connect = async (config: pg.ClientConfig = {}) => {
    const client = new pg.Client({ connectionString: url, ...config });
    client.on('error', () => {}); // Tests terminate backends on purpose; the next query reports it.
    await client.connect();
    clients.push(client);
    return client;
  };
  const drop = async () => {
    if (!cleanups.databases.delete(drop)) return;
    await Promise.all(clients.splice(0).map((client) => client.end().catch(() => {})));
    await dropDatabase(serverUrl(), name);
  };
  cleanups.databases.add(drop);
  return {
    name,
    url,
    connect,
    drop,
    [Symbol.asyncDispose]: drop,
    async query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) {
      main ??= connect();
      // Without values the text goes as a simple query, which may hold several statements.
      const result = await (await main).query<Row>(text, values.length === 0 ? undefined : [...values]);
      return result.rows;
    },
  };
}

/**
 * A login role with a password that is checked, and no privilege of its own. Dropped after the last test of the file.
 * @param attributes of `create role`, such as `replication`
 */
export async function createRole(tag = 'role', attributes = ''): Promise<TestRole> {
  const name = uniqueName(tag);
  const password = randomBytes(12).toString('hex');
  await withClient(serverUrl(), (admin) => admin.query(`create role ${name} login password '${password}' ${attributes}`));
  cleanups.roles.add(() => withClient(serverUrl(), async (admin) => void (await admin.query(`drop role ${name}`))));
  return {
    name,
    password,
    url(databaseUrl) {
      const url = new URL(databaseUrl);
      url.username = name;
      url.password = password;
      return url.href;
    },
  };
}

/** A server for one test alone, to kill, stop or fill. Stopped after the last test of the file. Needs binaries: a url in the environment is not enough. */
export async function startOwnPostgres(options: EmbeddedPostgresOptions = {}): Promise<EmbeddedPostgres> {
  const server = await launchOwnPostgres(options);
  cleanups.servers.add(() => server.stop());
  return server;
}
