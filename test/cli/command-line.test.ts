import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runTrueup } from '../processes.ts';

const COMMANDS = [
  'init',
  'copy',
  'demo',
  'validate',
  'connectors',
  'discover',
  'plan',
  'test',
  'run',
  'backfill',
  'start',
  'status',
  'checkpoint',
  'dead-letters',
];

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trueup-cli-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const logLines = (stderr: string) =>
  stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** A process each, which takes its time on a machine that is busy. */
const PATIENCE = { timeout: 60_000 };

describe('cli: help', PATIENCE, () => {
  it('lists every command and the exit codes', async () => {
    const { code, stdout, stderr } = await runTrueup(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    expect(stdout).toContain('130, 143  stopped at a checkpoint by a signal');
  });

  it.each(COMMANDS)('of %s shows its own flags and those that all commands take', async (command) => {
    const { code, stdout } = await runTrueup([command, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: trueup ${command}`);
    for (const flag of ['--config', '--json', '--log-level']) expect(stdout).toContain(flag);
  });

  it('of nothing goes to stderr, exit 2, with nothing on stdout', async () => {
    const { code, stdout, stderr } = await runTrueup([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Usage: trueup');
  });

  it('says the version of the package', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect((await runTrueup(['--version'])).stdout).toBe(`${version}\n`);
  });
});

describe('cli: what is not understood', PATIENCE, () => {
  it.each([
    ['an unknown command, with a suggestion', ['statsu'], "unknown command 'statsu'. Did you mean status?"],
    ['an unknown flag, with a suggestion', ['run', '--ful'], "unknown option '--ful'. Did you mean --full?"],
    ['a bad duration', ['run', '--max-time', 'soon'], 'Expected a duration such as 30s'],
    ['a bad number', ['plan', '--sample', '0'], 'Expected a whole number from 1 on'],
    ['a word that is none of the choices', ['run', '--on-change', 'maybe'], 'Allowed choices are stop, rebackfill, from-now'],
    ['a missing argument', ['discover'], "missing required argument 'connection'"],
    ['a missing flag', ['copy', 'postgres://a/b', 'postgres://c/d'], "required option '--stream <name>' not specified"],
    ['too many arguments', ['validate', 'this'], 'too many arguments'],
    ['a URL without a connector', ['copy', 'ftp://a/b', 'postgres://c/d', '--stream', 's'], "no connector for the source's ftp:// URL"],
    [
      'a method that does not exist',
      ['copy', 'postgres://a/b', 'postgres://c/d', '--stream', 's', '--by', 'magic'],
      'Expected one of cursor, sequence',
    ],
  ])('is exit 2 and one log line: %s', async (_, args, message) => {
    const { code, stdout, stderr } = await runTrueup(args, { cwd: folder });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const lines = logLines(stderr);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: 'error', code: 'E_USAGE', msg: expect.stringContaining(message) as string });
  });

  it('is exactly one JSON document under --json', async () => {
    const { code, stdout } = await runTrueup(['run', '--nope', '--json'], { cwd: folder });
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      command: 'run',
      error: { code: 'E_USAGE', message: "unknown option '--nope'", hint: '`trueup run --help` shows what there is.' },
      exitCode: 2,
    });
  });

  it('is a document even without a command', async () => {
    const { code, stdout } = await runTrueup(['--json'], { cwd: folder });
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ command: 'trueup', error: { message: 'no command given' } });
  });

  it('never repeats the password of a URL', async () => {
    const { stdout, stderr } = await runTrueup(
      [
        'copy',
        'postgres://me:s3cret-pass@a/b',
        'postgres://me:s3cret-pass@a/b',
        '--stream',
        's',
        'postgres://me:s3cret-pass@a/b',
        '--log-level',
        'debug',
        '--json',
      ],
      { cwd: folder },
    );
    expect(stdout).toContain('too many arguments');
    expect(stdout + stderr).not.toContain('s3cret-pass');
  });
});

describe('cli: init', PATIENCE, () => {
  it('writes a commented config without passwords, and says what to do next', async () => {
    const { code, stdout } = await runTrueup(
      ['init', '--source', 'postgres://me:s3cret%2Fpass@db.example/shop', '--target', 'postgres://me@localhost/archive'],
      { cwd: folder },
    );
    expect(code).toBe(0);
    const written = await readFile(join(folder, 'trueup.yaml'), 'utf8');
    expect(written).toContain('url: "postgres://me:${SOURCE_PASSWORD}@db.example/shop"');
    expect(written).toContain('url: "postgres://me@localhost/archive"');
    expect(written).not.toContain('s3cret');
    expect(stdout).toContain('export SOURCE_PASSWORD=');
    expect(stdout).toContain('trueup validate');
    expect(stdout).toContain('.gitignore');
  });

  it('writes placeholders when no URL is given, into the file that is named', async () => {
    const { stdout } = await runTrueup(['init', '--config', 'other.yaml', '--json'], { cwd: folder });
    expect(JSON.parse(stdout)).toMatchObject({
      command: 'init',
      exitCode: 0,
      file: resolve(folder, 'other.yaml'),
      variables: ['SOURCE_URL', 'TARGET_URL'],
    });
    expect(await readFile(join(folder, 'other.yaml'), 'utf8')).toContain('url: "${SOURCE_URL}"');
  });

  it('overwrites nothing', async () => {
    await writeFile(join(folder, 'trueup.yaml'), 'mine');
    const { code, stderr } = await runTrueup(['init'], { cwd: folder });
    expect(code).toBe(2);
    expect(stderr).toContain('trueup.yaml exists already');
    expect(await readFile(join(folder, 'trueup.yaml'), 'utf8')).toBe('mine');
  });
});

describe('cli: pipes', PATIENCE, () => {
  it('ends quietly when the reader of stdout has gone', async () => {
    const child = spawn(process.execPath, [resolve('bin/trueup.js'), 'connectors', '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [code] = (await once(child, 'close')) as [number];
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('carry no colour and no cursor movement', async () => {
    const { stdout } = await runTrueup(['connectors'], { env: { NO_COLOR: undefined, TERM: 'xterm-256color' } });
    expect(stdout).toContain('postgres');
    expect(stdout).not.toContain('\u001b');
  });
});
