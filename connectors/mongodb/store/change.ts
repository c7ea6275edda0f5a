import type { ClientSession, Db, Document } from 'mongodb';
import type { Feed, Json, Letter, Owner, StoreChange } from '../../../src/sdk.ts';
import { fenced } from './fence.ts';
import { CHECKPOINTS, LEASES, LETTERS } from './transaction.ts';

export interface Saving {
  readonly owner: Owner;
  readonly what: StoreChange;
  readonly transaction: ClientSession;
}

/** Under the lease: of a change and a take-over at the same time, one fails. @throws {TrueupError} `E_FENCED` */
export async function saveChange(db: Db, saving: Saving): Promise<number> {
  const { owner, transaction } = saving;
  const held = await db
    .collection(LEASES)
    .updateOne({ _id: owner.job as never, epoch: owner.epoch, held: true }, { $inc: { saves: 1 } }, { session: transaction });
  if (held.matchedCount === 0) throw fenced(owner);
  return writeChange(db, saving);
}

/** Checkpoints and letters, in a transaction that is fenced by other means. Returns how many letters were resolved. */
export async function writeChange(db: Db, { owner, what, transaction }: Saving): Promise<number> {
  await write(db, CHECKPOINTS, checkpointWrites(owner, what), transaction);
  const resolved = (what.resolved ?? []).map((key) => ({ deleteOne: { filter: { _id: letterId(key) as never } } }));
  const { deletedCount } = await write(db, LETTERS, resolved, transaction);
  await write(db, LETTERS, (what.letters ?? []).map(letterWrite), transaction);
  return deletedCount;
}

async function write(
  db: Db,
  name: string,
  operations: readonly object[],
  session: ClientSession,
): Promise<{ readonly deletedCount: number }> {
  if (operations.length === 0) return { deletedCount: 0 };
  return db.collection(name).bulkWrite(operations as never, { session, ordered: true });
}

function checkpointWrites(owner: Owner, { checkpoints = [], dropFeeds = [] }: StoreChange): object[] {
  return [
    ...dropFeeds.map((feed) => ({ deleteOne: { filter: { _id: checkpointId(owner.job, feed) } } })),
    ...checkpoints.map(({ savedAt: _savedAt, ...checkpoint }) => ({
      updateOne: {
        filter: { _id: checkpointId(owner.job, checkpoint.feed.id) },
        update: [
          { $set: { ...literal({ job: owner.job, feed: checkpoint.feed.id, body: JSON.stringify(checkpoint) }), savedAt: '$$NOW' } },
        ],
        upsert: true,
      },
    })),
  ];
}

/** The text, so that digits and the order of names stay as they are. */
function letterWrite(letter: Letter): object {
  const { job, stream, key, attempts } = letter;
  return {
    updateOne: {
      filter: { _id: letterId(letter) },
      update: [
        {
          $set: {
            ...literal({ job, stream, key, body: JSON.stringify(letter) }),
            attempts: { $cond: [{ $eq: [{ $type: '$attempts' }, 'missing'] }, attempts, { $add: ['$attempts', 1] }] },
          },
        },
      ],
      upsert: true,
    },
  };
}

function literal(values: Readonly<Record<string, string>>): Document {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { $literal: value }]));
}

function checkpointId(job: string, feed: Feed['id']): Json {
  return { job, feed };
}

function letterId({ job, stream, key }: Pick<Letter, 'job' | 'stream' | 'key'>): Json {
  return { job, stream, key };
}
