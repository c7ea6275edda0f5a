import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

/** One process, from its start to its end. */
export interface Measured {
  readonly wallMs: number;
  /** Of the process and its children. Absent where the system does not tell. */
  readonly cpuMs?: number;
  /** Of each server while the process ran. */
  readonly serverCpuMs?: Readonly<Record<string, number>>;
  /** Peak resident memory of the largest process of the command (bytes). */
  readonly rssBytes?: number;
  readonly stdout: string;
}

export interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Expected exit code. Default 0. */
  readonly expect?: number;
  /** Called with the process once it runs: to kill it at some moment. */
  readonly onStart?: (kill: () => void) => void;
}

export interface ServerProcess {
  readonly name: string;
  /** Of the parent of all its processes, asked anew: it changes with a restart. */
  pid(): number;
}

/** A clock tick of /proc (USER_HZ), which Linux fixes for user space. */
const TICK_MS = 10;
const SAMPLE_MS = 20;
/** How often all that runs is looked through for children: the look itself would be felt if it were oftener. */
const TREE_MS = 200;

/** Runs a command alone and tells what it took. @throws when it ends otherwise than expected, with what it printed */
export async function measure(command: Command, servers: readonly ServerProcess[]): Promise<Measured> {
  const before = { own: reapedCpuMs(), servers: servers.map(({ pid }) => treeCpuMs(pid())) };
  const startedAt = performance.now();
  const child = spawn(command.argv[0], command.argv.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    env: { ...process.env, ...command.env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  let rssBytes = 0;
  let tree = [child.pid ?? 0];
  let lookedAt = startedAt;
  const sample = () => {
    if (performance.now() - lookedAt > TREE_MS) {
      tree = treeOf(child.pid ?? 0);
      lookedAt = performance.now();
    }
    rssBytes = Math.max(rssBytes, peakRss(tree));
  };
  const sampling = setInterval(sample, SAMPLE_MS);
  command.onStart?.(() => child.kill('SIGKILL'));
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit, signal) => resolve(exit ?? signal ?? 'unknown'));
  });
  const wallMs = performance.now() - startedAt;
  clearInterval(sampling);
  const killed = command.onStart !== undefined && code === 'SIGKILL';
  if (code !== (command.expect ?? 0) && !killed)
    throw new Error(`${command.argv.join(' ')} ended with ${code}:\n${stdout.slice(-2000)}\n${stderr.slice(-2000)}`);
  const own = reapedCpuMs();
  return {
    wallMs,
    stdout,
    ...(rssBytes === 0 ? {} : { rssBytes }),
    ...(own === null || before.own === null ? {} : { cpuMs: own - before.own }),
    serverCpuMs: Object.fromEntries(
      servers.flatMap(({ name, pid }, index) => {
        const [then, now] = [before.servers[index] ?? null, treeCpuMs(pid())];
        return then === null || now === null ? [] : [[name, now - then]];
      }),
    ),
  };
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** Own time, and that of children that have ended (ms). */
  readonly own: number;
  readonly reaped: number;
}

function readStat(pid: number | 'self'): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program, in brackets, may hold anything.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const ticks = (index: number) => (fields[index] ?? 0) * TICK_MS;
    return { pid: Number.parseInt(text, 10), parent: fields[1] ?? 0, own: ticks(11) + ticks(12), reaped: ticks(13) + ticks(14) };
  } catch {
    return null;
  }
}

/** CPU time of the children of this process that have ended: servers run on, so they are not among them. */
function reapedCpuMs(): number | null {
  return readStat('self')?.reaped ?? null;
}

function allStats(): Stat[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => readStat(Number(name)) ?? []);
  } catch {
    return [];
  }
}

/** CPU time of a process, its children and those of them that have ended. */
function treeCpuMs(root: number): number | null {
  const stats = allStats();
  const top = stats.find(({ pid }) => pid === root);
  if (top === undefined) return null;
  return stats.filter(({ parent }) => parent === root).reduce((sum, { own, reaped }) => sum + own + reaped, top.own + top.reaped);
}

/** The high-water mark of the largest of these processes (bytes). */
function peakRss(tree: readonly number[]): number {
  return Math.max(0, ...tree.map(highWaterMark));
}

function treeOf(root: number): number[] {
  const stats = allStats();
  const tree = new Set([root]);
  for (let grown = true; grown;) {
    grown = false;
    for (const { pid, parent } of stats) {
      if (tree.has(pid) || !tree.has(parent)) continue;
      tree.add(pid);
      grown = true;
    }
  }
  return [...tree];
}

function highWaterMark(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
