import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTrueup, spawnTrueup } from './processes.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

describe('test/processes: the command as a process', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trueup-process-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('runs as it is published', async () => {
    expect(await runTrueup(['--version'])).toEqual({ code: 0, signal: null, stdout: `${version}\n`, stderr: '' });
  });

  it('is what npx runs in the checkout, in any of its folders', () => {
    expect(execFileSync('npx', ['--no', '--', 'trueup', '--version'], { cwd: join(root, 'test'), encoding: 'utf8' })).toBe(`${version}\n`);
  });

  it('reports how a process that is killed came to its end', async () => {
    // A module that is loaded first keeps it from getting anywhere.
    const wait = join(folder, 'wait.mjs');
    await writeFile(wait, `process.stderr.write('waiting'); await new Promise(() => setInterval(() => {}, 1000));`);
    await using stuck = spawnTrueup(['--version'], { nodeArgs: ['--import', wait] });
    expect((await stuck.waitForOutput(/wait(ing)/))[1]).toBe('ing');
    await expect(stuck.waitForExit(50)).rejects.toThrow(/has not ended\n.*\n.*waiting\nafter 50 ms/);
    stuck.kill('SIGSTOP');
    stuck.kill('SIGKILL');
    expect(await stuck.waitForExit()).toMatchObject({ code: null, signal: 'SIGKILL' });
    await expect(stuck.waitForOutput(/never/)).rejects.toThrow(/ended without printing/);
  });

  it('is ended by an abort', async () => {
    const wait = join(folder, 'wait-for-abort.mjs');
    await writeFile(wait, `await new Promise(() => setInterval(() => {}, 1000));`);
    const exit = await runTrueup(['--version'], { nodeArgs: ['--import', wait], signal: AbortSignal.timeout(100) });
    expect(exit).toMatchObject({ code: null, signal: 'SIGKILL' });
  });
});

describe('bin/trueup.js', () => {
  it('says what to do when Node.js is too old, instead of failing on its syntax', async () => {
    const old = join(tmpdir(), `trueup-old-node-${process.pid}.mjs`);
    await writeFile(old, `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } });`);
    try {
      const exit = await runTrueup(['--version'], { nodeArgs: ['--import', old] });
      expect(exit).toMatchObject({ code: 2, stdout: '' });
      expect(exit.stderr).toMatch(/trueup needs Node\.js 24 or newer/);
    } finally {
      await rm(old, { force: true });
    }
  });
});
