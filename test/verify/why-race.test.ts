import { describe, expect, it } from 'vitest';
import { explainRecord } from '../../src/verify/why.ts';
import { ITEMS, openMemoryJob } from '../pipeline/memory-job.ts';
import type { MemoryJob } from '../pipeline/memory-job.ts';

const never = new AbortController().signal;

/** A job whose record 1 changed after the checkpoint. `onLook`: what happens between the look at both sides and the look at the checkpoint. */
async function changedJob(onLook: (job: MemoryJob) => Promise<void>): Promise<MemoryJob> {
  let isTried = false;
  let isBusy = false;
  const job = openMemoryJob({
    wrapTarget: (target) => ({
      ...target,
      checkpoints: {
        ...target.checkpoints!,
        list: async (name, signal) => {
          if (isTried && !isBusy) {
            isBusy = true;
            await onLook(job);
            isBusy = false;
          }
          return target.checkpoints!.list(name, signal);
        },
      },
    }),
  });
  job.source.define('items', ITEMS);
  job.source.write((transaction) => transaction.upsert('items', [1, 'one', 1n]));
  await job.run();
  job.source.write((transaction) => transaction.upsert('items', [1, 'uno', 2n]));
  isTried = true;
  return job;
}

describe('why: while a run goes on', () => {
  it('a change that is delivered between two questions is no difference', async () => {
    let runs = 0;
    const job = await changedJob(async () => {
      if (runs++ === 0) await job.run();
    });
    const report = await explainRecord(job.context(), { stream: 'items', key: '1' }, never);
    expect(runs).toBeGreaterThan(1);
    expect(report).toMatchObject({ verdict: 'equal', source: { name: 'uno' }, actual: { name: 'uno' } });
  });

  it('a record that never stands still is answered all the same', async () => {
    let version = 0n;
    const job = await changedJob(async () => {
      await job.run();
      job.source.write((transaction) => transaction.upsert('items', [1, `version ${++version}`, 10n + version]));
    });
    expect(await explainRecord(job.context(), { stream: 'items', key: '1' }, never)).toMatchObject({ verdict: 'pending', exitCode: 0 });
    expect(version).toBeGreaterThan(1n);
    expect(version).toBeLessThan(12n);
  });

  it('a record that was altered in the target is different at every look', async () => {
    const job = await changedJob(async () => {});
    await job.run();
    job.target.write((transaction) => transaction.upsert('items', [1, 'one', 2n]));
    expect(await explainRecord(job.context(), { stream: 'items', key: '1' }, never)).toMatchObject({
      verdict: 'different',
      exitCode: 4,
      fields: [{ field: 'id', equal: true }, { field: 'name', expected: 'uno', actual: 'one', equal: false }, { field: 'at' }],
    });
  });
});
