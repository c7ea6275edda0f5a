import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { PlannedFault } from '../../src/testing/faults/fault-plan.ts';
import { faultySource, faultyTarget } from '../../src/testing/faults/faulty-connector.ts';
import { parseSteps } from '../../src/testing/faults/fault-plan.ts';
import { createSteps } from '../../src/testing/faults/steps.ts';
import { ITEMS, openMemoryJob } from '../pipeline/memory-job.ts';
import type { MemoryJob } from '../pipeline/memory-job.ts';

interface Faulty {
  readonly job: MemoryJob;
  /** How many planned faults came to pass. */
  met(): number;
}

/** A job whose connectors fail where it is planned, with 500 records to load. */
function openFaulty(faults: readonly PlannedFault[]): Faulty {
  const dir = mkdtempSync(join(tmpdir(), 'trueup-steps-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'steps');
  const steps = createSteps({ steps: file, faults });
  const job = openMemoryJob({
    wrapSource: (source) => faultySource(source, steps),
    wrapTarget: (target) => faultyTarget(target, steps),
  });
  job.source.define('items', ITEMS);
  job.source.write((transaction) => {
    for (let id = 0; id < 500; id += 1) transaction.upsert('items', [id, `item ${id}`, BigInt(id)]);
  });
  return { job, met: () => parseSteps(readFileSync(file, 'utf8')).filter((step) => step.faulty).length };
}

const lost = (point: string, when: PlannedFault['when']): PlannedFault => ({
  point,
  when,
  hit: 1,
  action: { kind: 'throw', code: 'E_CONNECTION_LOST' },
});

/** Steps beside the reading and writing of feeds. */
const BETWEEN = [
  'store.acquire',
  'store.letters',
  'store.list',
  'store.save',
  'source.identity',
  'source.startCursor',
  'source.splitBackfill',
  'target.apply',
  'lane.close',
  'store.release',
];

describe('a connection that is lost once', () => {
  it.each(
    BETWEEN.flatMap((point) => [[`before ${point}`, lost(point, 'before')] as const, [`after ${point}`, lost(point, 'after')] as const]),
  )('%s is no end of a run', async (_name, fault) => {
    const { job, met } = openFaulty([fault]);
    expect(await job.run()).toMatchObject({ status: 'succeeded', exitCode: 0, streams: [{ upserted: 500, deadLettered: 0 }] });
    expect(met()).toBe(1);
    expect(job.target.rows('items').length).toBe(500);
  });

  it('for good is the end of it after as many tries as the job allows, and no more', async () => {
    const { job, met } = openFaulty([{ ...lost('source.fetchChanges', 'before'), again: true }]);
    expect(await job.run()).toMatchObject({ status: 'failed', exitCode: 1 });
    // Three tries each for three parts that run side by side: that they are parts of a group begins none of them again.
    expect(met()).toBeLessThanOrEqual(9);
  });

  it('after the job was taken does not keep others from it', async () => {
    const { job } = openFaulty([{ ...lost('store.letters', 'before'), again: true }]);
    expect(await job.run()).toMatchObject({ status: 'failed', exitCode: 1 });
    expect((await job.run()).error?.code).toBe('E_CONNECTION_LOST'); // refused by the fault, not by the lease of the run before
  });
});
