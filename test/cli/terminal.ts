import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

/** util-linux's `script` gives a command a terminal of its own. */
export const hasTerminals = process.platform === 'linux' && existsSync('/usr/bin/script');

export interface TerminalOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly columns?: number;
}

/** Runs `trueup …` on a terminal and gives all that was written to it, escape sequences included. Arguments must need no quoting. */
export async function runOnTerminal(args: readonly string[], { cwd, env = {}, columns = 100 }: TerminalOptions): Promise<string> {
  const command = `stty cols ${columns} rows 30; exec ${process.execPath} ${resolve('bin/trueup.js')} ${args.join(' ')}`;
  const child = promisify(execFile)('/usr/bin/script', ['-qefc', command, '/dev/null'], {
    cwd,
    env: { ...process.env, TERM: 'xterm-256color', NO_COLOR: undefined, ...env },
    maxBuffer: 1 << 26,
  });
  child.child.stdin?.end();
  try {
    return (await child).stdout;
  } catch (error) {
    // The exit code is the command's own; what it wrote is what the test is about.
    return (error as { stdout: string }).stdout;
  }
}
