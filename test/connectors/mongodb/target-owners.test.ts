import { expect, it } from 'vitest';
import { options } from '../../../connectors/mongodb/options.ts';
import { openMongoTarget } from '../../../connectors/mongodb/target.ts';
import type { CheckpointStore, Lane, Owner, Target, TargetStream } from '../../../src/sdk.ts';
import { createMongoDatabase, describeWithMongo } from '../../servers/mongo.ts';
import type { TestMongo } from '../../servers/mongo.ts';
import { startTcpProxy } from '../../servers/tcp-proxy.ts';
import { NEVER, testContext } from './source-kit.ts';
import { batch, besideDocuments, openTarget, owner, streamOf } from './target-kit.ts';

const COMMIT = { checkpoints: [], letters: [], resolved: [] };

interface Scene {
  readonly target: Target;
  readonly database: TestMongo;
  take(run: string): Promise<Owner>;
  open(owner: Owner, stream: TargetStream): Promise<Lane>;
  held(): Promise<unknown[]>;
}

async function withScene(as: (target: Target) => Target, work: (scene: Scene) => Promise<void>): Promise<void> {
  await using database = await createMongoDatabase('owners');
  const target = as(openTarget(database.url));
  const { process } = owner('x', 1);
  const store = target.checkpoints as CheckpointStore;
  try {
    await work({
      target,
      database,
      take: (run) => store.acquire({ job: 'suite', run, process, ttlMs: 60_000, isAlive: () => false }, NEVER),
      open: async (one, stream) => {
        await target.apply(await target.plan([stream], NEVER), NEVER);
        return target.openLane({ owner: one, streams: [stream], checkpoints: true }, NEVER);
      },
      held: () =>
        database.db
          .collection('orders')
          .find({}, { projection: { id: 0 } })
          .sort({ _id: 1 })
          .toArray(),
    });
  } finally {
    await target.close();
  }
}

const VERSIONS = streamOf({ id: 'int64', version: 'int64' });

describeWithMongo('a stale owner of MongoDB as a target', () => {
  for (const guarded of [false, true])
    it(
      guarded
        ? 'overwrites nothing that is newer by the guard'
        : 'may leave an old row where there is neither a guard nor a transaction, and never moves the checkpoint',
      () =>
        withScene(besideDocuments, async ({ take, open, held }) => {
          const one = { ...VERSIONS, ...(guarded ? { guard: 'version' } : {}) };
          const old = await open(await take('run-1'), one);
          const lane = await open(await take('run-2'), one);
          await lane.bulkUpsert(batch(one, [[1n, 5n]]), NEVER);
          await lane.commit(COMMIT, NEVER);
          await old.bulkUpsert(batch(one, [[1n, 4n]]), NEVER);
          await expect(old.commit(COMMIT, NEVER)).rejects.toMatchObject({ code: 'E_FENCED' });
          expect(await held()).toEqual([{ _id: 1n, version: guarded ? 5n : 4n }]);
          await Promise.all([old.close(), lane.close()]);
        }),
    );

  it('writes nothing at all in a transaction, whether it wrote before the take-over or after it, and holds nobody up', () =>
    withScene(
      (target) => target,
      async ({ take, open, held }) => {
        const stale = await take('run-1');
        const [before, after] = [await open(stale, VERSIONS), await open(stale, VERSIONS)];
        await before.bulkUpsert(
          batch(VERSIONS, [
            [1n, 4n],
            [2n, 4n],
          ]),
          NEVER,
        );
        const started = performance.now();
        const next = await take('run-2');
        const lane = await open(next, VERSIONS);
        // The same documents, which the transaction of the old owner had: it was ended, it would have been open for a minute.
        await lane.bulkUpsert(batch(VERSIONS, [[1n, 5n]]), NEVER);
        await lane.commit(COMMIT, NEVER);
        expect(performance.now() - started).toBeLessThan(30_000);
        await expect(before.commit(COMMIT, NEVER)).rejects.toMatchObject({ code: 'E_FENCED' });
        await after.bulkUpsert(
          batch(VERSIONS, [
            [1n, 4n],
            [3n, 4n],
          ]),
          NEVER,
        );
        await expect(after.commit(COMMIT, NEVER)).rejects.toMatchObject({ code: 'E_FENCED' });
        await expect(open(stale, VERSIONS)).rejects.toMatchObject({ code: 'E_FENCED' });
        expect(await held()).toEqual([{ _id: 1n, version: 5n }]);
        await Promise.all([before, after, lane].map((one) => one.close()));
      },
    ));

  it('has its operations ended by the successor, whatever they are', () =>
    withScene(besideDocuments, async ({ take, open, database }) => {
      const one = streamOf({ id: 'int64', version: 'int64' });
      const old = await open(await take('run-1'), one);
      await old.bulkUpsert(
        batch(
          one,
          Array.from({ length: 300 }, (_, id) => [BigInt(id), 1n]),
        ),
        NEVER,
      );
      // A transaction of somebody else has one of the documents, so that the write waits there.
      const other = database.client.startSession();
      other.startTransaction();
      await database.db.collection('orders').updateOne({ _id: 150n as never }, { $set: { own: true } }, { session: other });
      const writing = old.bulkUpsert(
        batch(
          one,
          Array.from({ length: 300 }, (_, id) => [BigInt(id), 2n]),
        ),
        NEVER,
      );
      const ended = writing.catch((error: unknown) => error);
      await expect.poll(() => database.db.collection('orders').countDocuments({ version: 2n }), { timeout: 10_000 }).toBe(150);
      await take('run-2');
      expect(await ended).toMatchObject({ fault: 'environment' });
      await other.abortTransaction();
      await other.endSession();
      await old.close();
      expect(await database.db.collection('orders').countDocuments({ version: 2n })).toBe(150);
    }));

  it('that vanished in the middle of saving holds up nobody: its transaction is ended by the successor', async () => {
    await using database = await createMongoDatabase('vanished');
    const { process } = owner('x', 1);
    const ask = (run: string) => ({ job: 'suite', run, process, ttlMs: 60_000, isAlive: () => false });
    await using proxy = await startTcpProxy(database.url);
    const url = new URL(proxy.url(database.url));
    url.searchParams.set('directConnection', 'true');
    const old = openMongoTarget(options.parse({ url: url.href }), { ...testContext(), connection: database.name });
    const next = openTarget(database.url);
    try {
      const store = old.checkpoints as CheckpointStore;
      const stale = await store.acquire(ask('run-1'), NEVER);
      proxy.throttle(200_000);
      const letter = { job: 'suite', stream: 'orders', key: '["1"]', code: 'E_RECORD_VALUE', kind: 'record', run: 'run-1' } as const;
      const large = { ...letter, message: 'x'.repeat(4_000_000), position: 'here', at: '2026-01-01T00:00:00.000Z', attempts: 1 };
      const saving = store.save(stale, { letters: [large] }, NEVER).catch((error: unknown) => error);
      const open = [
        { $currentOp: { allUsers: true, idleSessions: true } },
        { $match: { appName: `trueup/${database.name}`, transaction: { $exists: true } } },
      ];
      await expect.poll(() => database.client.db('admin').aggregate(open).toArray(), { timeout: 10_000 }).toHaveLength(1);
      proxy.blackHole();
      const started = performance.now();
      const taken = await (next.checkpoints as CheckpointStore).acquire(ask('run-2'), NEVER);
      expect(performance.now() - started).toBeLessThan(10_000);
      await (next.checkpoints as CheckpointStore).save(taken, { letters: [{ ...large, message: 'new' }] }, NEVER);
      proxy.pass();
      expect(await saving).toMatchObject({ code: expect.stringMatching(/^E_/) });
      await expect(store.save(stale, { letters: [large] }, NEVER)).rejects.toMatchObject({ code: 'E_FENCED' });
      expect(await store.letters({ job: 'suite' }, NEVER)).toMatchObject([{ message: 'new' }]);
    } finally {
      await Promise.all([old.close(), next.close()]);
    }
  });
});
