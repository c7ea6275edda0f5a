import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { isAlive, thisProcess } from '../../src/state/process-identity.ts';

describe('the identity of a process', () => {
  it('is the same each time it is asked for, and alive', () => {
    expect(thisProcess()).toEqual(thisProcess());
    expect(thisProcess()).toMatchObject({ host: hostname(), pid: process.pid });
    expect(isAlive(thisProcess())).toBe(true);
  });

  it('is not that of an earlier process with the same pid', () => {
    expect(isAlive({ ...thisProcess(), started: 'another boot 42' })).toBe(false);
  });

  it('is dead when no process has its pid', async () => {
    const child = spawn(process.execPath, ['--eval', '']);
    const { pid = 0 } = child;
    await once(child, 'close');
    expect(isAlive({ host: hostname(), pid, started: 'whenever' })).toBe(false);
  });

  it.runIf(process.platform === 'linux')('is that of another process as long as it lives', async () => {
    const child = spawn(process.execPath, ['--eval', 'process.stdin.resume()']);
    const { pid = 0 } = child;
    await once(child, 'spawn');
    expect(isAlive({ host: hostname(), pid, started: 'another boot 42' }), 'an earlier process with its pid').toBe(false);
    child.kill('SIGKILL');
    await once(child, 'close');
  });
});
