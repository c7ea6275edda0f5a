import type { Command } from 'commander';
import type { JobStatus } from '../../app.ts';
import type { View } from '../outcome.ts';
import type { Dispatch } from '../dispatch.ts';
import { feedTable, statusTable } from '../render/status.ts';
import { requireJobs, withApp } from '../with-app.ts';

export function addStatus(program: Command, dispatch: Dispatch): void {
  program
    .command('status')
    .summary('last and next runs, owners, dead letters, checkpoints')
    .description('Show how far every job is: last run, next run, who owns it now, dead letters. With a job, its feeds as well.')
    .argument('[job]', 'name of a job')
    .action((job: string | undefined) =>
      dispatch('status', (session) =>
        withApp(session, async (app) => {
          if (job !== undefined) requireJobs(app, [job]);
          const jobs = await app.status(job ?? null, session.signals.stop);
          return {
            exitCode: 0,
            document: { command: 'status', exitCode: 0, jobs: jobs.map(jobDocument) },
            text: (view) => statusText(jobs, job !== undefined, view),
          };
        }),
      ),
    );
}

/** The report of the last run is as long as the run itself: `run --json` gives it. */
function jobDocument({ lastRun, ...job }: JobStatus): Record<string, unknown> {
  if (lastRun === undefined) return { ...job };
  const { report: _, job: __, ...brief } = lastRun;
  return { ...job, lastRun: brief };
}

function statusText(jobs: readonly JobStatus[], detailed: boolean, view: View): string {
  const table = statusTable(jobs, view);
  return detailed ? [table, ...jobs.map((job) => feedTable(job.feeds, view))].join('\n\n') : table;
}
