import type { FaultTest } from './fault.ts';

const HOURS = 3_600_000;
/** At the start, while reading, while writing, and before a commit. */
const PLACES = ['source.discover', 'source.batch', 'lane.bulkUpsert', 'lane.commit'];

export const CLOCK_JUMPS: readonly FaultTest[] = [
  {
    name: 'clock-jump',
    summary: 'the clock of the process jumps by 26 hours, ahead and back, at the start and in the middle of a run',
    needs: [],
    async run(trial) {
      for (const [index, ms] of [26 * HOURS, -26 * HOURS, 26 * HOURS, -26 * HOURS, 26 * HOURS].entries()) {
        const point = PLACES[index % PLACES.length] ?? 'source.batch';
        trial.expectEnd(await trial.run({ faults: [{ point, when: 'before', hit: 1, action: { kind: 'jump', ms } }] }), [0]);
        await trial.change();
      }
      await trial.settle();
    },
  },
];
