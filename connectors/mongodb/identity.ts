import type { Db, MongoClient } from 'mongodb';
import type { Session } from './session.ts';

/**
 * Names the data, not the address: id of the replica set or cluster, and the database. A standalone server has the id of its own system
 * collection, which is made once. Where the role may not read that, the name of the set must do, unless the connection gives an `identity`.
 */
export async function readIdentity(session: Session, signal: AbortSignal): Promise<string> {
  const { options, where, context } = session;
  if (options.identity !== undefined) return `mongodb:${options.identity}/${where.database}`;
  const { kind, setName } = await session.facts(signal);
  return session.run(signal, async (db, client) => {
    const id = kind === 'set' ? await setId(db) : kind === 'sharded' ? await clusterId(client) : await standaloneId(client);
    if (id !== null) return `mongodb:${id}/${where.database}`;
    context.log.warn(
      {},
      'the role may not read the id of the data (clusterMonitor): its set is told by its name; set `identity` to be certain',
    );
    return `mongodb:${setName ?? kind}/${where.database}`;
  });
}

async function setId(db: Db): Promise<string | null> {
  const reply = await permitted(db.admin().command({ replSetGetConfig: 1 }));
  const config = reply?.['config'] as { readonly settings?: { readonly replicaSetId?: { toHexString(): string } } } | undefined;
  return config?.settings?.replicaSetId?.toHexString() ?? null;
}

async function clusterId(client: MongoClient): Promise<string | null> {
  const version = await permitted(client.db('config').collection('version').findOne());
  return (version?.['clusterId'] as { toHexString(): string } | undefined)?.toHexString() ?? null;
}

async function standaloneId(client: MongoClient): Promise<string | null> {
  const found = await permitted(client.db('admin').listCollections({ name: 'system.version' }).toArray());
  const uuid = (found?.[0] as { readonly info?: { readonly uuid?: { toHexString(): string } } } | undefined)?.info?.uuid;
  return uuid?.toHexString() ?? null;
}

/** `null`: the role may not (Unauthorized). */
async function permitted<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 13) return null;
    throw error;
  }
}
