import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultTest } from './fault.ts';
import type { Place } from './fault-plan.ts';
import { before, meet } from './meet.ts';
import type { Trial } from './trial.ts';

const PLACES: Readonly<Record<'source' | 'target', readonly Place[]>> = {
  source: [before('source.batch', 1), before('lane.bulkUpsert', 1)],
  target: [before('lane.commit', 1), before('lane.bulkUpsert', 1)],
};
/** Shorter than the retries of the job take. */
const DOWN_MS = 700;

export const SERVERS: readonly FaultTest[] = (['source', 'target'] as const).flatMap(
  (role) =>
    [
      {
        name: `restart-${role}`,
        summary: `the server of the ${role} goes down at once in the middle of the work, and comes back: the run waits and goes on`,
        needs: [`server-${role}` as const],
        settings: { records: 1_000, batchRows: 5 },
        async run(trial) {
          const { server } = trial.pair[role];
          if (server === undefined) throw new Error(`The pair has no ${role}.server, and does not say so in \`lacks\`.`);
          for (const place of PLACES[role]) {
            const running = await meet(trial, place);
            await server.stop();
            running.go(place);
            await sleep(DOWN_MS);
            await server.start();
            await endWell(trial, running.end);
          }
          // And without knowing where it is.
          const running = trial.start();
          await sleep(300 + trial.random() * 500);
          await server.stop();
          await server.start();
          await endWell(trial, running.end);
          await trial.settle();
        },
      },
      {
        name: `failover-${role}`,
        summary: `a standby takes the place of the ${role} in the middle of the work: the run waits and goes on`,
        needs: [`standby-${role}` as const],
        settings: { records: 1_000, batchRows: 5 },
        async run(trial) {
          const { failOver } = trial.pair[role];
          if (failOver === undefined) throw new Error(`The pair has no ${role}.failOver, and does not say so in \`lacks\`.`);
          trial.expectEnd(await trial.run(), [0]);
          await trial.change();
          const place = PLACES[role][0] as Place;
          const running = await meet(trial, place);
          await failOver();
          running.go(place);
          await endWell(trial, running.end);
          await trial.settle();
        },
      },
    ] satisfies FaultTest[],
);

export const DISKS: readonly FaultTest[] = [
  {
    name: 'disk-full',
    summary:
      'the disk of the target is full in the middle of the work: the run fails with 1 or 7, and the next one goes on once there is room',
    needs: ['disk-target'],
    settings: { records: 40_000, batchRows: 500, job: { retries: { attempts: 2, maxDelay: '200ms' } } },
    async run(trial) {
      const { disk } = trial.pair.target;
      if (disk === undefined) throw new Error('The pair has no target.disk, and does not say so in `lacks`.');
      const place = before('lane.commit', 3);
      const running = await meet(trial, place);
      await disk.fill();
      trial.counts.faults += 1;
      running.go(place);
      trial.expectEnd(await running.end, [1, 7]);
      await disk.free();
      await trial.settle();
    },
  },
];

async function endWell(trial: Trial, end: ReturnType<Trial['run']>): Promise<void> {
  trial.counts.faults += 1;
  trial.expectEnd(await end, [0]);
  await trial.change();
}
