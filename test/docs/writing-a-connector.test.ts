import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Connector, StreamRef } from '../../src/sdk.ts';
import { blocks, pages } from './markdown.ts';
import type { Page } from './markdown.ts';
import { startTracker } from './tracker-server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = pages().find(({ path }) => path === 'docs/writing-a-connector.md') as Page;
const [tracker = ''] = blocks(page, 'ts');
const NEVER = new AbortController().signal;
const STREAM: StreamRef = { name: 'issues', changes: { by: 'cursor' }, key: ['id'], fields: null, except: [], maxRecordBytes: 1_000_000 };

/** Names of the members of an interface in the source text of a module. */
function membersOf(file: string, name: string): string[] {
  const text = readFileSync(join(root, file), 'utf8').replaceAll(/\/\*[^]*?\*\//g, '');
  const body = new RegExp(`export interface ${name}\\b[^{]*\\{\\n([^]*?)\\n\\}`).exec(text)?.[1] ?? '';
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm)].map(([, member]) => member ?? '');
}

const CONTRACTS: readonly (readonly [file: string, names: readonly string[]])[] = [
  ['src/model/connector.ts', ['Connector', 'ConnectorContext']],
  ['src/model/contracts.ts', ['Source', 'Target', 'Lane', 'StreamRef', 'FetchRequest', 'Batch', 'TargetPlan']],
  ['src/model/checkpoint.ts', ['CheckpointStore']],
  ['src/model/feed.ts', ['Feed']],
];

async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'trueup-writing-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

describe('docs/writing-a-connector.md', () => {
  it('names every member of the contracts', () => {
    const found = CONTRACTS.flatMap(([file, names]) => names.flatMap((name) => membersOf(file, name).map((member) => `${name}.${member}`)));
    expect(found.length).toBeGreaterThan(70);
    const code = [...page.text.matchAll(/`([^`\n]+)`/g)].map(([, text]) => text ?? '').join(' ');
    expect(found.filter((member) => !new RegExp(`\\b${member.split('.')[1]}\\b`).test(code))).toEqual([]);
  });

  it('shows code that a strict compiler takes', { timeout: 120_000 }, async () => {
    const code = blocks(page, 'ts');
    expect(code.length).toBe(4);
    const folder = await folderWith(Object.fromEntries(code.map((text, index) => [`block-${index}.ts`, text])));
    await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    const at = (path: string): string[] => [join(root, path)];
    const paths = { 'trueup/sdk': at('src/sdk.ts'), 'trueup/testing': at('src/testing/index.ts') };
    const compilerOptions = { paths, noEmit: true };
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'] }),
    );
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = await promisify(execFile)(process.execPath, [compiler, '-p', folder]).catch(
      (error: unknown) => error as { stdout: string },
    );
    expect(stdout).toBe('');
  });

  it('has a source in 30 lines that reads a real API over HTTP, and goes on where it stood', async () => {
    expect(tracker.trim().split('\n').length).toBeLessThanOrEqual(30);
    const server = await startTracker();
    onTestFinished(() => server.close());
    const folder = await folderWith({ 'tracker.ts': tracker });
    const { default: connector } = (await import(join(folder, 'tracker.ts'))) as { default: Connector };
    const options = connector.options.parse({ url: server.url, token: server.token });
    const context = { connection: 'tracker', log: { debug() {}, info() {}, warn() {}, error() {} }, baseDir: folder };
    const source = connector.openSource?.(options, context) ?? expect.unreachable('a source');
    const [feed] = source.feeds([STREAM]);
    const read = async (after: unknown) => {
      const asked = {
        feed: feed ?? expect.unreachable('a feed'),
        streams: [STREAM],
        after: after as never,
        forms: new Map(),
        batchRows: 400,
        batchBytes: 1e6,
        until: 'drain' as const,
        signal: NEVER,
      };
      return (await Array.fromAsync(source.fetchChanges(asked))).filter(({ stream }) => stream !== null);
    };
    server.write(
      ...Array.from({ length: 1200 }, (_, index) => ({ id: index + 1, deleted: false, title: `issue ${index + 1}`, points: '1.50' })),
    );
    const first = await read(null);
    expect(first.reduce((sum, { records }) => sum + records.count, 0)).toBe(1200);
    server.write({ id: 7, deleted: true }, { id: 8, deleted: false, title: 'changed', points: 2 });
    const second = await read(first.at(-1)?.cursor ?? null);
    expect(second.flatMap(({ records }) => records.rows().map(([id, title]) => [id, title]))).toEqual(
      expect.arrayContaining([
        [7n, undefined],
        [8n, 'changed'],
      ]),
    );
    await source.close();
  });
});
