import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { TrueupError } from '../../errors.ts';
import { CHANGE_METHODS } from '../../model/contracts.ts';
import { connectionFromUrl, copyConfigText } from '../config-text.ts';
import type { ConnectionText } from '../config-text.ts';
import type { Dispatch } from '../dispatch.ts';
import { collect } from '../flags.ts';
import type { Outcome } from '../outcome.ts';
import { withProgress } from '../progress-panel.ts';
import { runOutcome } from '../run-outcome.ts';
import type { Session } from '../session.ts';
import { withApp } from '../with-app.ts';

interface Flags {
  readonly stream?: readonly string[];
  readonly key?: readonly string[];
  readonly by?: { readonly by: string; readonly field?: string };
  readonly format?: string;
  readonly save?: string;
}

export function addCopy(program: Command, dispatch: Dispatch): void {
  program
    .command('copy')
    .summary('bring one stream from URL to URL, without a config')
    .description(
      'Bring streams from one URL to another without a config. The same engine: run it again to bring what changed since. State goes into .trueup/ here.',
    )
    .argument('<source>', 'URL such as postgres://user@host/database, a file or folder, or - for stdin')
    .argument('<target>', 'the same; - for stdout')
    .option('--stream <name>', 'stream to copy, such as public.orders; may be repeated; of a single file it need not be said', collect)
    .option('--key <fields>', 'key fields, separated by commas; default: the primary key', parseFields)
    .option('--by <method>', 'how changes are found, such as xmin or cursor:updated_at; default: the best there is', parseMethod)
    .addOption(new Option('--format <format>', 'what stdin holds and stdout gets; default: jsonl').choices(['csv', 'jsonl']))
    .option('--save <file>', 'write the config that this stands for')
    .action((source: string, target: string, flags: Flags) => dispatch('copy', (session) => copy(session, [source, target], flags)));
}

async function copy(session: Session, urls: readonly [string, string], flags: Flags): Promise<Outcome> {
  const { key, by, format, save } = flags;
  const [source, target] = withFormat([connectionFromUrl(urls[0], 'source'), connectionFromUrl(urls[1], 'target')], format);
  const streams = flags.stream ?? (source.file?.stream === undefined ? [] : [source.file.stream]);
  if (streams.length === 0)
    throw new TrueupError('E_USAGE', "required option '--stream <name>' not specified", {
      hint: 'Say which to copy, such as --stream public.orders. Only a single file needs no name.',
    });
  const text = await copyConfigText({
    source,
    target,
    job: jobName(source, target),
    streams,
    ...(key === undefined ? {} : { key }),
    ...(by === undefined ? {} : { changes: by }),
  });
  const file = save === undefined ? undefined : resolve(session.cwd, save);
  if (file !== undefined && existsSync(file))
    throw new TrueupError('E_USAGE', `${save} exists already; it was left as it is`, { hint: 'Name another file with --save FILE.' });
  const passwords = [source, target].flatMap(({ variable }) => (variable === undefined ? [] : [[variable.name, variable.value] as const]));
  const env = { ...session.env, ...Object.fromEntries(passwords) };
  return withProgress(session, (onEvent) =>
    withApp(
      session,
      async (app) => {
        if (file !== undefined) await writeFile(file, text, { flag: 'wx' });
        const report = await app.run({ jobs: [] }, session.signals);
        const outcome = withFlags(runOutcome('copy', report, app.config));
        return saved(outcome, { save, variables: passwords.map(([name]) => name) });
      },
      { onEvent, env, config: { ...(file === undefined ? {} : { file }), text } },
    ),
  );
}

/** Files say their format by their names. */
function withFormat(
  sides: readonly [ConnectionText, ConnectionText],
  format: string | undefined,
): readonly [ConnectionText, ConnectionText] {
  if (format === undefined) return sides;
  const isStream = ({ file }: ConnectionText): boolean => file?.options['path'] === '-';
  if (!sides.some(isStream))
    throw new TrueupError('E_USAGE', '--format is of stdin and stdout, and neither side is -', {
      hint: 'Files say their format by their names, such as orders.csv.gz; a config can say it of others with `format:`.',
    });
  const [source, target] = sides;
  const formatted = (side: ConnectionText): ConnectionText =>
    side.file !== undefined && isStream(side) ? { ...side, file: { ...side.file, options: { ...side.file.options, format } } } : side;
  return [formatted(source), formatted(target)];
}

/** What the config would be told by keys, `copy` is told by flags. */
function withFlags(outcome: Outcome): Outcome {
  if (outcome.exitCode !== 2) return outcome;
  const flags = '`key:` is --key here, and `changes:` is --by: see `trueup copy --help`';
  return { ...outcome, text: (view) => `${outcome.text(view)}\n${view.style.dim('next:')} ${flags}` };
}

function saved(
  outcome: Outcome,
  { save, variables }: { readonly save: string | undefined; readonly variables: readonly string[] },
): Outcome {
  if (save === undefined) return outcome;
  const needs = variables.length === 0 ? '' : ` (set ${variables.join(' and ')} first)`;
  return { ...outcome, text: (view) => `${outcome.text(view)}\n${save} written; from now on: trueup run --config ${save}${needs}` };
}

/** The same for the same two databases, so that a second copy resumes; another for others, so that checkpoints never meet. */
function jobName(source: ConnectionText, target: ConnectionText): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([source.url, target.url]))
    .digest('hex')
    .slice(0, 6);
  return `${plain(source.database)}-to-${plain(target.database)}-${digest}`;
}

function plain(name: string): string {
  return (
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9_]+/g, '-')
      .replaceAll(/^-+|-+$/g, '') || 'db'
  );
}

function parseFields(text: string): string[] {
  const fields = text.split(',').map((field) => field.trim());
  if (fields.includes('')) throw new InvalidArgumentError('Expected field names separated by commas.');
  return fields;
}

function parseMethod(text: string): { by: string; field?: string } {
  const [by = '', ...rest] = text.split(':');
  const field = rest.join(':');
  if (!(CHANGE_METHODS as readonly string[]).includes(by))
    throw new InvalidArgumentError(`Expected one of ${CHANGE_METHODS.join(', ')}, with its field as in cursor:updated_at.`);
  return field === '' ? { by } : { by, field };
}
