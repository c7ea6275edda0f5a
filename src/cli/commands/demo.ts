import type { Command } from 'commander';
import type { Dispatch } from '../dispatch.ts';

interface Flags {
  readonly documents?: boolean;
  readonly keep?: boolean;
  readonly serve?: boolean;
}

export function addDemo(program: Command, dispatch: Dispatch): void {
  program
    .command('demo')
    .summary('everything shown on two databases of its own')
    .description(
      'Start two PostgreSQL servers, fill one with orders, bring the other into step, with late commits, a kill -9, a bad row and damage that verify finds and repairs, and prove that both are equal. Nothing is left behind without --keep.',
    )
    .option(
      '--documents',
      'PostgreSQL to MongoDB with embedded children and back into tables, on a MongoDB of yours or a mongod on the PATH',
    )
    .option('--keep', 'leave data and config in the folder trueup-demo/')
    .option('--serve', 'start the servers of a kept demo again, until Ctrl-C')
    .action((flags: Flags) =>
      dispatch('demo', async (session) => {
        const { demo } = await import('../demo-command.ts');
        return demo(session, flags);
      }),
    );
}
