import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Int32 } from 'bson';
import type { Document } from 'mongodb';
import { describe, expect, it, onTestFinished } from 'vitest';
import { oneHostUrl } from '../../../connectors/mongodb/log/one-host.ts';
import { OP } from '../../../src/sdk.ts';
import type { Batch, Cursor, FetchRequest, Source, StreamRef } from '../../../src/sdk.ts';
import { createMongoDatabase, describeWithMongo, describeWithOwnMongo, startOwnMongo, withDatabase } from '../../servers/mongo.ts';
import type { TestMongo } from '../../servers/mongo.ts';
import { logRef } from './log-kit.ts';
import { NEVER, cursorAfter, fetchRequest, openSource, rowsOf } from './source-kit.ts';
import type { More } from './source-kit.ts';

const id = (value: unknown) => value as never;

function source(mongo: TestMongo, more: More = {}): Source {
  const opened = openSource(mongo.url, more);
  onTestFinished(() => opened.close());
  return opened;
}

async function drain(from: Source, refs: readonly StreamRef[], more: Partial<FetchRequest> = {}): Promise<Batch[]> {
  const [ref] = refs as [StreamRef];
  const [feed] = from.feeds(refs);
  return Array.fromAsync(from.fetchChanges(fetchRequest(from, ref, { streams: refs, ...(feed === undefined ? {} : { feed }), ...more })));
}

/** A cursor that all that is written from now on comes after. */
async function startOf(from: Source, refs: readonly StreamRef[]): Promise<Cursor> {
  const [feed] = from.feeds(refs);
  return JSON.parse(JSON.stringify(await from.startCursor(feed as never, refs, NEVER))) as Cursor;
}

/** `stream op id` of every record. */
function changes(batches: readonly Batch[]): string[] {
  return batches.flatMap(({ stream, ops, records, shape }) =>
    records.rows().map((row, at) => {
      const op = Object.entries(OP).find(([, code]) => code === (ops?.[at] ?? OP.upsert))?.[0];
      return `${stream} ${op} ${JSON.stringify(row[shape.key[0] as number])}`;
    }),
  );
}

async function things(mongo: TestMongo, options: Document = {}) {
  return mongo.db.createCollection('things', options);
}

describeWithMongo('connectors: the log of mongodb', () => {
  it('tells how long the oplog reaches back beyond a position, and of one that it no longer reaches', async () => {
    const mongo = await createMongoDatabase('log');
    await mongo.db.collection('a').insertOne({ _id: id(0) });
    const from = source(mongo);
    const refs = [logRef('a')];
    const [feed] = from.feeds(refs);
    const now = await from.logState?.(feed as never, await startOf(from, refs), NEVER);
    expect(now?.windowMs).toBeGreaterThanOrEqual(0);
    const lost = { ...((await startOf(from, refs)) as object), time: '1000000000:1', token: null } as never;
    const gone = await from.logState?.(feed as never, lost, NEVER);
    expect(gone).toMatchObject({ windowMs: 0 });
  });

  it('offers no place to stop inside of a transaction, and one after each', async () => {
    const mongo = await createMongoDatabase('log');
    const [a, b] = [mongo.db.collection('a'), mongo.db.collection('b')];
    await a.insertOne({ _id: id(0) });
    await b.insertOne({ _id: id(0) });
    const from = source(mongo);
    const refs = [logRef('a'), logRef('b')];
    const after = await startOf(from, refs);
    for (const round of [1, 2])
      await mongo.client.withSession((session) =>
        session.withTransaction(async () => {
          for (let at = 0; at < 5; at++) await a.insertOne({ _id: id(round * 100 + at) }, { session });
          for (let at = 0; at < 2; at++) await b.insertOne({ _id: id(round * 100 + at) }, { session });
        }),
      );
    for (const batchRows of [1, 2, 3, 4, 100]) {
      const batches = await drain(from, refs, { after, batchRows });
      const before = new Map<string, number>();
      const seen: number[] = [];
      for (const { cursor, stream, records } of batches) {
        if (stream !== null) before.set(stream, (before.get(stream) ?? 0) + records.count);
        if (cursor !== null) seen.push((before.get('a') ?? 0) * 10 + (before.get('b') ?? 0));
      }
      const places = [...new Set(seen)].filter((place) => place > 0);
      // Between two transactions there may be no place: where one batch holds parts of both.
      expect(batchRows === 1 ? [[52, 104]] : [[52, 104], [104]]).toContainEqual(places);
    }
  });

  it('goes on from a place in one collection when several are read, and the other way round', async () => {
    const mongo = await createMongoDatabase('log');
    const [a, b] = [mongo.db.collection('a'), mongo.db.collection('b')];
    await a.insertOne({ _id: id(0) });
    await b.insertOne({ _id: id(0) });
    const from = source(mongo);
    const both = [logRef('a'), logRef('b')];
    let after = await startOf(from, both);
    await a.insertOne({ _id: id(1) });
    await b.insertOne({ _id: id(1) });
    after = cursorAfter((await drain(from, both, { after })).slice(0, -1), after) as Cursor;
    await b.insertOne({ _id: id(2) });
    await a.insertOne({ _id: id(2) });
    const one = await drain(from, [logRef('a')], { after });
    expect(changes(one)).toContain('a upsert 2');
    await b.insertOne({ _id: id(3) });
    expect(changes(await drain(from, both, { after: cursorAfter(one) }))).toContain('b upsert 3');
  });

  it('delivers each update as it left the document where images are kept and asked for, else the document as it is', async () => {
    const mongo = await createMongoDatabase('log');
    const kept = await things(mongo, { changeStreamPreAndPostImages: { enabled: true } });
    await kept.insertOne({ _id: id(1), v: 0 });
    const from = source(mongo, { postImages: true });
    const after = await startOf(from, [logRef('things')]);
    for (const v of [1, 2, 3]) await kept.updateOne({ _id: id(1) }, { $set: { v } });
    const exact = await drain(from, [logRef('things')], { after });
    expect(rowsOf(exact).map(({ v }) => v)).toEqual([1, 2, 3]);
    const looked = await drain(source(mongo), [logRef('things')], { after });
    expect(changes(looked)).toEqual(['things touch 1', 'things touch 1', 'things touch 1']);
    await mongo.db.command({ collMod: 'things', changeStreamPreAndPostImages: { enabled: false } });
    await kept.updateOne({ _id: id(1) }, { $set: { v: 4 } });
    expect(changes(await drain(from, [logRef('things')], { after: cursorAfter(exact) }))).toEqual(['things touch 1']);
    const plan = await from.plan([logRef('things')], NEVER);
    expect(plan.streams[0]?.problems).toMatchObject([
      { severity: 'warning', code: 'E_CHANGES_LIMITED', statements: [expect.stringContaining('collMod')] },
    ]);
  });

  it('tells what a document was joined by before, where images are kept', async () => {
    const mongo = await createMongoDatabase('log');
    const kept = await things(mongo, { changeStreamPreAndPostImages: { enabled: true } });
    await kept.insertOne({ _id: id(1), parent: { id: 7 }, big: 'x'.repeat(100) });
    const from = source(mongo);
    const ref = logRef('things', { lookups: [['parent.id']] });
    const after = await startOf(from, [ref]);
    await kept.updateOne({ _id: id(1) }, { $set: { 'parent.id': 8 } });
    await kept.deleteOne({ _id: id(1) });
    const batches = await drain(from, [ref], { after });
    expect(changes(batches)).toEqual(['things touch 1', 'things touch 1', 'things delete 1']);
    expect(rowsOf(batches).map((row) => [row['parent.id'], row['big']])).toEqual([
      [7, undefined],
      [undefined, undefined],
      [8, undefined],
    ]);
  });

  it('carries documents of 16 MiB, and looks up what does not fit into an event with all that is asked of it', async () => {
    const mongo = await createMongoDatabase('log');
    const kept = await things(mongo, { changeStreamPreAndPostImages: { enabled: true } });
    await kept.insertOne({ _id: id(0), big: '', v: 0 });
    const from = source(mongo, { postImages: true });
    const huge = logRef('things', { maxRecordBytes: 20_000_000 });
    const joined = { ...huge, lookups: [['big']] };
    const after = await startOf(from, [huge]);
    const big = 'x'.repeat(16 * 1024 * 1024 - 100);
    await kept.insertOne({ _id: id(1), big, v: 1 });
    await kept.updateOne({ _id: id(1) }, { $set: { big: `y${big.slice(1)}` } });
    await kept.updateOne({ _id: id(1) }, { $set: { v: 2 } });
    await kept.insertOne({ _id: id(2), big: '', v: 3 });
    expect(changes(await drain(from, [huge], { after }))).toEqual([1, 1, 1, 2].map((key) => `things upsert ${key}`));
    const looked = changes(await drain(from, [joined], { after }));
    expect([...new Set(looked)]).toEqual(['things touch 1', 'things touch 2']);
  });

  it('stands by the time where the id of a document makes the token too large to keep', async () => {
    const mongo = await createMongoDatabase('log');
    const all = await things(mongo);
    await all.insertOne({ _id: id('a') });
    const from = source(mongo);
    const after = await startOf(from, [logRef('things')]);
    await all.insertOne({ _id: id('b'.repeat(60_000)) });
    const batches = await drain(from, [logRef('things')], { after });
    for (const { cursor } of batches) expect(JSON.stringify(cursor).length).toBeLessThan(64 * 1024);
    await all.insertOne({ _id: id('c') });
    expect(changes(await drain(from, [logRef('things')], { after: cursorAfter(batches) }))).toContain('things upsert "c"');
  });

  it('moves the position of an idle stream on, so that it does not fall behind the oplog', async () => {
    const mongo = await createMongoDatabase('log');
    await (await things(mongo)).insertOne({ _id: id(1) });
    const from = source(mongo);
    const after = await startOf(from, [logRef('things')]);
    const stop = new AbortController();
    const [feed] = from.feeds([logRef('things')]);
    const request = fetchRequest(from, logRef('things'), { feed: feed as never, after, until: 'follow', signal: stop.signal });
    const times: string[] = [];
    const others = setInterval(() => void mongo.db.collection('others').insertOne({}), 100);
    try {
      for await (const { stream, cursor } of from.fetchChanges(request)) {
        expect(stream).toBeNull();
        times.push((cursor as { time: string }).time);
        if (times.length === 3) break;
      }
    } finally {
      clearInterval(others);
      stop.abort();
    }
    expect(new Set(times).size).toBe(3);
    expect([...times].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))).toEqual(times);
  });

  it('refuses a position that lies beyond the clock of the set: it was restored to an earlier state', async () => {
    const mongo = await createMongoDatabase('log');
    await (await things(mongo)).insertOne({ _id: id(1) });
    const from = source(mongo);
    const after = (await startOf(from, [logRef('things')])) as { time: string };
    const later = { ...after, time: `${Number(after.time.split(':')[0]) + 3600}:1` };
    await expect(drain(from, [logRef('things')], { after: later })).rejects.toMatchObject({ code: 'E_POSITION_LOST' });
  });

  it('asks for _id as the key, and for a collection', async () => {
    const mongo = await createMongoDatabase('log');
    await (await things(mongo)).insertOne({ _id: id(1), code: 'a' });
    await mongo.db.createCollection('seen', { viewOn: 'things', pipeline: [] });
    const { streams } = await source(mongo).plan([logRef('things', { key: ['code'] }), logRef('seen')], NEVER);
    expect(streams.map(({ problems }) => problems.filter(({ severity }) => severity === 'error').map(({ code }) => code))).toEqual([
      ['E_STREAM_KEY'],
      ['E_CHANGES_UNSUPPORTED'],
    ]);
  });

  it('widens a field in the middle of the log, and tells of values by the type that they have', async () => {
    const mongo = await createMongoDatabase('log');
    const all = await things(mongo);
    await all.insertOne({ _id: id(new Int32(1)), v: new Int32(1) });
    const from = source(mongo);
    const after = await startOf(from, [logRef('things')]);
    await all.insertOne({ _id: id(new Int32(2)), v: new Int32(2) });
    await all.insertOne({ _id: id('three'), v: 'three' });
    await all.deleteOne({ _id: id('three') });
    await all.deleteOne({ _id: id(new Int32(1)) });
    const batches = await drain(from, [logRef('things')], { after });
    const [{ shape } = { shape: { fields: [] } }] = batches;
    expect(shape.fields.slice(0, 2).map(({ type }) => type)).toEqual(['variant', 'variant']);
    expect(rowsOf(batches).map(({ _id }) => (_id as unknown as { value: unknown }).value)).toEqual([2, 'three', 'three', 1]);
  });
});

describeWithOwnMongo('connectors: the log of mongodb on servers of its own', { timeout: 120_000 }, () => {
  it('is not offered by a single server, and the plan says what to do', async () => {
    const { url } = await startOwnMongo({ members: 0 });
    const mongo = await createMongoDatabase('single', url);
    await (await things(mongo)).insertOne({ _id: id(1) });
    const from = source(mongo);
    const [info] = await from.discover(NEVER);
    expect(info?.changes.map(({ by }) => by)).not.toContain('log');
    expect(info?.afterSetup).toEqual(['log']);
    const { streams } = await from.plan([logRef('things')], NEVER);
    expect(streams[0]?.problems).toMatchObject([{ code: 'E_CHANGES_UNSUPPORTED', message: expect.stringContaining('--replSet') }]);
  });

  it('tells that a position is lost once the oplog has gone past it, and what follows is known again', async () => {
    // The oplog is cut after a checkpoint, of which there is one a minute otherwise.
    const { url } = await startOwnMongo({ args: ['--syncdelay', '1'] });
    const mongo = await createMongoDatabase('lost', url);
    await (await things(mongo)).insertOne({ _id: id(1) });
    const from = source(mongo);
    const ref = logRef('things');
    const start = await startOf(from, [ref]);
    await mongo.db.collection('things').insertOne({ _id: id(2) });
    const token = cursorAfter(await drain(from, [ref], { after: start })) as Cursor;
    // The oplog holds 64 MB.
    const big = { big: 'x'.repeat(15_000_000) };
    const isLost = async (after: Cursor) =>
      drain(from, [ref], { after }).then(
        () => null,
        (error: unknown) => error,
      );
    await expect
      .poll(
        async () => {
          for (let at = 0; at < 4; at++) await mongo.db.collection('noise').replaceOne({ _id: id(0) }, big, { upsert: true });
          return isLost(token);
        },
        { timeout: 100_000, interval: 500 },
      )
      .toMatchObject({ code: 'E_POSITION_LOST', message: expect.stringContaining('oplog') });
    expect(await isLost(start)).toMatchObject({ code: 'E_POSITION_LOST' });
    expect(await isLost(await startOf(from, [ref]))).toBeNull();
    await expect(Array.fromAsync(from.changedSince?.(ref, Date.now() - 86_400_000, NEVER) ?? [])).rejects.toMatchObject({
      code: 'E_COMPARE_UNSUPPORTED',
    });
  });
});

describeWithOwnMongo('connectors: the log of mongodb with passwords', { timeout: 120_000 }, () => {
  it('needs find and changeStream on what is read, and says which right is missing', async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'trueup-key-'));
    onTestFinished(() => rm(scratch, { recursive: true, force: true }));
    const keyFile = join(scratch, 'key');
    await writeFile(keyFile, 'c2VjcmV0c2VjcmV0', { mode: 0o600 });
    const { url } = await startOwnMongo({ args: ['--keyFile', keyFile] });
    const as = (user: string) => `${withDatabase(url, 'shop').replace('mongodb://', `mongodb://${user}:p@`)}&authSource=admin`;
    const first = await createMongoDatabase('admin', url);
    await first.client.db('admin').command({ createUser: 'root', pwd: 'p', roles: ['root'] });
    const root = await createMongoDatabase('root', as('root'));
    const shop = root.client.db('shop');
    await shop.collection('things').insertOne({ _id: id(1) });
    const resource = { db: 'shop', collection: 'things' };
    for (const [name, actions] of [
      ['finder', ['find', 'collStats', 'listIndexes']],
      ['watcher', ['find', 'collStats', 'listIndexes', 'changeStream']],
    ] as const) {
      await root.client.db('admin').command({ createRole: name, privileges: [{ resource, actions }], roles: [] });
      await root.client.db('admin').command({ createUser: name, pwd: 'p', roles: [name] });
    }
    const opened = (user: string): Source => {
      const from = openSource(as(user), { identity: 'shop' });
      onTestFinished(() => from.close());
      return from;
    };
    const { streams } = await opened('finder').plan([logRef('things')], NEVER);
    expect(streams[0]?.problems.filter(({ severity }) => severity === 'error')).toMatchObject([
      {
        code: 'E_CHANGES_UNSUPPORTED',
        message: expect.stringContaining('changeStream'),
        statements: [expect.stringContaining('grantRolesToUser'), expect.anything()],
      },
    ]);
    const watcher = opened('watcher');
    expect((await watcher.plan([logRef('things')], NEVER)).streams[0]?.problems.filter(({ severity }) => severity === 'error')).toEqual([]);
    const after = await startOf(watcher, [logRef('things')]);
    await shop.collection('things').deleteOne({ _id: id(1) });
    expect(changes(await drain(watcher, [logRef('things')], { after }))).toEqual(['things delete 1']);
  });
});

describe('connectors: a router of a cluster', () => {
  it.each([
    ['mongodb://u:p%40@a:1,b:2,c:3/shop?tls=true', 'mongodb://u:p%40@b:2/shop?tls=true'],
    ['mongodb://a:1/?x=1', 'mongodb://a:1/?x=1'],
    ['mongodb+srv://u:p@cluster.example/shop?retryWrites=true', 'mongodb+srv://u:p@cluster.example/shop?retryWrites=true&srvMaxHosts=1'],
    ['mongodb+srv://cluster.example', 'mongodb+srv://cluster.example/?srvMaxHosts=1'],
  ])('is one host of %s', (url, one) => {
    expect(oneHostUrl(url, 0.5)).toBe(one);
  });
});

describe('connectors: the position in the log of mongodb', () => {
  it('is refused when another connector or another feed wrote it', async () => {
    const from = openSource('mongodb://127.0.0.1:1/x');
    for (const after of [
      { kind: 'changes', head: null, since: null, pass: null },
      { kind: 'log', time: 'now', token: null, scope: null },
      7,
    ])
      await expect(drain(from, [logRef('things')], { after: after as Cursor })).rejects.toMatchObject({ code: 'E_POSITION_LOST' });
    await from.close();
  });
});
