import type { Command } from 'commander';
import type { BackfillOptions } from '../../api.ts';
import { collect, parseCountFlag } from '../flags.ts';
import type { Dispatch } from '../dispatch.ts';
import { withProgress } from '../progress-panel.ts';
import { runOutcome } from '../run-outcome.ts';
import { requireJobs, withApp } from '../with-app.ts';

interface Flags {
  readonly stream?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly where?: string;
  readonly partitions?: number;
  readonly restart?: boolean;
}

export function addBackfill(program: Command, dispatch: Dispatch): void {
  program
    .command('backfill')
    .summary('read a key range again, beside the changes')
    .description(
      'Read all rows, or a range of keys, again and write them, interleaved with the changes of the stream. Resumes where the last backfill stopped.',
    )
    .argument('<job>', 'name of a job')
    .option('--stream <name>', 'only this stream; may be repeated', collect)
    .option('--from <key>', 'first key: the plain value, or a JSON array for composite keys')
    .option('--to <key>', 'last key, included')
    .option('--where <expression>', 'only rows that match, in the language of the source')
    .option('--partitions <n>', 'key ranges that are read at the same time', parseCountFlag)
    .option('--restart', 'begin again instead of resuming')
    .action((job: string, flags: Flags) =>
      dispatch('backfill', (session) =>
        withProgress(session, (onEvent) =>
          withApp(
            session,
            async (app) => {
              requireJobs(app, [job]);
              return runOutcome('backfill', await app.backfill(backfillOptions(job, flags), session.signals), app.config);
            },
            { onEvent },
          ),
        ),
      ),
    );
}

function backfillOptions(job: string, { stream, ...flags }: Flags): BackfillOptions {
  return { job, ...flags, ...(stream === undefined ? {} : { streams: stream }) };
}
