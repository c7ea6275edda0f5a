import type { FaultTest } from './fault.ts';
import type { PlannedFault } from './fault-plan.ts';
import type { OpenTransaction } from './pair.ts';

/** What the README promises for a process, whatever it carries (bytes). */
const MEMORY_LIMIT = 256 * 1024 * 1024;
const TIES = 50_000;

const kill = (point: string, hit: number): PlannedFault => ({ point, when: 'before', hit, action: { kind: 'kill' } });

export const DATA: readonly FaultTest[] = [
  {
    name: 'open-transactions',
    summary: 'transactions of every kind are open through a first load and through runs, some killed, and commit late or roll back',
    needs: ['transactions'],
    async run(trial) {
      const { transactions } = trial.pair;
      if (transactions === undefined) throw new Error('The pair has no `transactions`, and does not say so in `lacks`.');
      const commit = async (open: OpenTransaction): Promise<void> => trial.allow(await open.commit());
      const early = await transactions.begin(transactions.kinds[0] ?? '');
      trial.expectEnd(await trial.run(), [0]);
      await trial.change();
      trial.expectEnd(await trial.run({ faults: [kill('lane.commit', 1)] }), ['killed']);
      await commit(early);
      for (const kind of transactions.kinds) {
        const late = await transactions.begin(kind);
        await trial.change();
        trial.expectEnd(await trial.run(), [0]);
        await trial.change();
        trial.expectEnd(await trial.run({ faults: [kill('source.batch', 1)] }), ['killed', 0]);
        trial.expectEnd(await trial.run(), [0]);
        await commit(late);
        const undone = await transactions.begin(kind);
        trial.expectEnd(await trial.run(), [0]);
        await undone.rollback();
      }
      await trial.settle();
    },
  },
  {
    name: 'ties',
    summary: `${TIES} records share one cursor value, batch edges lie within, and runs are killed there`,
    needs: ['ties'],
    settings: { records: 500, batchRows: 2_000 },
    async run(trial) {
      trial.expectEnd(await trial.run(), [0]);
      trial.allow((await trial.pair.ties?.(TIES)) ?? 0);
      for (const hit of [3, 6, 9]) trial.expectEnd(await trial.run({ faults: [kill('source.batch', hit)] }), ['killed']);
      trial.allow((await trial.pair.ties?.(TIES / 10)) ?? 0);
      trial.expectEnd(await trial.run({ faults: [kill('lane.commit', 4)] }), ['killed']);
      await trial.settle();
    },
  },
  {
    name: 'extremes',
    summary: 'the extremes of every type, with a kill in between: equal to the last digit',
    needs: ['extremes'],
    settings: { records: 100, batchRows: 5 },
    async run(trial) {
      trial.expectEnd(await trial.run(), [0]);
      trial.allow((await trial.pair.extremes?.()) ?? 0);
      trial.expectEnd(await trial.run({ faults: [kill('lane.commit', 3)] }), ['killed']);
      await trial.settle();
    },
  },
  {
    name: 'memory',
    summary: `records that are many times what a run may hold: never more than ${MEMORY_LIMIT / 1024 / 1024} MiB`,
    needs: ['bulk'],
    settings: { records: 100, batchRows: 10_000 },
    async run(trial) {
      trial.allow((await trial.pair.bulk?.()) ?? 0);
      const ended = await trial.run();
      trial.expectEnd(ended, [0]);
      const { peakBytes } = ended;
      if (peakBytes === null) return void trial.findings.push('this system does not tell how much memory a process held');
      if (peakBytes > MEMORY_LIMIT) trial.findings.push(`the run held ${Math.round(peakBytes / 1024 / 1024)} MiB`);
      await trial.settle();
    },
  },
];
