import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../src/demo/free-port.ts';
import { launchMongod } from '../../src/demo/mongod-process.ts';
import type { MongodLaunch } from '../../src/demo/mongod-process.ts';
import { SET, initiate, waitForPrimary } from '../../src/demo/replica-set.ts';

export interface MongoOptions {
  /** The program `mongod`. */
  readonly binary: string;
  /** Members of the replica set; `0`: a server that is none. Default 1. */
  readonly members?: number;
  /** Further arguments of every member. */
  readonly args?: readonly string[];
}

/** One process of a replica set. */
export interface MongoMember {
  readonly port: number;
  /** Connects to this member alone. */
  readonly url: string;
  /** Goes down and keeps its data until `start()`. `SIGKILL` as the out-of-memory killer does it. */
  halt(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  start(): Promise<void>;
}

/** Servers on 127.0.0.1 that end when this process ends, however it ends. */
export interface Mongo {
  readonly url: string;
  readonly members: readonly MongoMember[];
  /** For good: the data are removed. Harmless when repeated. */
  stop(): Promise<void>;
}

/** Starts a replica set, and waits for its primary. */
export async function startMongo({ binary, members: count = 1, args = [] }: MongoOptions): Promise<Mongo> {
  const scratch = await mkdtemp(join(tmpdir(), 'trueup-mongo-'));
  const isSet = count > 0;
  const members: Awaited<ReturnType<typeof startMember>>[] = [];
  const stop = async () => {
    await Promise.all(members.map((member) => member.halt()));
    await rm(scratch, { recursive: true, force: true });
  };
  try {
    for (let index = 0; index < Math.max(1, count); index++)
      members.push(await startMember({ binary, dataDir: join(scratch, String(index)), scratch, args, isSet }));
    const hosts = members.map(({ port }) => `127.0.0.1:${port}`);
    const url = isSet ? `mongodb://${hosts.join(',')}/?replicaSet=${SET}` : `mongodb://${hosts[0]}/?directConnection=true`;
    if (isSet) await initiate(members[0]?.url ?? '', hosts);
    await waitForPrimary(url);
    return { url, members, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startMember(launch: MongodLaunch) {
  const port = await freePort();
  let running = await launchMongod(launch, port);
  return {
    port,
    url: `mongodb://127.0.0.1:${port}/?directConnection=true`,
    halt: (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM') => running.halt(signal),
    start: async () => {
      if (!running.isRunning()) running = await launchMongod(launch, port);
    },
  };
}
