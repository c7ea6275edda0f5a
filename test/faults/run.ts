import { mountSmallDisk } from '../servers/small-disk.ts';
import { faultsCommand } from '../../src/testing/faults/faults-command.ts';
import type { Pair } from '../../src/testing/faults/pair.ts';
import { findMongo } from '../servers/find-mongo.ts';
import { findPostgres } from '../servers/find-postgres.ts';
import { mongoPostgresPair } from './mongo-postgres-pair.ts';
import type { MongoServer } from './mongo-side.ts';
import { POSTGRES_KINDS } from './postgres-kinds.ts';
import { postgresMongoPair } from './postgres-mongo-pair.ts';
import { postgresPair } from './postgres-pair.ts';

/** Nothing here has to survive a power cut. */
const SETTINGS = { max_connections: 300, max_prepared_transactions: 100, fsync: 'off' };

/** `npm run faults`: the kit on every pair of connectors that comes with trueup, on servers of its own. */
async function main(args: readonly string[]): Promise<number> {
  const write = (text: string): void => void process.stdout.write(text);
  if (args.includes('--list') || args.includes('--help'))
    return faultsCommand({ args, pairs: pairs('', { url: '', binary: null }), write });
  const server = await findPostgres(SETTINGS);
  if (server.origin === 'none') throw new Error(`The faults are tried on PostgreSQL, but there is none: ${server.reason}.`);
  const mongo = await findMongo();
  if (mongo.origin === 'none') write(`The pairs of MongoDB are left out: ${mongo.reason}.\n`);
  try {
    return await faultsCommand({ args, pairs: pairs(server.url, mongo.origin === 'none' ? null : mongo, diskLack()), write });
  } finally {
    await server.stop();
    if (mongo.origin !== 'none') await mongo.stop();
  }
}

function pairs(serverUrl: string, mongo: MongoServer | null, lacks: Pair['lacks'] = {}): Pair[] {
  const postgres = POSTGRES_KINDS.map((kind) => postgresPair({ kind, serverUrl, lacks }));
  if (mongo === null) return postgres;
  const own = mongo.binary === null ? 'no mongod can be started here' : null;
  const toMongo = own === null ? lacks : { ...lacks, 'server-target': own, 'standby-target': own };
  const fromMongo = own === null ? lacks : { ...lacks, 'server-source': own, 'standby-source': own };
  return [
    ...postgres,
    postgresMongoPair({ serverUrl, mongo, checkpoints: 'beside', lacks: toMongo }),
    postgresMongoPair({ serverUrl, mongo, checkpoints: 'atomic', lacks: toMongo }),
    mongoPostgresPair({ serverUrl, mongo, lacks: fromMongo }),
  ];
}

function diskLack(): { readonly 'disk-target'?: string } {
  const disk = mountSmallDisk(10);
  disk?.unmount();
  return disk === null ? { 'disk-target': 'no small file system can be mounted here' } : {};
}

process.exitCode = await main(process.argv.slice(2));
