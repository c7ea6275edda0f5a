import { randomBytes } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { MongoClient } from 'mongodb';
import { TrueupError } from '../../errors.ts';
import { freePort } from '../free-port.ts';
import { launchMongod } from '../mongod-process.ts';
import { SET, initiate, waitForPrimary } from '../replica-set.ts';
import { databaseUrl } from './database-url.ts';

/** A database of the demo's own on a MongoDB server. */
export interface DemoMongo {
  readonly url: string;
  /** What it runs on: `8.0.4`. */
  readonly version: string;
  /** Of a server that the demo started; `null`: it is somebody's own. */
  readonly port: number | null;
  /** Whether it can keep checkpoints beside documents: a replica set can. */
  readonly isSet: boolean;
  readonly client: MongoClient;
  /** @param keep the database on somebody's own server stays */
  stop(keep: boolean): Promise<void>;
}

export const MONGO_URL = 'TRUEUP_DEMO_MONGODB_URL';

/**
 * The server at the url in the environment, else a `mongod` on the PATH, which is started with its data in the folder. Nothing is downloaded.
 *
 * @throws {TrueupError} `E_USAGE` when there is neither
 */
export async function findDemoMongo(folder: string, env: NodeJS.ProcessEnv): Promise<DemoMongo> {
  const given = env[MONGO_URL];
  if (given !== undefined && given !== '') return useServer(given);
  const binary = mongodOnPath(env);
  if (binary !== null) return startServer(binary, folder, null);
  throw new TrueupError('E_USAGE', `this demo needs MongoDB, and there is no mongod on the PATH`, {
    hint: `Install MongoDB (https://www.mongodb.com/docs/manual/installation/), or name a server that is to be used: ${MONGO_URL}=mongodb://… trueup demo --documents. With Docker: docker run --rm -p 27017:27017 mongo:8`,
  });
}

/** Starts the server of a kept demo again. */
export async function startKeptMongo(folder: string, port: number, env: NodeJS.ProcessEnv): Promise<DemoMongo> {
  const binary = mongodOnPath(env);
  if (binary === null)
    throw new TrueupError('E_USAGE', 'the kept demo needs the mongod that it was made with, and there is none on the PATH');
  return startServer(binary, folder, port);
}

export function mongodOnPath(env: NodeJS.ProcessEnv): string | null {
  const folders = (env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const name = process.platform === 'win32' ? 'mongod.exe' : 'mongod';
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function startServer(binary: string, folder: string, kept: number | null): Promise<DemoMongo> {
  const port = kept ?? (await freePort());
  const child = await launchMongod({ binary, dataDir: join(folder, 'mongo-server'), scratch: null, args: [], isSet: true }, port);
  const host = `127.0.0.1:${port}`;
  try {
    if (kept === null) await initiate(`mongodb://${host}/?directConnection=true`, [host]);
    await waitForPrimary(`mongodb://${host}/?replicaSet=${SET}`);
    const url = `mongodb://${host}/shop?replicaSet=${SET}`;
    const opened = await open(url);
    const stop = async (): Promise<void> => {
      await opened.client.close();
      await child.halt('SIGTERM');
    };
    return { ...opened, url, port, stop };
  } catch (error) {
    await child.halt('SIGKILL');
    throw error;
  }
}

async function useServer(given: string): Promise<DemoMongo> {
  const { url, hosts } = databaseUrl(given, `trueup_demo_${randomBytes(4).toString('hex')}`, MONGO_URL);
  try {
    const opened = await open(url);
    const stop = async (keep: boolean): Promise<void> => {
      if (!keep) await opened.client.db().dropDatabase();
      await opened.client.close();
    };
    return { ...opened, url, port: null, stop };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new TrueupError('E_UNREACHABLE', `the MongoDB server in ${MONGO_URL} (${hosts}) does not answer: ${said}`, { cause: error });
  }
}

async function open(url: string): Promise<Pick<DemoMongo, 'client' | 'version' | 'isSet'>> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 10_000, appName: 'trueup demo' });
  try {
    await client.connect();
    const { version } = (await client.db('admin').command({ buildInfo: 1 })) as unknown as { readonly version: string };
    const hello = (await client.db('admin').command({ hello: 1 })) as { readonly setName?: string; readonly msg?: string };
    return { client, version, isSet: hello.setName !== undefined || hello.msg === 'isdbgrid' };
  } catch (error) {
    await client.close();
    throw error;
  }
}
