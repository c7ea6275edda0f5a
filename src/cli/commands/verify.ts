import { Option } from 'commander';
import type { Command } from 'commander';
import type { VerifyOptions } from '../../api.ts';
import { collect, parseCountFlag, parseDurationFlag, parseShareFlag } from '../flags.ts';
import type { Dispatch } from '../dispatch.ts';
import { withProgress } from '../progress-panel.ts';
import { verifyText } from '../render/verify.ts';
import { requireJobs, withApp } from '../with-app.ts';

interface Flags {
  readonly stream?: readonly string[];
  readonly repair?: boolean;
  readonly maxRepair?: number;
  readonly values?: boolean;
  readonly since?: number;
  readonly sampleShare?: number;
}

const AFTER = `
What is newer than the checkpoint is pending, not different, so verify may run while a run goes on.
Exit code 4: there are differences. With --repair 0 when the second look finds none.

Examples:
  trueup verify orders                          compare every record of every stream
  trueup verify orders --sample-share 1%        the same hundredth of the records each time
  trueup verify orders --since 24h --stream public.orders
  trueup verify orders --repair --max-repair 100`;

export function addVerify(program: Command, dispatch: Dispatch): void {
  program
    .command('verify')
    .summary('compare source and target, record by record; repair what differs')
    .description(
      'Compare what the target holds with what the mapping makes of the source, by value: what is missing, what is extra, and which fields differ. Reads only, unless --repair says so.',
    )
    .argument('<job>', 'name of a job')
    .option('--stream <name>', 'only this stream; may be repeated', collect)
    .option('--repair', 'write the records that differ again, and no other')
    .option('--max-repair <n>', 'with more differences than this, repair nothing', parseCountFlag)
    .option('--values', 'show the values of differing fields in the samples')
    .option(
      '--since <duration>',
      'only what the source changed in this time: 30m, 24h. Records that only the target has are not found',
      parseDurationFlag,
    )
    .addOption(
      new Option('--sample-share <share>', 'only this share of the records: 0.01 or 1%').argParser(parseShareFlag).conflicts('since'),
    )
    .addHelpText('after', AFTER)
    .action((job: string, flags: Flags) =>
      dispatch('verify', (session) =>
        withProgress(session, (onEvent) =>
          withApp(
            session,
            async (app) => {
              requireJobs(app, [job]);
              const report = await app.verify(verifyOptions(job, flags), session.signals);
              return { exitCode: report.exitCode, document: { ...report }, text: (view) => verifyText(report, view) };
            },
            { onEvent },
          ),
        ),
      ),
    );
}

function verifyOptions(job: string, { stream, since, ...flags }: Flags): VerifyOptions {
  return { job, ...flags, ...(stream === undefined ? {} : { streams: stream }), ...(since === undefined ? {} : { sinceMs: since }) };
}
