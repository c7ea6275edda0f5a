import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';

/** What `--json` printed, and how the process ended. */
export interface ChildResult {
  /** `null` when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly document: unknown;
}

export interface RunningTrueup {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<ChildResult>;
}

/** Starts `trueup … --json` as a process of its own in a folder, as a person or cron would. Aborting kills it. */
export function spawnTrueup(args: readonly string[], cwd: string, signal: AbortSignal): RunningTrueup {
  signal.throwIfAborted();
  const child = spawn(process.execPath, [launcher(), ...args, '--json', '--log-level', 'error'], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const onAbort = () => child.kill('SIGKILL');
  signal.addEventListener('abort', onAbort, { once: true });
  const ended = result(child, args).finally(() => signal.removeEventListener('abort', onAbort));
  ended.catch(() => {}); // Told to whoever waits for it.
  return { pid: child.pid ?? Number.NaN, kill: (name) => void child.kill(name), ended };
}

/** Runs `trueup … --json` to its end. @throws when it ends with another exit code than expected */
export async function runTrueup(
  args: readonly string[],
  { cwd, signal, expect = 0 }: { readonly cwd: string; readonly signal: AbortSignal; readonly expect?: number },
): Promise<unknown> {
  const { code, document } = await spawnTrueup(args, cwd, signal).ended;
  signal.throwIfAborted();
  if (code !== expect)
    throw new Error(`trueup ${args.join(' ')} ended with exit code ${code} instead of ${expect}:\n${JSON.stringify(document, null, 2)}`);
  return document;
}

function result(child: ChildProcess, args: readonly string[]): Promise<ChildResult> {
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (signal !== null) return resolve({ code, signal, document: null });
      try {
        resolve({ code, signal, document: JSON.parse(stdout) as unknown });
      } catch {
        reject(new Error(`trueup ${args.join(' ')} ended with exit code ${code} and printed no JSON document:\n${stdout}${stderr}`));
      }
    });
  });
}

/** The launcher of this very trueup, in a checkout and in an installed package alike. */
function launcher(): string {
  const packageFile = findPackageJSON('..', import.meta.url);
  if (packageFile === undefined) throw new Error('the package of trueup was not found');
  return join(dirname(packageFile), 'bin', 'trueup.js');
}
