import { expect, it } from 'vitest';
import type { CheckpointStore, Lane, Owner, Row, Target, TargetStream } from '../../../src/sdk.ts';
import { createMongoDatabase, describeWithMongo, describeWithOwnMongo, startOwnMongo } from '../../servers/mongo.ts';
import type { TestMongo } from '../../servers/mongo.ts';
import { NEVER } from './source-kit.ts';
import { batch, openTarget, owner, streamOf } from './target-kit.ts';

const COMMIT = { checkpoints: [], letters: [], resolved: [] };
const ORDERS = streamOf({ id: 'int64', label: 'text', email: 'text' });

interface Scene {
  readonly database: TestMongo;
  readonly store: CheckpointStore;
  readonly owner: Owner;
  lane(stream?: TargetStream): Promise<Lane>;
  ids(): Promise<unknown[]>;
}

async function withLanes(work: (scene: Scene) => Promise<void>): Promise<void> {
  await using database = await createMongoDatabase('atomic');
  const target: Target = openTarget(database.url);
  const store = target.checkpoints as CheckpointStore;
  const lanes: Lane[] = [];
  const { process } = owner('x', 1);
  try {
    const held = await store.acquire({ job: 'suite', run: 'run-1', process, ttlMs: 60_000, isAlive: () => false }, NEVER);
    await work({
      database,
      store,
      owner: held,
      lane: async (stream = ORDERS) => {
        await target.apply(await target.plan([stream], NEVER), NEVER);
        const lane = await target.openLane({ owner: held, streams: [stream], checkpoints: true }, NEVER);
        lanes.push(lane);
        return lane;
      },
      ids: async () => (await database.db.collection('orders').find().sort({ _id: 1 }).toArray()).map(({ _id }) => _id as unknown),
    });
  } finally {
    await Promise.all(lanes.map((lane) => lane.close()));
    await target.close();
  }
}

const row = (id: number, email: string | null = `${id}@example`, label = 'a'): Row => [BigInt(id), label, email];

/** Ends the transactions of this database's lanes, as the server does with those that are open for too long. Others use the same server. */
async function killLanes({ client, db }: TestMongo): Promise<void> {
  const lanes = await db.collection('trueup.lanes').find().toArray();
  await client.db('admin').command({ killSessions: lanes.map(({ _id }) => ({ id: _id })) });
}

describeWithMongo('documents and checkpoint in one transaction of MongoDB', () => {
  it('arrive without those that a validator, a unique index or 16 MiB refuse, which are told one by one, in any batch of a commit', () =>
    withLanes(async ({ database, lane: open, ids }) => {
      await database.db.createCollection('orders', { validator: { label: { $ne: 'forbidden' } } });
      await database.db.collection('orders').createIndex({ email: 1 }, { unique: true });
      const lane = await open();
      expect(await lane.bulkUpsert(batch(ORDERS, [row(1), row(2)]), NEVER)).toEqual([]);
      const rows = [
        row(3),
        row(4, 'x', 'forbidden'),
        row(5, 'y', 'x'.repeat(16 * 1024 * 1024)),
        row(6, '1@example'),
        row(2, '7@example'),
        row(8),
      ];
      const faults = await lane.bulkUpsert(batch(ORDERS, rows), NEVER);
      expect(faults.map(({ index, code }) => [index, code])).toEqual([
        [1, 'E_RECORD_VALUE'],
        [2, 'E_RECORD_TOO_LARGE'],
        [3, 'E_RECORD_VALUE'],
      ]);
      expect(JSON.stringify(faults)).not.toContain('example');
      expect(await lane.bulkUpsert(batch(ORDERS, [row(9)]), NEVER)).toEqual([]);
      expect(await ids()).toEqual([]);
      const { streams } = await lane.commit(COMMIT, NEVER);
      expect(streams['orders']).toEqual({ upserted: 6, unchanged: 0, deleted: 0, absent: 0, superseded: 0 });
      expect(await ids()).toEqual([1n, 2n, 3n, 8n, 9n]);
    }));

  it('are committed though the lease is renewed, checkpoints are saved and another lane commits meanwhile', () =>
    withLanes(async ({ store, owner: held, lane: open, ids }) => {
      const [one, other] = [await open(), await open()];
      await one.bulkUpsert(batch(ORDERS, [row(1)]), NEVER);
      await store.renew(held, NEVER);
      await store.save(held, { checkpoints: [] }, NEVER);
      await other.bulkUpsert(batch(ORDERS, [row(2)]), NEVER);
      await other.commit(COMMIT, NEVER);
      await store.renew(held, NEVER);
      await one.commit(COMMIT, NEVER);
      expect(await ids()).toEqual([1n, 2n]);
    }));

  it('that another writer changes at the same time are read again: the environment is at fault, and the lane can be used on', () =>
    withLanes(async ({ database, lane: open, ids }) => {
      const lane = await open();
      await lane.bulkUpsert(batch(ORDERS, [row(1)]), NEVER);
      await lane.commit(COMMIT, NEVER);
      await lane.bulkUpsert(batch(ORDERS, [row(2)]), NEVER);
      await database.db.collection('orders').updateOne({ _id: 1n as never }, { $set: { label: 'theirs' } });
      await expect(lane.bulkUpsert(batch(ORDERS, [row(1, 'mine')]), NEVER)).rejects.toMatchObject({ code: 'E_BUSY' });
      expect(await ids()).toEqual([1n]);
      await lane.discard();
      await lane.bulkUpsert(batch(ORDERS, [row(1, 'mine'), row(2)]), NEVER);
      await lane.commit(COMMIT, NEVER);
      expect(await ids()).toEqual([1n, 2n]);
    }));

  it('are written again where the transaction ran out before its commit', () =>
    withLanes(async ({ database, lane: open, ids }) => {
      const lane = await open();
      await lane.bulkUpsert(batch(ORDERS, [row(1), row(2)]), NEVER);
      await killLanes(database);
      expect(await lane.bulkUpsert(batch(ORDERS, [row(3)]), NEVER)).toEqual([]);
      await killLanes(database);
      const { streams } = await lane.commit(COMMIT, NEVER);
      expect(streams['orders']).toMatchObject({ upserted: 3 });
      expect(await ids()).toEqual([1n, 2n, 3n]);
    }));

  it('are committed in parts where a commit grows beyond what a transaction should hold, and counted once', () =>
    withLanes(async ({ lane: open, ids }) => {
      const lane = await open();
      for (let part = 0; part < 6; part += 1) {
        const big = batch(ORDERS, [row(part, `${part}`, 'x'.repeat(1_000_000))]);
        await lane.bulkUpsert({ ...big, records: { ...big.records, bytes: 10_000_000 } }, NEVER);
      }
      const early = (await ids()).length;
      expect(early).toBeGreaterThan(0);
      expect(early).toBeLessThan(6);
      expect((await lane.commit(COMMIT, NEVER)).streams['orders']).toMatchObject({ upserted: 6 });
      expect(await ids()).toHaveLength(6);
    }));
});

describeWithOwnMongo('a standalone server of MongoDB', () => {
  it('has no checkpoints beside or among the documents, and the plan says what to do', { timeout: 60_000 }, async () => {
    const server = await startOwnMongo({ members: 0 });
    const database = await createMongoDatabase('alone', server.url);
    const target = openTarget(database.url);
    const { checkpointProblems } = await target.plan([ORDERS], NEVER);
    expect(checkpointProblems).toMatchObject([
      { severity: 'error', code: 'E_STATE', message: expect.stringContaining('checkpoints: state') as string },
    ]);
    // Rows alone are written as everywhere.
    await target.apply(await target.plan([ORDERS], NEVER), NEVER);
    const lane = await target.openLane({ owner: owner('run-1', 1), streams: [ORDERS], checkpoints: false }, NEVER);
    expect(await lane.bulkUpsert(batch(ORDERS, [row(1)]), NEVER)).toEqual([]);
    await lane.close();
    await target.close();
  });
});
