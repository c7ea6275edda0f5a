import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { OwnerProcess } from '../model/checkpoint.ts';

/** This process as the owner of a lease. */
export function thisProcess(): OwnerProcess {
  return { host: hostname(), pid: process.pid, started: startOf(process.pid) ?? `since ${fallbackStart}` };
}

/** Without /proc: ms since 1970 when this process started, the same for its whole life. */
const fallbackStart = Math.round(Date.now() - process.uptime() * 1000);

/**
 * Whether a process recorded on this host still lives. A pid that another process has by now, or that was recorded before the machine
 * started again, is dead. Where the start time of others cannot be read, any process with the pid counts as alive: a lease then has to run out.
 */
export function isAlive(owner: OwnerProcess): boolean {
  if (owner.pid === process.pid && owner.host === hostname()) return owner.started === thisProcess().started;
  const started = startOf(owner.pid);
  if (started !== null) return started === owner.started;
  return canReadStart() ? false : answersToSignal(owner.pid);
}

/** On Linux: the boot of the machine, and the start of the process in clock ticks after it. `null`: no such process, or another system. */
function startOf(pid: number): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets and may hold anything; the state is field 3, the start field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, ticks] = [fields[0], fields[19]];
    const isGone = state === 'Z' || state === 'X';
    return ticks === undefined || isGone ? null : `${boot} ${ticks}`;
  } catch {
    return null;
  }
}

function canReadStart(): boolean {
  return startOf(process.pid) !== null;
}

function answersToSignal(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
