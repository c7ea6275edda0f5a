import type { Command } from 'commander';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { connectors } from '../../connectors/index.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { createConnectorLoader } from '../../src/config/connectors.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { createDatabase, describeWithPostgres } from '../servers/postgres.ts';
import { anchors, blocks, commandLines, localLinks, pages } from './markdown.ts';
import type { Page } from './markdown.ts';

const all = pages();
const page = (path: string): Page => all.find((one) => one.path === path) as Page;
const program = buildProgram({ version: '0', dispatch: () => Promise.resolve(), writeHelpForError: () => {} });

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'trueup-docs-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** What is wrong with a command line, `null` when the command line takes it. */
function commandProblem(line: string): string | null {
  const words = line.split(/\s+/);
  let command: Command = program;
  while (words[0] !== undefined) {
    const sub = command.commands.find((one) => one.name() === words[0]);
    if (sub === undefined) break;
    command = sub;
    words.shift();
  }
  const isFlag = words[0]?.startsWith('-') === true;
  if (command === program && !isFlag && words[0] !== 'help') return `no command '${words[0]}'`;
  const known = [...command.options, ...program.options].flatMap((option) => [option.long, option.short]).concat('--help');
  const unknown = words.filter((word) => /^--[a-z]/.test(word)).find((word) => !known.includes(word.replace(/[=|].*/, '')));
  return unknown === undefined ? null : `no flag '${unknown}'`;
}

describe('documentation', () => {
  it.each(all.map((one) => [one.path, one] as const))('%s links only to what is there', (path, one) => {
    const broken = localLinks(one).filter((link) => {
      const [target = '', anchor] = link.split('#');
      const file = target === '' ? path : join(dirname(path), target);
      if (!existsSync(file)) return true;
      return anchor !== undefined && !anchors({ path: file, text: readFileSync(file, 'utf8') }).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  it.each(all.map((one) => [one.path, one] as const))('%s names only commands and flags that exist', (_, one) => {
    expect(commandLines(one).flatMap((line) => (commandProblem(line) === null ? [] : [`trueup ${line}: ${commandProblem(line)}`]))).toEqual(
      [],
    );
  });

  it('is not checked by a test that finds nothing', () => {
    expect(commandLines(page('README.md')).length).toBeGreaterThan(8);
    expect(commandLines(page('docs/operations.md')).length).toBeGreaterThan(12);
    expect(commandProblem('rn --json')).toBe("no command 'rn'");
    expect(commandProblem('run --jsn')).toBe("no flag '--jsn'");
    expect(localLinks(page('README.md')).length).toBeGreaterThan(8);
  });

  it('README names every command', () => {
    const names = program.commands.map((command) => command.name()).filter((name) => name !== 'help');
    expect(names.filter((name) => !page('README.md').text.includes(`trueup ${name}`))).toEqual([]);
  });

  it('README shows a config and a mapping that load', async () => {
    const folder = await scratch();
    const [config = '', mapping = ''] = blocks(page('README.md'), 'yaml');
    await mkdir(join(folder, 'mappings'));
    await writeFile(join(folder, 'trueup.yaml'), config);
    await writeFile(join(folder, 'mappings', 'orders.yaml'), mapping);
    const env = { SHOP_URL: 'postgres://a/b', ARCHIVE_URL: 'postgres://a/c', MASK_KEY: 'k3y-of-the-mask' };
    const loaded = await loadConfig({ cwd: folder, env, loadConnector: createConnectorLoader(connectors) });
    expect(loaded.diagnostics).toEqual([]);
    expect([...(loaded.config?.jobs.keys() ?? [])]).toEqual(['shop-to-archive']);
  });
});

describeWithPostgres('documentation: programs.md', { timeout: 120_000 }, () => {
  it('runs a job from a program, and a config in TypeScript', async () => {
    const [source, target, folder] = [await createDatabase('shop'), await createDatabase('archive'), await scratch()];
    await source.query(
      'create table orders (id int primary key, updated_at timestamptz not null default now()); insert into orders values (1), (2)',
    );
    const [example = '', config = ''] = blocks(page('docs/programs.md'), 'ts');
    await writeFile(join(folder, 'trueup.config.ts'), config);
    await writeFile(join(folder, 'example.ts'), example.replace('trueup.yaml', 'trueup.config.ts'));
    vi.stubEnv('SHOP_URL', source.url);
    vi.stubEnv('ARCHIVE_URL', target.url);
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    const before = process.cwd();
    process.chdir(folder);
    onTestFinished(() => {
      process.chdir(before);
      vi.unstubAllEnvs();
      log.mockRestore();
    });
    await import(join(folder, 'example.ts'));
    expect(log.mock.calls).toEqual([['shop-to-archive', 'public.orders', 2, 2]]);
    expect(await target.query('select id from orders order by id')).toEqual([{ id: 1 }, { id: 2 }]);
  });
});
