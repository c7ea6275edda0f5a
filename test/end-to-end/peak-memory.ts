import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Exit, TrueupProcess } from '../processes.ts';
import { ranOf } from './scenario.ts';
import type { Ran } from './scenario.ts';

/** What the README promises for a process, whatever it carries (bytes). */
export const MEMORY_LIMIT = 256 * 1024 * 1024;

/** Waits for the end of a run and tells the most memory that it held (bytes), as the kernel counted it. */
export async function peakMemory(running: TrueupProcess, timeoutMs: number): Promise<{ readonly ran: Ran; readonly peakBytes: number }> {
  const { exit, peakBytes } = await exitAndPeak(running, timeoutMs);
  return { ran: ranOf(exit), peakBytes };
}

/** The same for any command. */
export async function exitAndPeak(running: TrueupProcess, timeoutMs: number): Promise<{ readonly exit: Exit; readonly peakBytes: number }> {
  let peakBytes = 0;
  const look = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${running.pid}/status`, 'utf8');
      peakBytes = Math.max(peakBytes, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024);
    } catch {
      // it has ended
    }
  }, 20);
  try {
    const exit = await running.waitForExit(timeoutMs);
    expect(peakBytes).toBeGreaterThan(0);
    return { exit, peakBytes };
  } finally {
    clearInterval(look);
  }
}
