import { join } from 'node:path';
import pg from 'pg';
import type { Client } from 'pg';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import type { EmbeddedPostgres } from './embedded-postgres.ts';

export interface DemoPorts {
  readonly shop: number;
  readonly archive: number;
}

/** Two servers, each with one database: `shop` and `archive`. */
export interface DemoServers {
  readonly urls: { readonly shop: string; readonly archive: string };
  readonly ports: DemoPorts;
  /** A new connection; closed with the servers if not before. */
  connect(to: 'shop' | 'archive'): Promise<Client>;
  stop(): Promise<void>;
}

/** Data goes into `shop-server/` and `archive-server/` of the folder, and is used again when it is there. */
export async function startDemoServers(folder: string, ports?: DemoPorts): Promise<DemoServers> {
  const start = (name: 'shop' | 'archive') =>
    startEmbeddedPostgres({
      dataDir: join(folder, `${name}-server`),
      settings: SETTINGS,
      ...(ports === undefined ? {} : { port: ports[name] }),
    });
  const started = await Promise.allSettled([start('shop'), start('archive')]);
  const running = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = started.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await Promise.all(running.map((server) => server.stop()));
    throw failed.reason;
  }
  const [shop, archive] = running as [EmbeddedPostgres, EmbeddedPostgres];
  return handle({ shop, archive });
}

/** The demo's data can be made again; a server that need not wait for the disk shows trueup's own speed. */
const SETTINGS = { wal_level: 'logical', fsync: 'off', synchronous_commit: 'off', max_wal_size: '2GB', checkpoint_timeout: '30min' };

function handle(servers: { readonly shop: EmbeddedPostgres; readonly archive: EmbeddedPostgres }): DemoServers {
  const clients = new Set<Client>();
  const url = (name: 'shop' | 'archive') => `postgres://postgres@127.0.0.1:${servers[name].port}/${name}`;
  const connectTo = async (address: string): Promise<Client> => {
    const client = new pg.Client({ connectionString: address, application_name: 'trueup demo' });
    client.on('error', () => {}); // A server that stops ends its connections.
    await client.connect();
    clients.add(client);
    return client;
  };
  return {
    urls: { shop: url('shop'), archive: url('archive') },
    ports: { shop: servers.shop.port, archive: servers.archive.port },
    async connect(to) {
      return connectTo(url(to));
    },
    async stop() {
      await Promise.allSettled([...clients].map((client) => client.end()));
      await Promise.all([servers.shop.stop(), servers.archive.stop()]);
    },
  };
}

/** Makes the empty databases of new servers. Returns the version of the servers: `18.4`. */
export async function createDemoDatabases(urls: DemoServers['urls']): Promise<string> {
  const versions = await Promise.all((['shop', 'archive'] as const).map((name) => createDatabase(urls[name], name)));
  return versions[0] ?? '';
}

async function createDatabase(address: string, name: 'shop' | 'archive'): Promise<string> {
  const admin = new URL(address);
  admin.pathname = '/postgres';
  const client = new pg.Client({ connectionString: admin.href });
  await client.connect();
  try {
    await client.query(`create database ${name}`);
    const { rows } = await client.query<{ version: string }>("select split_part(current_setting('server_version'), ' ', 1) as version");
    return rows[0]?.version ?? '';
  } finally {
    await client.end();
  }
}
