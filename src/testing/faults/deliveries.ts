import type { FaultTest } from './fault.ts';
import { JOB } from './folder.ts';
import { secondOpinion } from './second-opinion.ts';

const TWICE = { point: 'source.batch', when: 'before', hit: 1, again: true, action: { kind: 'twice' } } as const;
const DROP = { point: 'source.batch', when: 'before', hit: 1, action: { kind: 'drop' } } as const;

export const DELIVERIES: readonly FaultTest[] = [
  {
    name: 'batch-twice',
    summary: 'the source delivers every batch twice, in a first load, in runs with changes, and in a backfill',
    needs: [],
    async run(trial) {
      trial.expectEnd(await trial.run({ faults: [TWICE] }), [0]);
      for (const args of [undefined, undefined, ['backfill', JOB, '--json', '--log-level', 'error']]) {
        await trial.change();
        trial.expectEnd(await trial.run({ faults: [TWICE], ...(args === undefined ? {} : { args }) }), [0]);
      }
      await trial.settle();
    },
  },
  {
    name: 'record-dropped',
    summary: 'one record is lost on its way: the comparison of the kit, and `trueup verify`, must find exactly that one',
    needs: [],
    async run(trial) {
      trial.expectEnd(await trial.run({ faults: [DROP] }), [0]);
      const seen = await trial.differences();
      if (seen.length !== 1 || !seen[0]?.startsWith('1 missing'))
        trial.findings.push(`the planted loss was not noticed as it is: ${seen.join('; ') || 'no difference'}`);
      if (trial.lacks.verify !== undefined) return;
      const opinion = await secondOpinion((args) => trial.run({ args, isReport: false }));
      if (!/ 1 missing, 0 extra, 0 different/.test(opinion.join('; ')))
        trial.findings.push(`trueup verify did not notice the planted loss: ${opinion.join('; ')}`);
    },
  },
];
