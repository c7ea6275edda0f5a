import type { Command } from 'commander';
import type { Dispatch } from '../dispatch.ts';
import { whyText } from '../render/why.ts';
import { requireJobs, withApp } from '../with-app.ts';

export function addWhy(program: Command, dispatch: Dispatch): void {
  program
    .command('why')
    .summary('why one record is as it is')
    .description(
      'Explain one record: what the source holds and the mapping makes of it, what the target holds and which run wrote it, whether it is still to come, held back or a dead letter, and what to do. Reads only. Shows the values of the record. Exit code 4 when the sides differ and no run mends it.',
    )
    .argument('<job>', 'name of a job')
    .argument('<stream>', 'a stream of the job, as the source calls it, or its target')
    .argument('<key>', 'key of the record: the plain value, or a JSON array for composite keys; after -- when it begins with a dash')
    .addHelpText(
      'after',
      `
Examples:
  trueup why orders public.orders 42
  trueup why orders public.order_lines '["eu", 42]'    a key of several fields
  trueup why orders public.orders -- -x                a key that begins with a dash`,
    )
    .action((job: string, stream: string, key: string) =>
      dispatch('why', (session) =>
        withApp(session, async (app) => {
          requireJobs(app, [job]);
          const report = await app.why({ job, stream, key }, session.signals.stop);
          return { exitCode: report.exitCode, document: { ...report }, text: (view) => whyText(report, view) };
        }),
      ),
    );
}
