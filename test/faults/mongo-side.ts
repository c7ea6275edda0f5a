import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import type { Db } from 'mongodb';
import type { Json } from '../../src/sdk.ts';
import type { Need, Side } from '../../src/testing/faults/pair.ts';
import { startTcpProxy } from '../../src/testing/faults/tcp-proxy.ts';
import { startMongo } from '../servers/mongod.ts';
import type { Mongo } from '../servers/mongod.ts';
import { uniqueName } from '../servers/postgres-admin.ts';

/** A server that pairs share, and the program to start others of their own; `null`: none can be started. */
export interface MongoServer {
  readonly url: string;
  readonly binary: string | null;
}

/** One database, and a way to it that trueup does not take. */
export interface MongoSide {
  readonly side: Side;
  readonly client: MongoClient;
  readonly db: Db;
  close(): Promise<void>;
}

const UP_MS = 30_000;

export async function openMongoSide(
  shared: MongoServer,
  role: 'source' | 'target',
  needs: readonly Need[],
  options: Readonly<Record<string, Json>> = {},
): Promise<MongoSide> {
  const has = (what: string): boolean => needs.includes(`${what}-${role}` as Need);
  const own = has('server') || has('standby') ? await ownServer(shared, has('standby') ? 3 : 1) : null;
  const server = own?.url ?? shared.url;
  const proxy = has('proxy') ? await startTcpProxy(withoutPath(server)) : null;
  const name = uniqueName(role);
  const client = await new MongoClient(server, { useBigInt64: true, serverSelectionTimeoutMS: UP_MS }).connect();
  const address = new URL(withoutPath(server));
  address.pathname = `/${name}`;
  // Behind a proxy the set must not lead past it.
  const url = proxy === null ? fullUrl(server, name) : `${proxy.url(address.href)}?directConnection=true`;
  return {
    side: {
      connector: 'mongodb',
      options: { url, connectTimeout: '2s', ...options },
      ...(proxy === null ? {} : { proxy }),
      ...(own === null ? {} : { server: faultyServer(own, client), failOver: () => failOver(own, client) }),
    },
    client,
    db: client.db(name),
    async close() {
      if (own === null) await client.db(name).dropDatabase();
      await client.close();
      await proxy?.close();
      await own?.stop();
    },
  };
}

function ownServer({ binary }: MongoServer, members: number): Promise<Mongo> {
  if (binary === null) throw new Error('No mongod can be started here.');
  return startMongo({ binary, members });
}

/** The first member, alone. */
function withoutPath(url: string): string {
  return `mongodb://${/^mongodb:\/\/([^/,?]+)/.exec(url)?.[1] ?? ''}`;
}

function fullUrl(url: string, name: string): string {
  const [address, query] = url.split('?');
  return `${(address as string).replace(/\/*$/, '')}/${name}${query === undefined ? '' : `?${query}`}`;
}

function faultyServer(own: Mongo, client: MongoClient) {
  return {
    stop: async () => void (await Promise.all(own.members.map((member) => member.halt('SIGKILL')))),
    async start() {
      for (const member of own.members) await member.start();
      await untilPrimary(client);
    },
  };
}

/** The primary is gone for good. */
async function failOver(own: Mongo, client: MongoClient): Promise<void> {
  const { primary } = (await client.db('admin').command({ hello: 1 })) as { readonly primary?: string };
  await own.members.find(({ port }) => primary?.endsWith(`:${port}`) === true)?.halt('SIGKILL');
  await untilPrimary(client);
}

async function untilPrimary(client: MongoClient): Promise<void> {
  for (const until = performance.now() + UP_MS; ;) {
    try {
      const hello = await client.db('admin').command({ hello: 1 });
      if (hello['isWritablePrimary'] === true) return;
    } catch (error) {
      if (performance.now() > until) throw error;
    }
    await sleep(100);
  }
}
