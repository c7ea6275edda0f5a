import { Option } from 'commander';
import type { Command } from 'commander';
import type { RunOptions } from '../../api.ts';
import { collect, parseDurationFlag } from '../flags.ts';
import type { Dispatch } from '../dispatch.ts';
import { withProgress } from '../progress-panel.ts';
import { runOutcome } from '../run-outcome.ts';
import { requireJobs, withApp } from '../with-app.ts';

interface Flags {
  readonly stream?: readonly string[];
  readonly full?: boolean;
  readonly follow?: boolean;
  readonly maxTime?: number;
  readonly onChange?: RunOptions['onChange'];
}

export function addRun(program: Command, dispatch: Dispatch): void {
  program
    .command('run')
    .summary('bring targets up to date')
    .description(
      'Bring the targets of all jobs, or of the named ones, up to date: a first load for new streams, then what changed since the last checkpoint.',
    )
    .argument('[job...]', 'names of jobs; none: all')
    .option('--stream <name>', 'only this stream; may be repeated', collect)
    .option('--full', 'read everything again from the beginning')
    .option('--follow', 'go on with new changes until a signal or --max-time')
    .option('--max-time <duration>', 'stop at a checkpoint after this long: 30s, 5m, 1h30m', parseDurationFlag)
    .addOption(
      new Option('--on-change <what>', 'when mapping, key, change method or filter changed since the checkpoint').choices([
        'stop',
        'rebackfill',
        'from-now',
      ]),
    )
    .action((jobs: string[], flags: Flags) =>
      dispatch('run', (session) =>
        withProgress(session, (onEvent) =>
          withApp(
            session,
            async (app) => {
              requireJobs(app, jobs);
              return runOutcome('run', await app.run({ jobs, ...runOptions(flags) }, session.signals), app.config);
            },
            { onEvent },
          ),
        ),
      ),
    );
}

function runOptions({ stream, full, follow, maxTime, onChange }: Flags): Omit<RunOptions, 'jobs'> {
  return {
    ...(stream === undefined ? {} : { streams: stream }),
    ...(full === undefined ? {} : { full }),
    ...(follow === undefined ? {} : { follow }),
    ...(maxTime === undefined ? {} : { maxTimeMs: maxTime }),
    ...(onChange === undefined ? {} : { onChange }),
  };
}
