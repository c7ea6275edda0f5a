import { describe, expect, it } from 'vitest';
import { TrueupError } from '../../src/errors.ts';
import { ITEMS, openMemoryJob, withLane } from './memory-job.ts';

/** A connection that carries one feed: tells how many are in, and how many lanes are open. */
function oneAtATime() {
  const seen = { inside: 0, most: 0, entered: 0 };
  let last = Promise.resolve();
  const enterFeed = async (): Promise<() => void> => {
    const before = last;
    const over = Promise.withResolvers<void>();
    last = over.promise;
    await before;
    seen.entered += 1;
    seen.inside += 1;
    seen.most = Math.max(seen.most, seen.inside);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      seen.inside -= 1;
      over.resolve();
    };
  };
  return { seen, enterFeed };
}

const COLLECTIONS = ['items', 'orders', 'lines', 'notes'];

describe('a run within the limits of its connections', () => {
  it('reads its streams one after another where only one feed may be open, holds no place and no lane while it waits to try again, and gives all back', async () => {
    const { seen, enterFeed } = oneAtATime();
    let lanes = 0;
    let commits = 0;
    const whileWaiting: number[] = [];
    const job = openMemoryJob({
      enterFeed,
      streams: COLLECTIONS.map((from) => ({ from })),
      onEvent: (event) => {
        if (event.kind === 'retry') whileWaiting.push(seen.inside, lanes);
      },
      wrapTarget: (target) =>
        withLane({ ...target, openLane: (open, signal) => target.openLane(open, signal).finally(() => (lanes += 1)) }, (lane) => ({
          ...lane,
          commit: (what, signal) => {
            commits += 1;
            if (commits % 3 === 0) throw new TrueupError('E_CONNECTION_LOST', 'cut');
            return lane.commit(what, signal);
          },
          close: () => lane.close().finally(() => (lanes -= 1)),
        })),
    });
    for (const name of COLLECTIONS) {
      job.source.define(name, ITEMS);
      job.source.write((transaction) => {
        for (let id = 0; id < 500; id += 1) transaction.upsert(name, [id, 'item', BigInt(id)]);
      });
    }
    const report = await job.run();
    expect(report).toMatchObject({ exitCode: 0, streams: COLLECTIONS.map(() => ({ upserted: 500 })) });
    expect(seen).toMatchObject({ inside: 0, most: 1 });
    expect(seen.entered).toBeGreaterThan(4);
    expect(whileWaiting.length).toBeGreaterThan(0);
    expect(new Set(whileWaiting)).toEqual(new Set([0]));
    expect(lanes).toBe(0);
  });
});
