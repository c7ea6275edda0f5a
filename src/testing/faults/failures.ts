import type { ErrorCode } from '../../errors.ts';
import { FAIL_POINTS } from './fail-points.ts';
import type { PlannedFault } from './fault-plan.ts';
import type { FaultTest } from './fault.ts';
import type { Trial } from './trial.ts';

/** What a fault in the middle of writing makes of a run: its exit code, as the guarantees say. */
const ENDINGS: readonly { readonly code: ErrorCode | null; readonly again: boolean; readonly exit: number }[] = [
  { code: 'E_CONNECTION_LOST', again: false, exit: 0 },
  { code: 'E_BUSY', again: false, exit: 0 },
  { code: 'E_PLAN_CHANGED', again: false, exit: 0 },
  { code: 'E_RESOURCES', again: true, exit: 1 },
  { code: 'E_UNREACHABLE', again: true, exit: 7 },
  { code: 'E_ACCESS', again: false, exit: 7 },
  { code: 'E_FENCED', again: false, exit: 6 },
  { code: null, again: false, exit: 70 },
];

/** How long a command that hangs may take to end after SIGTERM: at once while reading, the grace time (3 s) and a little while writing. */
const END_MS = { read: 5_000, write: 8_000 };

/** They ask nobody, so there is no connection to lose. */
const PURE = /\.(recall|feeds|explainCursor|nameFor)$/;

export const FAILURES: readonly FaultTest[] = [
  {
    name: 'fail-steps',
    summary: 'a connection is lost before or after every step, the answer to a commit among them: retried, exit 0',
    needs: [],
    settings: { records: 1_200, batchRows: 200, budgetMs: 40_000 },
    async run(trial) {
      await failAtEveryStep(trial, async () => {});
      await trial.settle();
      await failAtEveryStep(trial, () => trial.change());
      await trial.settle();
    },
  },
  {
    name: 'fail-classes',
    summary: 'a fault of every class in the middle of writing: the run ends with the exit code of the class, and the next one goes on',
    needs: [],
    settings: { records: 1_200, batchRows: 200, job: { retries: { attempts: 3, maxDelay: '200ms' } } },
    async run(trial) {
      for (const { code, again, exit } of ENDINGS) {
        const fault: PlannedFault = { point: 'lane.bulkUpsert', when: 'before', hit: 1, again, action: { kind: 'throw', code } };
        trial.expectEnd(await trial.run({ faults: [fault] }), [exit]);
        await trial.change();
      }
      await trial.settle();
    },
  },
  {
    name: 'hang',
    summary: 'a step never ends: SIGTERM ends the run with 143 all the same, within the grace time',
    needs: [],
    async run(trial) {
      await hangAndStop(trial, 'source.plan', END_MS.read);
      await hangAndStop(trial, 'source.batch', END_MS.read);
      await hangAndStop(trial, 'lane.bulkUpsert', END_MS.write);
      await hangAndStop(trial, 'lane.commit', END_MS.write);
      await trial.settle();
    },
  },
];

/** Each run meets two steps at which none failed before, until one gets through untouched. */
async function failAtEveryStep(trial: Trial, prepare: () => Promise<void>): Promise<void> {
  const left = new Map(
    Object.keys(FAIL_POINTS)
      .filter((point) => !PURE.test(point))
      .flatMap((point) => (['before', 'after'] as const).map((when) => [`${when} ${point}`, failAt(point, when)] as const)),
  );
  for (;;) {
    await prepare();
    const ended = await trial.run({ faults: [...left.values()], most: 2 });
    trial.expectEnd(ended, [0]);
    if (!ended.steps.some((step) => step.faulty)) return;
    for (const { when, point, faulty } of ended.steps) if (faulty) left.delete(`${when} ${point}`);
    if (!trial.hasTime()) for (const name of left.keys()) if (trial.random() < 0.7) left.delete(name);
  }
}

function failAt(point: string, when: PlannedFault['when']): PlannedFault {
  return { point, when, hit: 1, action: { kind: 'throw', code: 'E_CONNECTION_LOST' } };
}

async function hangAndStop(trial: Trial, point: string, limitMs: number): Promise<void> {
  const running = trial.start({ faults: [{ point, when: 'before', hit: 1, action: { kind: 'hang' } }] });
  if (!(await running.reached({ point, when: 'before', hit: 1 }))) trial.findings.push(`no run came to ${point}`);
  const asked = performance.now();
  running.kill('SIGTERM');
  trial.expectEnd(await running.end, [143]);
  const tookMs = performance.now() - asked;
  if (tookMs > limitMs)
    trial.findings.push(`after SIGTERM the run that hung in ${point} took ${Math.round(tookMs)} ms to end, more than ${limitMs}`);
  await trial.change();
}
