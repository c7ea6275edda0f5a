import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultTest } from './fault.ts';
import { before, meet } from './meet.ts';
import type { Trial } from './trial.ts';

/** A lease lasts 30 s; with this much more it must have been taken over. */
const TAKEN_OVER_MS = 60_000;

export const OWNERS: readonly FaultTest[] = [
  {
    name: 'stale-owner',
    summary:
      'a run is suspended before a commit and taken over when its lease has run out; when it wakes it writes nothing and ends with 6',
    needs: [],
    settings: { records: 1_000, batchRows: 50 },
    async run(trial) {
      const place = before('lane.commit', 2);
      const first = await meet(trial, place);
      first.kill('SIGSTOP');
      trial.counts.faults += 1;
      trial.expectEnd(await trial.run(), [6]);
      await takeOver(trial);
      await trial.change();
      trial.expectEnd(await trial.run(), [0]);
      const written = await trial.pair.writes?.();
      first.go(place);
      first.kill('SIGCONT');
      trial.expectEnd(await first.end, [6]);
      if (written !== (await trial.pair.writes?.())) trial.findings.push('the run that had lost its job wrote to the target');
      await trial.settle();
    },
  },
  {
    name: 'two-at-once',
    summary: 'a second run of the same job while the first is at work: refused with 6, and the first goes on',
    needs: [],
    settings: { records: 1_000, batchRows: 50 },
    async run(trial) {
      const place = before('lane.bulkUpsert', 2);
      const first = await meet(trial, place);
      trial.expectEnd(await trial.run(), [6]);
      trial.counts.faults += 1;
      first.go(place);
      trial.expectEnd(await first.end, [0]);
      await trial.settle();
    },
  },
];

async function takeOver(trial: Trial): Promise<void> {
  const until = performance.now() + TAKEN_OVER_MS;
  for (;;) {
    const ended = await trial.run();
    if (ended.code !== 6 || performance.now() > until) return trial.expectEnd(ended, [0]);
    await sleep(3_000);
  }
}
