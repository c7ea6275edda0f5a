import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { EmbeddedPostgres } from '../../src/demo/embedded-postgres.ts';
import type { Need, OpenPair } from '../../src/testing/faults/pair.ts';
import { startTcpProxy } from '../../src/testing/faults/tcp-proxy.ts';
import { launchOwnPostgres } from '../servers/own-postgres.ts';
import { dropDatabase, uniqueName, withClient, withDatabase } from '../servers/postgres-admin.ts';
import { mountSmallDisk } from '../servers/small-disk.ts';
import type { SmallDisk } from '../servers/small-disk.ts';
import { startStandby } from '../servers/standby.ts';

/** One database, and ways to it that trueup does not take. */
export interface PostgresSide {
  readonly side: OpenPair['target'];
  with<T>(work: (client: pg.Client) => Promise<T>): Promise<T>;
  /** A connection of its own; whoever asks for it ends it. */
  connect(): Promise<pg.Client>;
  close(): Promise<void>;
}

/** Room for a server and a little work. */
const DISK_MIB = 260;

/** What has to be undone in the end, last first. */
type Undo = (() => Promise<void>)[];

export async function openPostgresSide(sharedUrl: string, role: 'source' | 'target', needs: readonly Need[]): Promise<PostgresSide> {
  const undo: Undo = [];
  const has = (what: string): boolean => needs.includes(`${what}-${role}` as Need);
  try {
    const disk = has('disk') ? smallDisk(undo) : null;
    const own = disk !== null || has('server') || has('standby') ? await ownServer(undo, disk) : null;
    const name = uniqueName(role);
    const serverUrl = own?.url ?? sharedUrl;
    await withClient(serverUrl, (admin) => admin.query(`create database ${name}`));
    if (own === null) undo.push(() => dropDatabase(sharedUrl, name));
    return await assemble({ url: withDatabase(serverUrl, name), name, own, disk, proxied: has('proxy'), standby: has('standby'), undo });
  } catch (error) {
    await undoAll(undo);
    throw error;
  }
}

interface Parts {
  readonly url: string;
  readonly name: string;
  readonly own: EmbeddedPostgres | null;
  readonly disk: SmallDisk | null;
  readonly proxied: boolean;
  readonly standby: boolean;
  readonly undo: Undo;
}

async function assemble({ url, name, own, disk, proxied, standby, undo }: Parts): Promise<PostgresSide> {
  let current = url;
  const proxy = proxied || standby ? await startTcpProxy(url) : null;
  if (proxy !== null) undo.push(() => proxy.close());
  const spare = standby && own !== null ? await startStandby(own) : null;
  if (spare !== null) undo.push(() => spare.stop());
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: current });
    client.on('error', () => undefined); // servers go away on purpose; the next query says so
    await client.connect();
    return client;
  };
  return {
    side: {
      connector: 'postgres',
      options: { url: proxy?.url(url) ?? url, connectTimeout: '2s' },
      ...(proxy === null ? {} : { proxy }),
      ...(own === null ? {} : { server: { stop: () => own.halt('immediate'), start: () => own.start() } }),
      ...(spare === null || own === null || proxy === null
        ? {}
        : {
            async failOver() {
              await own.kill();
              await spare.promote();
              current = withDatabase(spare.server.url, name);
              proxy.forward(spare.server.url);
            },
          }),
      ...(disk === null || own === null ? {} : { disk: { fill: async () => disk.fill(), free: () => freeDisk(disk, own) } }),
    },
    connect,
    async with(work) {
      const client = await connect();
      try {
        return await work(client);
      } finally {
        await client.end();
      }
    },
    close: () => undoAll(undo),
  };
}

function smallDisk(undo: Undo): SmallDisk {
  const disk = mountSmallDisk(DISK_MIB);
  if (disk === null) throw new Error('No small file system can be mounted here.');
  undo.push(async () => disk.unmount());
  return disk;
}

async function ownServer(undo: Undo, disk: SmallDisk | null): Promise<EmbeddedPostgres> {
  const own = await launchOwnPostgres(
    disk === null ? {} : { dataDir: `${disk.path}/data`, settings: { max_wal_size: '64MB', min_wal_size: '32MB' } },
  );
  undo.push(() => own.stop());
  return own;
}

/** A server whose disk was full may have shut itself down, or be about to. */
async function freeDisk(disk: SmallDisk, own: EmbeddedPostgres): Promise<void> {
  disk.free();
  for (let round = 0; round < 100; round += 1) {
    try {
      await own.start();
      await withClient(own.url, (client) => client.query('create temp table room as select 1'));
      return;
    } catch {
      await sleep(100);
    }
  }
}

async function undoAll(undo: Undo): Promise<void> {
  for (const one of undo.splice(0).reverse()) await one();
}
