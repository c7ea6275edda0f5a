import { expect, describe, it } from 'vitest';
import type { Checkpoint, CheckpointStore } from '../../src/model/checkpoint.ts';
import { lateLane } from '../../src/pipeline/write/late-lane.ts';
import { ITEMS, openMemoryJob } from './memory-job.ts';

const signal = new AbortController().signal;

describe('a lane', () => {
  it('is opened by the first record of a run', async () => {
    let opened = 0;
    const job = openMemoryJob({
      wrapTarget: (target) => ({
        ...target,
        openLane: (open, within) => {
          opened += 1;
          return target.openLane(open, within);
        },
      }),
    });
    job.source.define('items', ITEMS);
    job.source.write((transaction) => transaction.upsert('items', [1, 'one', 1n]));
    expect((await job.run()).streams[0]).toMatchObject({ upserted: 1 });
    expect(opened).toBe(1);
    expect(await job.run()).toMatchObject({ status: 'succeeded' });
    expect(opened).toBe(1);
    job.source.write((transaction) => transaction.upsert('items', [2, 'two', 2n]));
    expect((await job.run()).streams[0]).toMatchObject({ upserted: 1 });
    expect(opened).toBe(2);
  });

  it('that was not opened saves what comes without records, and refuses it from an owner of the past', async () => {
    const job = openMemoryJob();
    const { target, process, isAlive } = job.context();
    const store = target.checkpoints as CheckpointStore;
    const acquire = (run: string) => store.acquire({ job: 'job', run, process, ttlMs: 30_000, isAlive }, signal);
    const first = await acquire('first');
    const lane = lateLane({
      open: () => Promise.reject(new Error('nothing is to be written')),
      save: (what, within) => store.save(first, what, within),
    });
    const saved = { checkpoints: [checkpoint('here')], letters: [], resolved: [] };
    expect(await lane.commit(saved, signal)).toMatchObject({ streams: {}, lettersResolved: 0 });
    expect(await store.list('job', signal)).toMatchObject([{ position: { text: 'here' } }]);
    await store.release(first, signal);
    await acquire('second');
    await expect(lane.commit({ ...saved, checkpoints: [checkpoint('there')] }, signal)).rejects.toMatchObject({ code: 'E_FENCED' });
    expect(await store.list('job', signal)).toMatchObject([{ position: { text: 'here' } }]);
    await lane.discard();
    await lane.close();
  });
});

function checkpoint(text: string): Checkpoint {
  return {
    job: 'job',
    feed: { id: 'changes:items', kind: 'changes', streams: ['items'] },
    state: 'open',
    cursor: null,
    cursorVersion: 1,
    sourceIdentity: 'source',
    planHash: 'hash',
    position: { text },
    run: 'first',
    epoch: 1,
  };
}
