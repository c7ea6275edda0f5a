import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { releaseLeash, spawnLeashed } from './leash.ts';
import type { LeashedProcess } from './leash.ts';
import type { ServerUser } from './server-user.ts';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const LOG_TAIL_CHARS = 4_000;

/** How a server goes down: `fast` rolls back and flushes, `immediate` leaves recovery to the next start, `kill` is SIGKILL. */
export type StopMode = 'fast' | 'immediate' | 'kill';
const SIGNAL: Record<StopMode, NodeJS.Signals> = { fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' };

export interface LaunchOptions {
  readonly binDir: string;
  readonly dataDir: string;
  readonly scratchDir: string | null;
  readonly port: number;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly user: ServerUser | null;
}

/** One life of the server: from one start to its end. */
export interface PostgresProcess {
  /** Process id of the postmaster itself, not of the leash around it. */
  readonly pid: number;
  readonly running: boolean;
  halt(mode: StopMode): Promise<void>;
}

/** Nothing of the surroundings may steer the server (PGPORT, PGDATA, a locale that is not installed). */
export function serverEnvironment(): Record<string, string | undefined> {
  return { PATH: process.env['PATH'], TMPDIR: process.env['TMPDIR'], TZ: 'UTC', LC_ALL: 'C' };
}

/** Resolves once the server accepts connections. @throws with the end of the server's log when it does not come up */
export async function launchPostgres(options: LaunchOptions): Promise<PostgresProcess> {
  const child = spawnLeashed({
    command: join(options.binDir, 'postgres'),
    args: ['-D', options.dataDir, '-p', String(options.port), ...settingArguments(options.settings)],
    signal: 'INT',
    ...(options.scratchDir === null ? {} : { scratchDir: options.scratchDir }),
    ...options.user,
    env: serverEnvironment(),
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  try {
    await readiness(child);
    return handle(child, ended, await postmasterPid(options.dataDir));
  } catch (error) {
    releaseLeash(child);
    await ended;
    throw error;
  }
}

function settingArguments(settings: LaunchOptions['settings']): string[] {
  const all = { listen_addresses: '127.0.0.1', unix_socket_directories: '', ...settings };
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** Reads the log until the server says that it is ready, and drains it from then on, so that the server never blocks on a full pipe. */
function readiness(child: LeashedProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    const fail = (what: string) => reject(new Error(`PostgreSQL ${what}. The end of its log:\n${log.trim()}`));
    const timer = setTimeout(() => fail(`was not ready after ${START_TIMEOUT_MS / 1000} s`), START_TIMEOUT_MS);
    const read = (chunk: Buffer) => {
      log = (log + chunk.toString('utf8')).slice(-LOG_TAIL_CHARS);
      if (!/ready to accept (read-only )?connections/.test(log)) return; // read-only: a standby
      clearTimeout(timer);
      child.stderr.off('data', read).resume();
      resolve();
    };
    child.stderr.on('data', read);
    child.stdout.resume();
    child.once('error', (error) => fail(`cannot be started: ${error.message}`));
    child.once('close', (code) => {
      clearTimeout(timer);
      fail(`ended at once with code ${code}`);
    });
  });
}

async function postmasterPid(dataDir: string): Promise<number> {
  const lines = (await readFile(join(dataDir, 'postmaster.pid'), 'utf8')).split('\n');
  return Number(lines[0]);
}

function handle(child: LeashedProcess, ended: Promise<void>, pid: number): PostgresProcess {
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  return {
    pid,
    get running() {
      return isRunning();
    },
    async halt(mode) {
      if (isRunning()) process.kill(pid, SIGNAL[mode]);
      // A clean shutdown may wait for a backend that hangs; past the limit the postmaster is killed, and its backends end with it.
      const timer = setTimeout(() => isRunning() && process.kill(pid, 'SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}
