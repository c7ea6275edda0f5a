import { Int32 } from 'bson';
import { beforeAll, describe, expect, it } from 'vitest';
import { mongoFault } from '../../../connectors/mongodb/faults.ts';
import { options, resolveAddress } from '../../../connectors/mongodb/options.ts';
import type { Batch, Cursor } from '../../../src/sdk.ts';
import {
  createMongoDatabase,
  describeWithMongo,
  describeWithOwnMongo,
  mongoUrl,
  startOwnMongo,
  withDatabase,
} from '../../servers/mongo.ts';
import type { Mongo, TestMongo } from '../../servers/mongo.ts';
import { startTcpProxy } from '../../servers/tcp-proxy.ts';
import { cursorAfter, drainOnce, fetchRequest, NEVER, openSource, rowsOf, streamRef } from './source-kit.ts';

const REF = streamRef('things', { changes: { by: 'cursor', field: 'at' } });

async function fill(database: TestMongo, count: number): Promise<void> {
  const things = database.db.collection('things');
  await things.createIndex({ at: 1, _id: 1 });
  const text = 'x'.repeat(500);
  for (let from = 0; from < count; from += 5000)
    await things.insertMany(
      Array.from({ length: Math.min(5000, count - from) }, (_, index) => ({
        _id: new Int32(from + index) as never,
        at: new Date(from + index),
        text,
      })),
    );
}

/** Through a proxy the driver must not look for the other members, which it would reach past it. */
const direct = (url: string): string => `${url.replace(/[?].*$/, '')}?directConnection=true`;

describe('connectors: mongodb faults', () => {
  it('never shows what is secret in a url', () => {
    const bad = options.parse({ url: 'mongodb:/user:s3cret@host' });
    expect(() => resolveAddress(bad)).toThrow(/^(?!.*s3cret)/);
    const none = options.parse({ url: 'mongodb://user:s3cret@host:1,other:2' });
    expect(() => resolveAddress(none)).toThrow(/^(?!.*s3cret).*database/);
    expect(resolveAddress(options.parse({ url: 'mongodb://u:s3cret@a:1,b:2/shop?replicaSet=x' }))).toMatchObject({
      address: 'a:1,b:2/shop',
      database: 'shop',
    });
  });

  it.each([
    [{ code: 189 }, 'E_BUSY'],
    [{ code: 13 }, 'E_ACCESS'],
    [{ code: 43 }, 'E_CONNECTION_LOST'],
    [{ code: 50 }, 'E_TIMEOUT'],
    [{ code: 14031 }, 'E_RESOURCES'],
    [{ code: 987_654, hasErrorLabel: (label: string) => label === 'TransientTransactionError' }, 'E_BUSY'],
    [{ code: 987_654 }, 'E_BUG'],
    [{ name: 'MongoNetworkTimeoutError' }, 'E_CONNECTION_LOST'],
    [{ name: 'MongoServerSelectionError' }, 'E_UNREACHABLE'],
    [{ code: 'ECONNRESET', syscall: 'write', errno: -104 }, 'E_CONNECTION_LOST'],
    [{ code: 'ERR_STREAM_DESTROYED' }, 'E_CONNECTION_LOST'],
    [{ code: 'ENOENT', syscall: 'open', errno: -2 }, 'E_BUG'],
  ])('tells %o by number, label and class: %s', (of, code) => {
    expect(mongoFault(Object.assign(new Error('words'), of), { address: 'a:1/x' })).toMatchObject({ code });
  });

  it('says of a refused document what is wrong, never what is in it', () => {
    const error = Object.assign(new Error('E11000 duplicate key error: { email: "a@b.c" }'), { code: 11000, codeName: 'DuplicateKey' });
    const fault = mongoFault(error, { address: 'a:1/x' });
    expect(fault).toMatchObject({
      code: 'E_RECORD_VALUE',
      message: 'a unique index already has this value in another document (DuplicateKey 11000).',
    });
    expect(fault.cause).toBeUndefined();
  });
});

describeWithMongo('connectors: mongodb over a network that fails', { timeout: 120_000 }, () => {
  it('says within seconds that nobody is there, or that nobody answers', async () => {
    const database = await createMongoDatabase('gone');
    const proxy = await startTcpProxy(mongoUrl());
    for (const break_ of [() => proxy.refuse(), () => proxy.blackHole()]) {
      break_();
      const source = openSource(direct(proxy.url(database.url)), { connectTimeout: '1s' });
      const started = performance.now();
      await expect(source.identity(NEVER)).rejects.toMatchObject({ code: 'E_UNREACHABLE' });
      expect(performance.now() - started).toBeLessThan(8000);
      await source.close();
      proxy.pass();
    }
    await proxy.close();
  });

  it.each(['cut', 'black hole'])(
    'ends a read that is interrupted (%s) with a fault of the environment, and goes on from its last cursor',
    async (how) => {
      const database = await createMongoDatabase('cut');
      await fill(database, 20_000);
      const proxy = await startTcpProxy(mongoUrl());
      const source = openSource(direct(proxy.url(database.url)), { connectTimeout: '1s' });
      const read: Batch[] = [];
      const started = performance.now();
      const reading = async () => {
        for await (const batch of source.fetchChanges(fetchRequest(source, REF, { batchRows: 500 }))) {
          read.push(batch);
          if (read.length !== 5) continue;
          if (how === 'cut') proxy.reset();
          else proxy.blackHole();
        }
      };
      await expect(reading()).rejects.toMatchObject({ fault: 'environment' });
      expect(performance.now() - started).toBeLessThan(30_000);
      proxy.pass();
      const after: Cursor | null = cursorAfter(read);
      const rest = await Array.fromAsync(source.fetchChanges(fetchRequest(source, REF, { after })));
      const ids = rowsOf([...read, ...rest]).map((row) => Number(row['_id']));
      expect(ids).toEqual(Array.from({ length: 20_000 }, (_, index) => index));
      await source.close();
      await proxy.close();
    },
  );

  it('stops promptly in the middle of a command that takes long', async () => {
    const database = await createMongoDatabase('slow');
    await fill(database, 1000);
    const stop = new AbortController();
    const reason = new Error('enough');
    const source = openSource(database.url);
    const ref = { ...REF, where: '{"$expr": {"$function": {"body": "function() { sleep(50); return true; }", "args": [], "lang": "js"}}}' };
    setTimeout(() => stop.abort(reason), 500);
    const started = performance.now();
    await expect(Array.fromAsync(source.fetchChanges(fetchRequest(source, ref, { signal: stop.signal })))).rejects.toBe(reason);
    expect(performance.now() - started).toBeLessThan(3000);
    await source.close();
  });

  it('ends a command at the limit that the connection sets', async () => {
    const database = await createMongoDatabase('limit');
    await fill(database, 1000);
    const ref = { ...REF, where: '{"$expr": {"$function": {"body": "function() { sleep(50); return true; }", "args": [], "lang": "js"}}}' };
    await expect(drainOnce(database.url, ref, { options: { statementTimeout: '300ms' } })).rejects.toMatchObject({ code: 'E_TIMEOUT' });
  });
});

describeWithOwnMongo('connectors: mongodb with passwords', { timeout: 120_000 }, () => {
  let server: Mongo;
  let url = '';
  const as = (user: string, password: string) =>
    `${withDatabase(url, 'shop').replace('mongodb://', `mongodb://${user}:${password}@`)}&authSource=admin`;
  beforeAll(async () => {
    server = await startOwnMongo({ members: 0, args: ['--auth'] });
    ({ url } = server);
    const admin = await createMongoDatabase('admin', url);
    await admin.client.db('admin').command({ createUser: 'root', pwd: 'r', roles: ['root'] });
    const root = await createMongoDatabase('root', `${url.replace('mongodb://', 'mongodb://root:r@')}&authSource=admin`);
    await root.client
      .db('shop')
      .collection('things')
      .insertOne({ _id: 1 as never, at: new Date(1) });
    await root.client
      .db('shop')
      .collection('hidden')
      .insertOne({ _id: 1 as never });
    const privileges = [{ resource: { db: 'shop', collection: 'things' }, actions: ['find', 'collStats', 'listIndexes'] }];
    await root.client.db('admin').command({ createRole: 'things', privileges, roles: [] });
    await root.client.db('admin').command({ createUser: 'reader', pwd: 'p', roles: ['things'] });
  });

  it('refuses a wrong password at once, without showing it', async () => {
    const source = openSource(as('reader', 'wr0ng'));
    await expect(source.discover(NEVER)).rejects.toMatchObject({ code: 'E_ACCESS', message: expect.not.stringContaining('wr0ng') });
    await source.close();
  });

  it('reads with no more than the right to read one collection', async () => {
    const warnings: string[] = [];
    const source = openSource(as('reader', 'p'), {}, warnings);
    expect((await source.discover(NEVER)).map((stream) => stream.name)).toEqual(['things']);
    expect((await source.plan([REF], NEVER)).streams[0]?.problems.filter((problem) => problem.severity === 'error')).toEqual([]);
    expect(rowsOf(await Array.fromAsync(source.fetchChanges(fetchRequest(source, REF))))).toHaveLength(1);
    expect(await source.identity(NEVER)).toBe('mongodb:standalone/shop');
    expect(warnings.join()).toContain('identity');
    await source.close();
    const named = openSource(as('reader', 'p'), { identity: 'the-shop' });
    expect(await named.identity(NEVER)).toBe('mongodb:the-shop/shop');
    await named.close();
  });
});
