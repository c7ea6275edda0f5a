import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export interface StateProcess {
  readonly pid: number;
  /** Lines of its standard output, as they come; ends with the process. */
  readonly lines: AsyncIterable<string>;
  kill(): Promise<void>;
}

/** Another process that works on a state file: runs `script` beside this file under the same Node. Killed when the test ends. */
export function startStateProcess(script: 'save-forever.ts' | 'acquire-once.ts', ...args: readonly string[]): StateProcess {
  const child: ChildProcess = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  onTestFinished(kill);
  if (child.stdout === null || child.pid === undefined) throw new Error(`${script} did not start`);
  return { pid: child.pid, lines: createInterface({ input: child.stdout }), kill };
}
