import { setTimeout as sleep } from 'node:timers/promises';
import { Int32 } from 'bson';
import { MongoClient, MongoServerError } from 'mongodb';
import type { Collection, Db } from 'mongodb';

/** What every document of the load is. */
export interface Loaded {
  readonly _id: number;
  readonly v: number;
  readonly s: string;
}

export const LOADED = ['a', 'b'] as const;

export interface Writers {
  readonly counts: Record<'inserts' | 'updates' | 'replaces' | 'deletes' | 'transactions' | 'aborts', number>;
  /** Ends after what is in flight. */
  stop(): Promise<void>;
}

const id = (number: number) => new Int32(number) as never;

/** Writers that insert, update, replace and delete in two collections, alone and in transactions of which some are taken back, through failovers. */
export async function startWriters(
  url: string,
  database: string,
  { writers, documents }: { writers: number; documents: number },
): Promise<Writers> {
  const client = await new MongoClient(url, { serverSelectionTimeoutMS: 30_000, writeConcern: { w: 'majority' } }).connect();
  const db = client.db(database);
  const counts = { inserts: 0, updates: 0, replaces: 0, deletes: 0, transactions: 0, aborts: 0 };
  let stopped = false;
  const write = async (writer: number): Promise<void> => {
    for (let turn = 0; !stopped; turn++) {
      try {
        await writeOnce(client, db, { writer, turn, documents, counts });
      } catch (error) {
        // While members elect a primary.
        if (!(error instanceof Error) || !(error instanceof MongoServerError || error.name.startsWith('Mongo'))) throw error;
      }
      await sleep(1 + Math.random() * 8);
    }
  };
  const working = Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  return {
    counts,
    stop: async () => {
      stopped = true;
      await working;
      await client.close();
    },
  };
}

interface Turn {
  readonly writer: number;
  readonly turn: number;
  readonly documents: number;
  readonly counts: Writers['counts'];
}

async function writeOnce(client: MongoClient, db: Db, { writer, turn, documents, counts }: Turn): Promise<void> {
  const chosen = () => Math.floor(Math.random() * documents);
  const collection = db.collection(LOADED[Math.random() < 0.5 ? 0 : 1]);
  const v = new Int32(turn);
  const fresh = 1_000_000 + writer * 100_000 + turn * 4;
  switch (Math.floor(Math.random() * 6)) {
    case 0:
      await collection.insertOne({ _id: id(fresh), v, s: `by ${writer}` });
      counts.inserts += 1;
      return;
    case 1:
      await collection.updateMany({ _id: { $in: [id(chosen()), id(chosen())] } }, { $set: { v, s: `updated by ${writer}` } });
      counts.updates += 1;
      return;
    case 2:
      await collection.replaceOne({ _id: id(chosen()) }, { v, s: `replaced by ${writer}` }, { upsert: true });
      counts.replaces += 1;
      return;
    case 3:
      await collection.deleteMany({ _id: { $in: [id(chosen()), id(fresh - 4)] } });
      counts.deletes += 1;
      return;
    default:
      await inTransaction(client, db, { fresh, chosen, v, counts });
  }
}

interface Transacted {
  readonly fresh: number;
  readonly chosen: () => number;
  readonly v: Int32;
  readonly counts: Writers['counts'];
}

async function inTransaction(client: MongoClient, db: Db, { fresh, chosen, v, counts }: Transacted): Promise<void> {
  const goes = Math.random() < 0.7;
  await client.withSession(async (session) => {
    session.startTransaction();
    for (const name of LOADED) {
      const collection: Collection = db.collection(name);
      await collection.insertMany(
        [
          { _id: id(fresh), v, s: name },
          { _id: id(fresh + 1), v, s: name },
        ],
        { session },
      );
      await collection.updateOne({ _id: id(chosen()) }, { $set: { v } }, { session });
      await collection.deleteOne({ _id: id(chosen()) }, { session });
    }
    await sleep(Math.random() * 30);
    if (goes) await session.commitTransaction();
    else await session.abortTransaction();
    counts[goes ? 'transactions' : 'aborts'] += 1;
  });
}

export async function seed(db: Db, documents: number): Promise<void> {
  for (const name of LOADED)
    for (let from = 0; from < documents; from += 5000)
      await db.collection(name).insertMany(
        Array.from({ length: Math.min(5000, documents - from) }, (_, index) => ({ _id: id(from + index), v: new Int32(0), s: 'seed' })),
        { writeConcern: { w: 'majority' } },
      );
}

/** Every document of a collection as one text, by key: an independent look. */
export async function contentOf(db: Db, name: string): Promise<string[]> {
  const found = await db
    .collection<Loaded>(name)
    .find({}, { sort: { _id: 1 }, readConcern: { level: 'majority' } })
    .toArray();
  return found.map(({ _id, v, s }) => `${_id} ${v} ${s}`);
}
