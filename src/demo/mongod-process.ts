import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { releaseLeash, spawnLeashed } from './leash.ts';
import type { LeashedProcess } from './leash.ts';
import { SET } from './replica-set.ts';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const LOG_TAIL_CHARS = 4_000;

export interface MongodLaunch {
  /** The program `mongod`. */
  readonly binary: string;
  readonly dataDir: string;
  /** Removed when this process dies; `null`: nothing is. */
  readonly scratch: string | null;
  readonly args: readonly string[];
  /** Whether it is to be a member of a replica set. */
  readonly isSet: boolean;
}

/** One life of a server on 127.0.0.1, which ends when this process ends, however it ends. */
export interface MongodProcess {
  isRunning(): boolean;
  halt(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/** Resolves once it listens. @throws with the end of its log when it does not come up */
export async function launchMongod(launch: MongodLaunch, port: number): Promise<MongodProcess> {
  const { binary, dataDir, scratch } = launch;
  await mkdir(dataDir, { recursive: true });
  const pidFile = join(dataDir, 'pid');
  const child = spawnLeashed({
    command: binary,
    args: [...argumentsOf(launch, port), '--pidfilepath', pidFile],
    signal: 'TERM',
    ...(scratch === null ? {} : { scratchDir: scratch }),
    env: { PATH: process.env['PATH'], HOME: dataDir, TZ: 'UTC', LC_ALL: 'C' },
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  try {
    await readiness(child);
  } catch (error) {
    releaseLeash(child);
    await ended;
    throw error;
  }
  return handle(child, ended, pidFile);
}

function argumentsOf({ dataDir, isSet, args }: MongodLaunch, port: number): string[] {
  const settings = { diagnosticDataCollectionEnabled: 'false', shutdownTimeoutMillisForSignaledShutdown: '100' };
  const place = ['--dbpath', dataDir, '--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket'];
  const engine = ['--wiredTigerCacheSizeGB', '0.25', '--wiredTigerEngineConfigString', 'log=(prealloc=false,file_max=8MB)'];
  const set = isSet ? ['--replSet', SET, '--oplogSize', '64'] : [];
  return [
    ...place,
    ...engine,
    ...set,
    ...Object.entries(settings).flatMap(([name, value]) => ['--setParameter', `${name}=${value}`]),
    ...args,
  ];
}

function handle(child: LeashedProcess, ended: Promise<void>, pidFile: string): MongodProcess {
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const kill = async (signal: 'SIGTERM' | 'SIGKILL') => {
    const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
    if (isRunning() && pid > 0) process.kill(pid, signal);
  };
  return {
    isRunning,
    halt: async (signal: 'SIGTERM' | 'SIGKILL') => {
      await kill(signal);
      const timer = setTimeout(() => void kill('SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** Reads the log until the server listens, and drains it from then on. */
function readiness(child: LeashedProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    const fail = (what: string) => reject(new Error(`mongod ${what}. The end of its log:\n${log.trim()}`));
    const timer = setTimeout(() => fail(`was not ready after ${START_TIMEOUT_MS / 1000} s`), START_TIMEOUT_MS);
    const read = (chunk: Buffer) => {
      const text = log + chunk.toString('utf8'); // one chunk may hold more than what is kept
      log = text.slice(-LOG_TAIL_CHARS);
      if (!text.includes('"Waiting for connections"')) return;
      clearTimeout(timer);
      child.stdout.off('data', read).resume();
      resolve();
    };
    child.stdout.on('data', read);
    child.stderr.resume();
    child.once('error', (error) => fail(`cannot be started: ${error.message}`));
    child.once('close', (code) => {
      clearTimeout(timer);
      fail(`ended at once with code ${code}`);
    });
  });
}
