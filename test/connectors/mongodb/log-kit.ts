import { Int32 } from 'bson';
import type { ClientSession, Collection } from 'mongodb';
import type { StreamRef } from '../../../src/sdk.ts';
import type { SourceFixture, TestRecord } from '../../../src/testing/index.ts';
import { createMongoDatabase } from '../../servers/mongo.ts';
import { openSource, streamRef } from './source-kit.ts';
import type { More } from './source-kit.ts';

export interface LogFixture {
  readonly options?: More;
  /** Whether the collection keeps pre- and post-images. */
  readonly images?: boolean;
  readonly server?: string;
}

export function logRef(name: string, more: Partial<StreamRef> = {}): StreamRef {
  return streamRef(name, { changes: { by: 'log' }, ...more });
}

interface Thing {
  readonly _id: never;
  readonly [name: string]: unknown;
}

/** `things` in a database of its own. Every call writes in one transaction, so several events share it. */
export async function logFixture({ options = {}, images = false, server }: LogFixture = {}): Promise<SourceFixture> {
  const database = await createMongoDatabase('log', server);
  await database.db.createCollection('things', images ? { changeStreamPreAndPostImages: { enabled: true } } : {});
  const things = database.db.collection<Thing>('things');
  const inOne = (write: (session: ClientSession) => Promise<void>) =>
    database.client.withSession((session) => session.withTransaction(() => write(session)));
  return {
    stream: logRef('things'),
    fields: { id: '_id', label: 'label' },
    // An update is a look-up, and those of one record become one within a batch: how many there are depends on where the server cuts its answers.
    repeats: 'after-interruption',
    open: () => openSource(database.url, options),
    insert: (records) => inOne((session) => insert(things, records, session)),
    update: (records) => inOne((session) => update(things, records, session)),
    delete: (ids) => inOne((session) => remove(things, ids, session)),
    truncate: async () => {
      await things.drop();
    },
    begin: async () => {
      const session = database.client.startSession();
      session.startTransaction();
      return {
        insert: (records) => insert(things, records, session),
        update: (records) => update(things, records, session),
        commit: async () => {
          await session.commitTransaction();
          await session.endSession();
        },
        rollback: async () => {
          await session.abortTransaction();
          await session.endSession();
        },
      };
    },
    close: () => database.drop(),
  };
}

async function insert(things: Collection<Thing>, records: readonly TestRecord[], session: ClientSession): Promise<void> {
  await things.insertMany(records.map(thing), { session });
}

async function update(things: Collection<Thing>, records: readonly TestRecord[], session: ClientSession): Promise<void> {
  for (const { id, label } of records) await things.updateOne({ _id: new Int32(id) as never }, { $set: { label } }, { session });
}

async function remove(things: Collection<Thing>, ids: readonly number[], session: ClientSession): Promise<void> {
  await things.deleteMany({ _id: { $in: ids.map((id) => new Int32(id) as never) } }, { session });
}

/** Richer than the contract asks for: documents, lists, numbers of all kinds, and fields that are not always there. */
function thing({ id, label }: TestRecord): Thing {
  return {
    _id: new Int32(id) as never,
    label,
    customer: { name: `c${id}`, tags: ['a', new Int32(id)] },
    ...(id % 3 === 0 ? { extra: { deep: null } } : {}),
  };
}
