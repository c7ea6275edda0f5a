import { randomBytes } from 'node:crypto';
import { MongoClient } from 'mongodb';
import type { Db, MongoClientOptions } from 'mongodb';
import { afterAll, describe, inject } from 'vitest';
import type { MongoOrigin } from './find-mongo.ts';
import { startMongo } from './mongod.ts';
import type { Mongo, MongoOptions } from './mongod.ts';
import { ask } from './on-demand.ts';

export type { Mongo, MongoMember } from './mongod.ts';

export type SharedMongo =
  | { readonly origin: MongoOrigin; readonly url: string; readonly binary: string | null }
  | { readonly origin: 'none'; readonly reason: string };

/** Importing this file is asking: the run's server starts now, if no other test has asked before. */
const shared = await ask<SharedMongo>(inject('mongodb'));

/** Suites that need the server. Without one they are skipped; the reason was printed. */
export const describeWithMongo = describe.skipIf(shared.origin === 'none');

/** Suites that need servers of their own, which a url in the environment cannot give. */
export const describeWithOwnMongo = describe.skipIf(shared.origin === 'none' || shared.binary === null);

/** A fresh database of the run's server: a replica set of one. */
export interface TestMongo extends AsyncDisposable {
  readonly name: string;
  /** Names the database. */
  readonly url: string;
  /** Int64 is bigint, every other number what it is. */
  readonly db: Db;
  readonly client: MongoClient;
  drop(): Promise<void>;
}

const cleanups = new Set<() => Promise<void>>();
afterAll(async () => {
  for (const cleanup of [...cleanups].reverse()) await cleanup(); // databases before their servers
});

export function mongoUrl(): string {
  if (shared.origin === 'none') throw new Error(`This test needs MongoDB, put it into describeWithMongo(): ${shared.reason}.`);
  return shared.url;
}

/** @param tag part of the name, for whoever looks at the server in the middle of a test */
export async function createMongoDatabase(tag = 'test', server = mongoUrl(), options: MongoClientOptions = {}): Promise<TestMongo> {
  const name = `t_${tag}_${randomBytes(5).toString('hex')}`;
  const client = await new MongoClient(server, { useBigInt64: true, ...options }).connect();
  const drop = async () => {
    if (!cleanups.delete(drop)) return;
    // Dropping takes a tenth of a second and the run's own server goes with all its data; somebody else's is left as it was.
    if (shared.origin === 'url')
      await client
        .db(name)
        .dropDatabase()
        .catch(() => undefined); // a server that the test stopped
    await client.close();
  };
  cleanups.add(drop);
  return { name, url: withDatabase(server, name), db: client.db(name), client, drop, [Symbol.asyncDispose]: drop };
}

/** The url of another database of the same server. */
export function withDatabase(server: string, name: string): string {
  const [address, query] = server.split('?');
  const withoutPath = (address as string).replace(/^(mongodb(?:\+srv)?:\/\/[^/]*).*$/, '$1');
  return `${withoutPath}/${name}${query === undefined ? '' : `?${query}`}`;
}

/** Servers for one test alone, to kill, step down or cut off. Stopped after the last test of the file. */
export async function startOwnMongo(options: Omit<MongoOptions, 'binary'> = {}): Promise<Mongo> {
  if (shared.origin === 'none' || shared.binary === null)
    throw new Error('This test needs a mongod to start, put it into describeWithOwnMongo().');
  const server = await startMongo({ ...options, binary: shared.binary });
  cleanups.add(() => server.stop());
  return server;
}
