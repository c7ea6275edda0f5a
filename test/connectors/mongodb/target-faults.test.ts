import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { isTrueupError } from '../../../src/sdk.ts';
import type { Lane, Row, Target } from '../../../src/sdk.ts';
import { createMongoDatabase, describeWithMongo, describeWithOwnMongo, mongoUrl, startOwnMongo } from '../../servers/mongo.ts';
import { startTcpProxy } from '../../servers/tcp-proxy.ts';
import { NEVER } from './source-kit.ts';
import { batch, openTarget, owner, streamOf } from './target-kit.ts';

const ORDERS = streamOf({ id: 'int64', label: 'text' });
const BATCHES = 30;
const ROWS = 1000;

function rowsOf(number: number): Row[] {
  return Array.from({ length: ROWS }, (_, index) => [BigInt(number * ROWS + index), `row ${index} ${'x'.repeat(100)}`]);
}

/** Writes every batch, again after a fault as the pipeline does; returns the faults. Any that is not the environment's is thrown. */
async function writeAll(target: Target, checkpoints: boolean, after: (number: number) => void): Promise<string[]> {
  const faults: string[] = [];
  await target.apply(await target.plan([ORDERS], NEVER), NEVER);
  const { job, run, process } = owner('run-1', 1);
  const held = await target.checkpoints?.acquire({ job, run, process, ttlMs: 600_000, isAlive: () => false }, NEVER);
  for (let number = 0; number < BATCHES;) {
    let lane: Lane | null = null;
    try {
      lane = await target.openLane({ owner: held ?? owner('run-1', 1), streams: [ORDERS], checkpoints }, NEVER);
      for (; number < BATCHES; number += 1) {
        const writing = lane.bulkUpsert(batch(ORDERS, rowsOf(number)), NEVER);
        after(number);
        expect(await writing).toEqual([]);
        await lane.commit({ checkpoints: [], letters: [], resolved: [] }, NEVER);
      }
    } catch (error) {
      // A server that cannot be reached is tried again too.
      if (!isTrueupError(error) || (error.fault !== 'environment' && error.code !== 'E_UNREACHABLE')) throw error;
      faults.push(error.code);
      await lane?.discard();
      await sleep(200);
    } finally {
      await lane?.close();
    }
  }
  return faults;
}

describeWithMongo('connectors: mongodb as a target over a network that fails', { timeout: 90_000 }, () => {
  it.each([
    ['cut', false],
    ['black hole', false],
    ['cut', true],
    ['black hole', true],
  ] as const)(
    'loses nothing and repeats nothing when the connection is interrupted in the middle of a write (%s, in a transaction: %s)',
    async (how, atomic) => {
      const database = await createMongoDatabase('cut');
      const proxy = await startTcpProxy(mongoUrl());
      const url = new URL(proxy.url(database.url));
      url.search = '?directConnection=true';
      const target = openTarget(url.href, { connectTimeout: '1s' });
      let broken = 0;
      const faults = await writeAll(target, atomic, (number) => {
        if (number !== 7 || broken++ > 0) return;
        setTimeout(() => {
          if (how === 'cut') return proxy.reset();
          proxy.blackHole();
          setTimeout(() => proxy.pass(), 12_000); // longer than the monitor takes to notice
        }, 2);
      });
      expect(faults.length).toBeGreaterThan(0);
      expect(await database.db.collection('orders').countDocuments()).toBe(BATCHES * ROWS);
      expect(await database.db.collection('orders').countDocuments({ label: new RegExp('x{100}$') })).toBe(BATCHES * ROWS);
      await target.close();
      await proxy.close();
    },
  );
});

describeWithOwnMongo('connectors: mongodb as a target of three members', { timeout: 180_000 }, () => {
  it.each([false, true])('loses nothing when the primary steps down in the middle of a write (in a transaction: %s)', async (atomic) => {
    const server = await startOwnMongo({ members: 3 });
    const database = await createMongoDatabase('steps', server.url);
    const target = openTarget(database.url);
    let steps = 0;
    const faults = await writeAll(target, atomic, (number) => {
      if ((number !== 5 && number !== 15) || steps++ > 1) return;
      setTimeout(() => {
        void database.client
          .db('admin')
          .command({ replSetStepDown: 5, force: true })
          .catch(() => undefined);
      }, 3);
    });
    expect(faults.length).toBeGreaterThan(0);
    const found = await database.db
      .collection('orders')
      .find({}, { readConcern: { level: 'majority' }, projection: { _id: 1 } })
      .toArray();
    expect(found.length).toBe(BATCHES * ROWS);
    await target.close();
  });
});
