import { setTimeout as sleep } from 'node:timers/promises';
import { FAIL_POINTS } from './fail-points.ts';
import type { PlannedFault } from './fault-plan.ts';
import type { FaultTest } from './fault.ts';
import { JOB } from './folder.ts';
import type { RunOptions, Trial } from './trial.ts';

const BACKFILL = ['backfill', JOB, '--json', '--log-level', 'error'];

/** Steps that come again and again; a kill at the third of them finds another state than one at the first. */
const REPEATED = [
  'source.batch',
  'lane.bulkUpsert',
  'lane.commit',
  'source.fetchChanges',
  'target.openLane',
  'lane.close',
  'store.save',
] as const;

/** Where most faults of connectors show: tried however little time there is. */
const ALWAYS = new Set(['before lane.commit', 'after lane.commit', 'after store.save']);

export const KILLS: readonly FaultTest[] = [
  {
    name: 'kill-steps',
    summary: 'kill -9 before and after every step of a first load, of a run with changes, and of a backfill of a live stream',
    needs: [],
    settings: { records: 1_200, batchRows: 200, budgetMs: 60_000 },
    async run(trial) {
      await killAtEveryStep(trial, {});
      await trial.settle();
      if (trial.findings.length > 0) return;
      await killAtEveryStep(trial, {}, () => trial.change());
      await killAtLaterSteps(trial);
      await trial.settle();
      if (trial.findings.length > 0) return;
      await killAtEveryStep(trial, { args: BACKFILL }, () => trial.change());
      await trial.settle();
    },
  },
  {
    name: 'kill-anytime',
    summary: 'kill -9 at random instants, between the steps and within them',
    needs: [],
    settings: { records: 20_000, batchRows: 200, budgetMs: 15_000 },
    async run(trial) {
      for (let round = 0; round < 12 && trial.hasTime(); round += 1) {
        const command = trial.start(round % 4 === 3 ? { args: BACKFILL } : {});
        await sleep(350 + trial.random() * 900);
        command.kill('SIGKILL');
        trial.expectEnd(await command.end, ['killed', 0]);
        if (round > 3) await trial.change();
      }
      await trial.settle();
    },
  },
];

/**
 * Every run is killed at the first step at which none was killed before, until one gets through. With less time than that takes, each run passes over
 * steps by chance.
 */
async function killAtEveryStep(trial: Trial, command: RunOptions, before: () => Promise<void> = async () => {}): Promise<void> {
  const left = new Map(
    Object.keys(FAIL_POINTS).flatMap((point) =>
      (['before', 'after'] as const).map((when) => [`${when} ${point}`, killAt(point, when, 1)] as const),
    ),
  );
  for (;;) {
    await before();
    const ended = await trial.run({ ...command, faults: [...left.values()] });
    trial.expectEnd(ended, ['killed', 0]);
    if (ended.signal !== 'SIGKILL') return;
    for (const { when, point } of ended.steps) left.delete(`${when} ${point}`);
    if (!trial.hasTime()) for (const name of left.keys()) if (!ALWAYS.has(name) && trial.random() < 0.7) left.delete(name);
  }
}

async function killAtLaterSteps(trial: Trial): Promise<void> {
  for (let round = 0; round < 6 && trial.hasTime(); round += 1) {
    await trial.change();
    const point = REPEATED[Math.floor(trial.random() * REPEATED.length)] ?? 'lane.commit';
    const hit = 2 + Math.floor(trial.random() * 4);
    trial.expectEnd(await trial.run({ faults: [killAt(point, trial.random() < 0.5 ? 'before' : 'after', hit)] }), ['killed', 0]);
  }
}

function killAt(point: string, when: PlannedFault['when'], hit: number): PlannedFault {
  return { point, when, hit, action: { kind: 'kill' } };
}
