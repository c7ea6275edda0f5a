import type { Command } from 'commander';
import type { ConnectionStatus, JobStatus } from '../../api.ts';
import { TrueupError } from '../../errors.ts';
import { combineExitCodes, exitCodeOf } from '../../pipeline/report/exit-code.ts';
import type { Kept } from '../../pipeline/kept.ts';
import type { View } from '../outcome.ts';
import type { Dispatch } from '../dispatch.ts';
import { breakerTable, feedTable, keptLines, logLines, statusTable } from '../render/status.ts';
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
          const connections = await app.connectionStatus(job ?? null, session.signals.stop);
          const kept = job === undefined ? await app.kept(session.signals.stop) : [];
          const exitCode = combineExitCodes(jobs.map(exitCodeFor));
          return {
            exitCode,
            document: {
              command: 'status',
              exitCode,
              jobs: jobs.map(jobDocument),
              ...(connections.length === 0 ? {} : { connections }),
              ...(kept.length === 0 ? {} : { kept }),
            },
            text: (view) => statusText({ jobs, connections, kept, detailed: job !== undefined }, view),
          };
        }),
      ),
    );
}

/** What could not be asked counts as if the command had failed on it. */
function exitCodeFor({ unknown }: JobStatus): number {
  return unknown === undefined ? 0 : exitCodeOf(new TrueupError(unknown.code, unknown.message));
}

/** The report of the last run is as long as the run itself: `run --json` gives it. */
function jobDocument({ lastRun, ...job }: JobStatus): Record<string, unknown> {
  if (lastRun === undefined) return { ...job };
  const { report: _, job: __, ...brief } = lastRun;
  return { ...job, lastRun: brief };
}

interface Status {
  readonly jobs: readonly JobStatus[];
  readonly connections: readonly ConnectionStatus[];
  readonly kept: readonly Kept[];
  readonly detailed: boolean;
}

function statusText({ jobs, connections, kept, detailed }: Status, view: View): string {
  const tables = jobs.flatMap((job) => {
    const lines = logLines(job, view);
    if (detailed && job.feeds !== undefined) return [[feedTable(job.feeds, view), ...lines].join('\n')];
    return lines.length === 0 ? [] : [[`${job.job}:`, ...lines].join('\n')];
  });
  const breakers = connections.length === 0 ? [] : [breakerTable(connections, view)];
  const left = kept.length === 0 ? [] : [keptLines(kept, view).join('\n')];
  return [statusTable(jobs, view), ...tables, ...breakers, ...left].join('\n\n');
}
