import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { commandTool } from './tools/command.ts';
import { TOOLS } from './tools/table.ts';
import { TESTS } from './tests/table.ts';
import type { LossTest, Sizes } from './tests/table.ts';
import type { Tool } from './tool.ts';

export interface Options {
  readonly help: boolean;
  /** Only write the table from the results that there are. */
  readonly report: boolean;
  readonly install: boolean;
  readonly tools: readonly Tool[];
  readonly tests: readonly LossTest[];
  readonly sizes: Sizes;
  readonly seed: number;
  readonly toolsDir: string;
  /** Keep the results: off for a command of one's own, whose results are printed only. */
  readonly keep: boolean;
}

export const HELP = `Looks for rows that a sync tool loses: npm run bench:loss -- [options]

  --tools a,b        of: ${TOOLS.map(({ name }) => name).join(', ')}; default: all
  --tests a,b        of: ${TESTS.map(({ name }) => name).join(', ')}; default: all
  --install          first install tools that are missing, by package name and version, outside of this repository
  --tools-dir PATH   where tools are installed; default: ~/.cache/trueup-bench-loss
  --seconds N        how long the writers write; default 30        --writers N   default 8
  --pause-ms N       between two runs of the tool; default 300     --seed N      default 1
  --rows N           of the first load that is killed; default 50000
  --kills N          of first loads, and as many of increments; default 3
  --report           run nothing; write the table into docs/comparison.md from bench/results

Any other tool, by its command line:
  --command TEXT     brings {target} up to date from {source} once; a shell command, {dir} is a folder of its own that is kept
                     between runs, {table} the source table (key id, cursor updated_at)
  --prepare TEXT     run once before the first run, with the same words
  --writes S.T       the table that it writes; default public.orders
  --name NAME        default: command                              --keep        also write bench/results/loss-NAME.json

Tests:
${TESTS.map(({ name, summary }) => `  ${name.padEnd(18)} ${summary}`).join('\n')}
`;

/** @throws an Error that says which option is wrong */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      report: { type: 'boolean', default: false },
      install: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      tools: { type: 'string' },
      tests: { type: 'string' },
      'tools-dir': { type: 'string', default: join(homedir(), '.cache', 'trueup-bench-loss') },
      seconds: { type: 'string', default: '30' },
      writers: { type: 'string', default: '8' },
      'pause-ms': { type: 'string', default: '300' },
      rows: { type: 'string', default: '50000' },
      kills: { type: 'string', default: '3' },
      seed: { type: 'string', default: '1' },
      command: { type: 'string' },
      prepare: { type: 'string' },
      writes: { type: 'string', default: 'public.orders' },
      name: { type: 'string', default: 'command' },
    },
  });
  const number = (name: 'seconds' | 'writers' | 'pause-ms' | 'rows' | 'kills' | 'seed') => positive(name, values[name]);
  const own = values.command === undefined ? null : ownTool({ ...values, template: values.command });
  return {
    help: values.help,
    report: values.report,
    install: values.install,
    keep: own === null || values.keep,
    tools: own === null ? choose('tools', TOOLS, values.tools) : [own],
    tests: choose('tests', TESTS, values.tests),
    sizes: {
      seconds: number('seconds'),
      writers: number('writers'),
      pauseMs: number('pause-ms'),
      rows: number('rows'),
      kills: number('kills'),
    },
    seed: number('seed'),
    toolsDir: values['tools-dir'],
  };
}

function ownTool(values: { name: string; template: string; prepare?: string | undefined; writes: string }): Tool {
  const [schema, name, ...rest] = values.writes.split('.');
  if (!schema || !name || rest.length > 0) throw new Error(`--writes wants schema.table, but got '${values.writes}'.`);
  if (!/^[a-z0-9-]+$/.test(values.name)) throw new Error(`--name wants small letters, digits and '-', but got '${values.name}'.`);
  const prepare = values.prepare === undefined ? {} : { prepare: values.prepare };
  return commandTool({ name: values.name, template: values.template, writes: { schema, name }, ...prepare });
}

function positive(name: string, text: string): number {
  if (!/^\d+$/.test(text) || Number(text) === 0) throw new Error(`--${name} wants a whole number from 1 on, but got '${text}'.`);
  return Number(text);
}

function choose<T extends { readonly name: string }>(option: string, all: readonly T[], list: string | undefined): readonly T[] {
  if (list === undefined) return all;
  return list.split(',').map((name) => {
    const found = all.find((one) => one.name === name.trim());
    if (found === undefined) throw new Error(`--${option}: unknown '${name}'. Known: ${all.map((one) => one.name).join(', ')}.`);
    return found;
  });
}
