import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientSession, Db } from 'mongodb';
import { isTrueupError } from '../../../src/sdk.ts';
import type { Owner } from '../../../src/sdk.ts';
import type { Session } from '../session.ts';
import { fenced } from './fence.ts';
import { LANES, LEASES, inTransaction } from './transaction.ts';
import type { StoreContext } from './transaction.ts';

/*
 * The lanes of a job, a document each, by the id of their session on the server. Whoever takes the job over ends what these sessions still do, and removes the documents
 * together with taking the lease. A lane that commits writes its own document in its transaction: of the commit and the take-over at the same time one fails, while lanes of one job,
 * and renewals of its lease, are nothing to each other.
 */

/** @throws {TrueupError} `E_FENCED` for an owner that has the job no longer */
export async function register(store: StoreContext, lane: ClientSession, owner: Owner, signal: AbortSignal): Promise<void> {
  await inTransaction(store, signal, async (db, transaction) => {
    const { matchedCount } = await db
      .collection(LEASES)
      .updateOne({ _id: owner.job as never, epoch: owner.epoch, held: true }, { $inc: { lanes: 1 } }, { session: transaction });
    if (matchedCount === 0) throw fenced(owner);
    const { job, run, epoch } = owner;
    // Sessions are used again: one that could not be taken off may still be there.
    const entry = { job, run, epoch, commits: 0 };
    await db.collection(LANES).replaceOne({ _id: sessionOf(lane) as never }, entry, { upsert: true, session: transaction });
  });
}

/** Whether this job's lease is in this store at all: with `checkpoints: state` it is not. */
export async function holdsLease({ session }: StoreContext, { job, epoch }: Owner, signal: AbortSignal): Promise<boolean> {
  const found = await session.run(signal, (db) =>
    db
      .collection(LEASES)
      .findOne({ _id: job as never, epoch, held: true }, { readConcern: { level: 'majority' }, readPreference: 'primary' }),
  );
  return found !== null;
}

/** In the lane's own transaction. @throws {TrueupError} `E_FENCED` */
export async function fence(db: Db, lane: ClientSession, owner: Owner): Promise<void> {
  const { matchedCount } = await db
    .collection(LANES)
    .updateOne({ _id: sessionOf(lane) as never }, { $inc: { commits: 1 } }, { session: lane });
  if (matchedCount === 0) throw fenced(owner);
}

/** Whether nobody took the job over. */
export async function isRegistered({ session }: StoreContext, lane: ClientSession, signal: AbortSignal): Promise<boolean> {
  const found = await session.run(signal, (db) =>
    db.collection(LANES).findOne({ _id: sessionOf(lane) as never }, { readPreference: 'primary', readConcern: { level: 'local' } }),
  );
  return found !== null;
}

export async function unregister({ session }: StoreContext, lane: ClientSession): Promise<void> {
  await session.run(AbortSignal.timeout(FORGET_MS), (db) =>
    db.collection(LANES).deleteOne({ _id: sessionOf(lane) as never }, { maxTimeMS: FORGET_MS }),
  );
}

const FORGET_MS = 2_000;

/** In the transaction of a take-over. */
export async function removeLanes(db: Db, job: string, transaction: ClientSession | undefined): Promise<void> {
  await db.collection(LANES).deleteMany({ job }, transaction === undefined ? {} : { session: transaction });
}

/** How long operations of an owner that lost its job may take to end. */
const END_MS = 5_000;
const LOOK_MS = 20;

/**
 * Ends what an earlier owner still does on the server, in its lanes and in the session in which it changes the store: operations, and transactions that nobody commits any more. Sessions
 * of the same user may always be killed, others need `killAnySession`; without it nothing is ended, and a transaction of the earlier owner runs out by itself (60 s).
 *
 * @param changing the session in which it changes the store; `null`: not known
 */
export async function endOwner(store: StoreContext, job: string, changing: unknown, signal: AbortSignal): Promise<void> {
  const { session } = store;
  const lanes = await session.run(signal, (db) => db.collection(LANES).find({ job }, { readPreference: 'primary' }).toArray());
  const ids = [...lanes.map(({ _id }) => _id as unknown), ...(changing === null ? [] : [changing])];
  if (ids.length === 0) return;
  await killSessions(session, ids, signal);
  await untilQuiet(session, ids, AbortSignal.any([signal, AbortSignal.timeout(END_MS)])).catch(() => signal.throwIfAborted());
}

export async function killSessions(session: Session, ids: readonly unknown[], signal: AbortSignal): Promise<void> {
  try {
    await session.run(signal, (db) => db.admin().command({ killSessions: ids.map((id) => ({ id })) }));
  } catch (error) {
    if (!isTrueupError(error) || error.code !== 'E_ACCESS') throw error;
    session.context.log.warn(
      { connection: session.context.connection },
      'the operations of an earlier owner may not be ended by this role',
    );
  }
}

/** A killed update of a thousand documents ends at its next one. */
async function untilQuiet(session: Session, ids: readonly unknown[], signal: AbortSignal): Promise<void> {
  const pipeline = [{ $currentOp: { allUsers: false, idleSessions: false } }, { $match: { 'lsid.id': { $in: ids } } }, { $limit: 1 }];
  for (;;) {
    const busy = await session.run(signal, (_db, client) => client.db('admin').aggregate(pipeline).toArray());
    if (busy.length === 0) return;
    await sleep(LOOK_MS, undefined, { signal });
  }
}

export function sessionOf(lane: ClientSession): unknown {
  return lane.id?.id;
}
