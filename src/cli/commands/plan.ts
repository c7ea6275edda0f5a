import type { Command } from 'commander';
import { parseCountFlag } from '../flags.ts';
import type { Dispatch } from '../dispatch.ts';
import { planText } from '../render/plan.ts';
import { requireJobs, withApp } from '../with-app.ts';

interface Flags {
  readonly sample?: number;
  readonly apply?: boolean;
}

export function addPlan(program: Command, dispatch: Dispatch): void {
  program
    .command('plan')
    .summary('what a run would do, and what it guarantees')
    .description(
      'Show statements, fields, losses, problems and the guarantee of every stream. Reads only; nothing is changed without --apply.',
    )
    .argument('[job...]', 'names of jobs; none: all')
    .option('--sample <n>', 'show this many mapped records of every stream', parseCountFlag)
    .option('--apply', 'run the statements')
    .action((jobs: string[], { sample, apply }: Flags) =>
      dispatch('plan', (session) =>
        withApp(session, async (app) => {
          requireJobs(app, jobs);
          const options = { jobs, ...(sample === undefined ? {} : { sample }), ...(apply === undefined ? {} : { apply }) };
          const report = await app.plan(options, session.signals.stop);
          return { exitCode: report.exitCode, document: { ...report }, text: (view) => planText(report, view) };
        }),
      ),
    );
}
