import { writeFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { TrueupError } from '../../errors.ts';
import type { StreamInfo } from '../../model/contracts.ts';
import { connectionFromUrl, initConfigText } from '../config-text.ts';
import type { ConnectionText } from '../config-text.ts';
import type { Dispatch } from '../dispatch.ts';
import type { Outcome } from '../outcome.ts';
import type { Session } from '../session.ts';
import { singleLine } from '../text/width.ts';

interface Flags {
  readonly source?: string;
  readonly target?: string;
}

export function addInit(program: Command, dispatch: Dispatch): void {
  program
    .command('init')
    .summary('write a commented config')
    .description(
      'Write a commented config, trueup.yaml or the file that --config names. Nothing is overwritten. Passwords go into environment variables, not into the file. With --source the database is asked which tables have no key; those are left out.',
    )
    .option('--source <url>', 'where the records come from: postgres://user@host/database')
    .option('--target <url>', 'where they go')
    .action((flags: Flags) => dispatch('init', (session) => init(session, flags)));
}

async function init(session: Session, flags: Flags): Promise<Outcome> {
  const path = resolve(session.cwd, session.flags.config ?? 'trueup.yaml');
  const file = relative(session.cwd, path) || path;
  const source = flags.source === undefined ? placeholder('source') : connectionFromUrl(flags.source, 'source');
  const target = flags.target === undefined ? placeholder('target') : connectionFromUrl(flags.target, 'target');
  const asked = flags.source === undefined ? null : await askSource(session, source.connector, flags.source);
  await writeNew(path, file, initConfigText(source, target, asked?.keyless ?? null));
  const variables = [source, target].flatMap(({ variable }) => (variable === undefined ? [] : [variable.name]));
  const next = nextSteps({ file, variables, named: session.flags.config !== undefined });
  return {
    exitCode: 0,
    document: { command: 'init', exitCode: 0, file: path, variables, ...asked, next },
    text: () => [`${file} written`, ...askedLines(asked), '', 'next:', ...next.map((step) => `  ${step}`)].join('\n'),
  };
}

/** What the source says of its tables: those of `public` without a key, or why it could not be asked. */
interface Asked {
  readonly keyless?: readonly string[];
  readonly unasked?: string;
}

/** How long the source may take. The config is written all the same. */
const ASK_MS = 5_000;

async function askSource({ log, cwd, signals }: Session, name: string, url: string): Promise<Asked> {
  const { connectors } = await import('../../../connectors/index.ts');
  const connector = (await connectors[name]?.())?.default;
  const source = connector?.openSource?.(connector.options.parse({ url }), { connection: 'source', log, baseDir: cwd });
  if (source === undefined) return {};
  try {
    const infos = await source.discover(AbortSignal.any([signals.stop, AbortSignal.timeout(ASK_MS)]));
    return { keyless: infos.filter(isKeyless).map((info) => info.name) };
  } catch (error) {
    signals.stop.throwIfAborted();
    return { unasked: error instanceof Error ? error.message : String(error) };
  } finally {
    await source.close();
  }
}

/** Of those that the config's wildcard stands for. */
function isKeyless({ name, kind, shape }: StreamInfo): boolean {
  return kind === 'table' && name.startsWith('public.') && shape.key.length === 0;
}

function askedLines(asked: Asked | null): string[] {
  if (asked?.unasked !== undefined)
    return [`  the source could not be asked for tables without a key, which a run would refuse: ${singleLine(asked.unasked)}`];
  const keyless = asked?.keyless ?? [];
  return keyless.length === 0 ? [] : [`  left out, because they have no key: ${singleLine(keyless.join(', '))}`];
}

/** Whole URLs from the environment, until somebody fills them in. */
function placeholder(role: 'source' | 'target'): ConnectionText {
  const name = `${role.toUpperCase()}_URL`;
  return { connector: 'postgres', url: `\${${name}}`, variable: { name, value: '' }, database: role };
}

interface Written {
  readonly file: string;
  readonly variables: readonly string[];
  readonly named: boolean;
}

function nextSteps({ file, variables, named }: Written): string[] {
  const flag = named ? ` --config ${file}` : '';
  return [
    ...variables.map((name) => `export ${name}=…`),
    `trueup validate${flag}`,
    `trueup plan${flag}`,
    `trueup run${flag}`,
    'echo .trueup/ >> .gitignore    (trueup keeps its state there)',
  ];
}

async function writeNew(path: string, file: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'wx' });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST')
      throw new TrueupError('E_USAGE', `${file} exists already; it was left as it is`, {
        hint: 'Edit it, or name another file with --config FILE.',
      });
    throw new TrueupError('E_USAGE', `${file} cannot be written: ${code ?? String(error)}`, {
      hint: 'Check the folder, or name another file with --config FILE.',
      cause: error,
    });
  }
}
