import type { Command } from 'commander';
import type { App } from '../../api.ts';
import { TrueupError } from '../../errors.ts';
import type { Letter } from '../../model/checkpoint.ts';
import { typedKey } from '../../model/key-text.ts';
import type { Dispatch } from '../dispatch.ts';
import { parseKey } from '../letter-key.ts';
import type { Outcome } from '../outcome.ts';
import { withProgress } from '../progress-panel.ts';
import { letterDetails, letterTable } from '../render/letters.ts';
import { runOutcome } from '../run-outcome.ts';
import type { Session } from '../session.ts';
import { plural } from '../text/quantity.ts';
import { requireJobs, withApp } from '../with-app.ts';

interface Flags {
  readonly stream?: string;
  readonly all?: boolean;
}

export function addDeadLetters(program: Command, dispatch: Dispatch): void {
  const group = program
    .command('dead-letters')
    .summary('records that the target lacks, and why')
    .description('Records that the target lacks, each with its key and the reason. A run that delivers the key removes the letter.');
  const stream = ['--stream <name>', 'only letters of this stream'] as const;
  group
    .command('list')
    .description('List dead letters, of one job or of all.')
    .argument('[job]', 'name of a job')
    .option(...stream)
    .action((job: string | undefined, flags: Flags) =>
      dispatch('dead-letters list', (session) => withApp(session, (app) => list(session, app, { job, flags }))),
    );
  group
    .command('show')
    .description('Show letters in full.')
    .argument('<job>', 'name of a job')
    .argument('[key...]', KEY)
    .option(...stream)
    .action((job: string, keys: string[], flags: Flags) =>
      dispatch('dead-letters show', (session) => withApp(session, (app) => show(session, app, { job, keys, flags }))),
    );
  group
    .command('replay')
    .description('Read the records of these letters from the source again and write them.')
    .argument('<job>', 'name of a job')
    .argument('[key...]', `${KEY}; none: all of the job`)
    .option(...stream)
    .action((job: string, keys: string[], flags: Flags) =>
      dispatch('dead-letters replay', (session) =>
        withProgress(session, (onEvent) => withApp(session, (app) => replay(session, app, { job, keys, flags }), { onEvent })),
      ),
    );
  group
    .command('drop')
    .description('Forget letters. The target goes on lacking the records until they change in the source.')
    .argument('<job>', 'name of a job')
    .argument('[key...]', KEY)
    .option(...stream)
    .option('--all', 'all letters of the job or stream')
    .action((job: string, keys: string[], flags: Flags) =>
      dispatch('dead-letters drop', (session) => withApp(session, (app) => drop(session, app, { job, keys, flags }))),
    );
}

const KEY = 'keys as `dead-letters list` shows them: the plain value, or a JSON array for composite keys';

interface Wanted {
  readonly job: string;
  readonly keys: readonly string[];
  readonly flags: Flags;
}

async function list(
  { signals }: Session,
  app: App,
  { job, flags }: { readonly job: string | undefined; readonly flags: Flags },
): Promise<Outcome> {
  if (job !== undefined) requireJobs(app, [job]);
  const letters = await app.letters({ ...(job === undefined ? {} : { job }), ...streamOf(flags) }, signals.stop);
  return {
    exitCode: 0,
    document: { command: 'dead-letters list', exitCode: 0, letters: letters.map(withTypedKey) },
    text: (view) => letterTable(letters, view),
  };
}

async function show(session: Session, app: App, wanted: Wanted): Promise<Outcome> {
  const letters = await chosen(session, app, wanted);
  return {
    exitCode: 0,
    document: { command: 'dead-letters show', exitCode: 0, letters: letters.map(withTypedKey) },
    text: (view) => letterDetails(letters, view),
  };
}

/** Keys as they are typed on the command line. */
function withTypedKey(letter: Letter): Letter {
  return { ...letter, key: typedKey(letter.key) };
}

async function replay(session: Session, app: App, wanted: Wanted): Promise<Outcome> {
  const letters = await chosen(session, app, wanted);
  const keys = wanted.keys.length === 0 ? [] : letters.map((letter) => letter.key);
  const report = await app.replayLetters({ job: wanted.job, ...streamOf(wanted.flags), keys }, session.signals);
  return runOutcome('replay', report, app.config);
}

async function drop(session: Session, app: App, wanted: Wanted): Promise<Outcome> {
  const { job, keys, flags } = wanted;
  if (keys.length === 0 && flags.all !== true)
    throw new TrueupError('E_USAGE', 'no key given: name the letters to drop, or say --all', {
      hint: `\`trueup dead-letters list ${job}\` lists their keys.`,
    });
  const letters = await chosen(session, app, wanted);
  const dropped =
    letters.length === 0
      ? 0
      : await app.dropLetters({ job, ...streamOf(flags), keys: letters.map((letter) => letter.key) }, session.signals.stop);
  return {
    exitCode: 0,
    document: { command: 'dead-letters drop', exitCode: 0, job, dropped },
    text: () => `${plural(dropped, 'letter')} dropped`,
  };
}

/** The letters that are meant. @throws {TrueupError} `E_USAGE` for a key without a letter: a typing mistake must not pass for success */
async function chosen({ signals }: Session, app: App, { job, keys, flags }: Wanted): Promise<readonly Letter[]> {
  requireJobs(app, [job]);
  const letters = await app.letters({ job, ...streamOf(flags) }, signals.stop);
  if (keys.length === 0) return letters;
  const wanted = new Set(keys.map(parseKey));
  const found = letters.filter((letter) => wanted.has(letter.key));
  const missing = [...wanted].filter((key) => !found.some((letter) => letter.key === key));
  if (missing.length === 0) return found;
  const where = flags.stream === undefined ? `job '${job}'` : `stream '${flags.stream}' of job '${job}'`;
  throw new TrueupError('E_USAGE', `${where} has no dead letter with key ${missing.map(typedKey).join(', ')}`, {
    hint: `\`trueup dead-letters list ${job}\` lists the keys there are.`,
  });
}

function streamOf({ stream }: Flags): { stream?: string } {
  return stream === undefined ? {} : { stream };
}
