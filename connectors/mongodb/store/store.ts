import type { Checkpoint, CheckpointStore, Letter } from '../../../src/sdk.ts';
import { saveChange } from './change.ts';
import { acquire, ownerOf, release, renew } from './lease.ts';
import { CHECKPOINTS, LETTERS, inTransaction } from './transaction.ts';
import type { StoreContext } from './transaction.ts';

/**
 * Checkpoints, leases and letters in collections beside the documents. A change is one transaction, which takes the lease's document: of a change
 * and a take-over at the same time, one fails.
 */
export function openStore(store: StoreContext): CheckpointStore {
  const { session } = store;
  return {
    atomic: 'on-request',
    acquire: (request, signal) => acquire(store, request, signal),
    renew: (owner, signal) => renew(store, owner, signal),
    release: (owner, signal) => release(store, owner, signal),
    owner: (job, signal) => ownerOf(store, job, signal),
    save: (owner, what, signal) => inTransaction(store, signal, (db, transaction) => saveChange(db, { owner, what, transaction })),
    list: async (job, signal) => {
      const found = await session.run(signal, (db) =>
        db
          .collection(CHECKPOINTS)
          .find(job === null ? {} : { job }, { ...READ, sort: { job: 1, feed: 1 } })
          .toArray(),
      );
      return found.map((one) => ({
        ...(JSON.parse(one['body'] as string) as Checkpoint),
        savedAt: (one['savedAt'] as Date).toISOString(),
      }));
    },
    letters: async ({ job, stream, limit }, signal) => {
      const filter = { ...(job === undefined ? {} : { job }), ...(stream === undefined ? {} : { stream }) };
      const found = await session.run(signal, (db) =>
        db
          .collection(LETTERS)
          .find(filter, { ...READ, sort: { job: 1, stream: 1, key: 1 }, ...(limit === undefined ? {} : { limit }) })
          .toArray(),
      );
      return found.map((one) => ({ ...(JSON.parse(one['body'] as string) as Letter), attempts: Number(one['attempts']) }));
    },
    close: async () => {},
  };
}

const READ = { readConcern: { level: 'majority' }, readPreference: 'primary' } as const;
