import { Command, Option } from 'commander';
import { addBackfill } from './commands/backfill.ts';
import { addCheckpoint } from './commands/checkpoint.ts';
import { addConnectors } from './commands/connectors.ts';
import { addCopy } from './commands/copy.ts';
import { addDeadLetters } from './commands/dead-letters.ts';
import { addDemo } from './commands/demo.ts';
import { addDiscover } from './commands/discover.ts';
import { addInit } from './commands/init.ts';
import { addPlan } from './commands/plan.ts';
import { addRun } from './commands/run.ts';
import { addStart } from './commands/start.ts';
import { addStatus } from './commands/status.ts';
import { addTest } from './commands/test.ts';
import { addValidate } from './commands/validate.ts';
import { addVerify } from './commands/verify.ts';
import { addWhy } from './commands/why.ts';
import type { Dispatch } from './dispatch.ts';
import { LOG_LEVELS } from './flags.ts';

const GROUPS: readonly { readonly heading: string; readonly add: readonly ((program: Command, dispatch: Dispatch) => void)[] }[] = [
  { heading: 'Begin:', add: [addInit, addCopy, addDemo] },
  { heading: 'Look:', add: [addValidate, addConnectors, addDiscover, addPlan, addTest] },
  { heading: 'Work:', add: [addRun, addBackfill, addStart] },
  { heading: 'Watch and mend:', add: [addStatus, addVerify, addWhy, addCheckpoint, addDeadLetters] },
];

const EXIT_CODES = `
Exit codes:
  0  done                                5  a safety limit stopped it
  1  a feed failed after its retries     6  another run owns the job
  2  config, mapping or usage            7  unreachable, or access refused
  3  done, but with new dead letters    70  a bug in trueup
  4  source and target differ
  130, 143  stopped at a checkpoint by a signal`;

export interface ProgramOptions {
  readonly version: string;
  readonly dispatch: Dispatch;
  /** Takes the help that is shown because a command was left out. */
  readonly writeHelpForError: (text: string) => void;
}

/** Every command with its flags. Only what a command's action needs is loaded when it runs. */
export function buildProgram({ version, dispatch, writeHelpForError }: ProgramOptions): Command {
  const program = new Command('trueup')
    .description('Keeps data stores in step, and says what it guarantees.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .option('--config <file>', 'config file; default: trueup.yaml or trueup.config.ts here or in a folder above')
    .option('--json', 'print exactly one JSON document on stdout')
    .addOption(new Option('--log-level <level>', 'write JSON log lines on stderr from this level on').choices(LOG_LEVELS))
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    // Subcommands inherit it, so it must come before them. Errors themselves are told by the caller, in the one form that all errors have.
    .configureOutput({ outputError: () => {}, writeErr: writeHelpForError })
    .addHelpText('after', EXIT_CODES);
  for (const { heading, add } of GROUPS) {
    program.commandsGroup(heading);
    for (const addCommand of add) addCommand(program, dispatch);
  }
  return program.commandsGroup('Help:').helpCommand('help [command]', 'show help for a command');
}
