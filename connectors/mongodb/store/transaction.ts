import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientSession, Db } from 'mongodb';
import { isTrueupError } from '../../../src/sdk.ts';
import type { Session } from '../session.ts';

export const LEASES = 'trueup.leases';
export const CHECKPOINTS = 'trueup.checkpoints';
export const LETTERS = 'trueup.letters';
export const LANES = 'trueup.lanes';

export interface StoreContext {
  readonly session: Session;
  /** Changes of one process go one after the other: they would only abort each other. */
  queue: Promise<unknown>;
  made: Promise<void> | null;
  /**
   * The session of the last change, for the next one: the lease names it, so that whoever takes over can end a transaction whose owner died in the middle of it, which would hold the
   * lease for another minute. A transaction that this process lost on its way ends with the next one of the session as well.
   */
  idle: ClientSession | null;
}

export function openStoreContext(session: Session): StoreContext {
  return { session, queue: Promise.resolve(), made: null, idle: null };
}

/** A transaction that met another's is begun again: renewals and other processes touch the same lease for a moment. */
const ATTEMPTS = 20;
const PAUSE_MS = 25;

export async function inTransaction<T>(
  store: StoreContext,
  signal: AbortSignal,
  work: (db: Db, transaction: ClientSession) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  await makeCollections(store, signal);
  const turn = store.queue.then(() => attempts(store, signal, work));
  store.queue = turn.catch(() => undefined);
  return turn;
}

async function attempts<T>(store: StoreContext, signal: AbortSignal, work: (db: Db, transaction: ClientSession) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once(store, signal, work);
    } catch (error) {
      if (attempt >= ATTEMPTS || !isConflict(error)) throw error;
      await sleep(PAUSE_MS * Math.random() * attempt, undefined, { signal });
    }
  }
}

/** WriteConflict: another transaction, or a single write, has the document. */
function isConflict(error: unknown): boolean {
  const cause = isTrueupError(error) ? error.cause : error;
  return (cause as { readonly code?: unknown } | undefined)?.code === 112;
}

export const ATOMIC = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority', j: true },
  readPreference: 'primary',
} as const;

async function once<T>(store: StoreContext, signal: AbortSignal, work: (db: Db, transaction: ClientSession) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  return store.session.run(signal, async (db, client) => {
    const transaction = store.idle ?? client.startSession({ causalConsistency: false });
    store.idle = null;
    try {
      transaction.startTransaction(ATOMIC);
      const result = await work(db, transaction);
      signal.throwIfAborted();
      await transaction.commitTransaction();
      return result;
    } finally {
      if (transaction.inTransaction()) await transaction.abortTransaction().catch(() => undefined);
      // A change that was given up may end after another one has begun, in a session of its own.
      if (store.idle === null) store.idle = transaction;
      else await transaction.endSession().catch(() => undefined);
    }
  });
}

/** Before the first transaction: one that meets a new collection fails. */
export async function makeCollections(store: StoreContext, signal: AbortSignal): Promise<void> {
  store.made ??= store.session.run(signal, async (db) => {
    const there = new Set((await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name));
    for (const name of [LEASES, CHECKPOINTS, LETTERS, LANES].filter((one) => !there.has(one))) {
      await db.createCollection(name, { writeConcern: { w: 'majority', j: true } }).catch((error: { readonly code?: unknown }) => {
        if (error.code !== 48) throw error;
      });
    }
  });
  try {
    await store.made;
  } catch (error) {
    store.made = null;
    throw error;
  }
}
