import type { ClientSession, Db } from 'mongodb';
import { TrueupError } from '../../../src/sdk.ts';
import type { AcquireRequest, Owner, OwnerInfo, OwnerProcess } from '../../../src/sdk.ts';
import { fenced } from './fence.ts';
import { endOwner, removeLanes, sessionOf } from './lanes.ts';
import { LEASES, inTransaction, makeCollections } from './transaction.ts';
import type { StoreContext } from './transaction.ts';

/** The lease of a job; kept when it is released, so that epochs only grow. */
interface Lease {
  readonly _id: string;
  readonly run: string;
  readonly epoch: number;
  readonly held: boolean;
  readonly process: OwnerProcess;
  readonly ttlMs: number;
  /** In which its owner changes the store; absent where it does so without transactions. */
  readonly session?: unknown;
  readonly acquiredAt: Date;
  readonly expiresAt: Date;
  /** By the server's clock, when it was read. */
  readonly expired: boolean;
}

const DURABLE = { writeConcern: { w: 'majority', j: true } } as const;
const ROUNDS = 10;

/** Compares and swaps the epoch: of many who ask at the same time, one gets the lease. The clock is the server's. */
export async function acquire(store: StoreContext, request: AcquireRequest, signal: AbortSignal): Promise<Owner> {
  await makeCollections(store, signal);
  const { job, run, process } = request;
  for (let round = 0; round < ROUNDS; round += 1) {
    const lease = await store.session.run(signal, (db) => readLease(db, job));
    if (lease !== null && isLive(lease, request)) throw owned(lease);
    const epoch = (lease?.epoch ?? 0) + 1;
    if (lease !== null) await endOwner(store, job, lease.session ?? null, signal);
    if (await takeAll(store, { request, epoch, before: lease?.epoch ?? null }, signal)) return { job, run, epoch, process };
  }
  throw new TrueupError('E_OWNED', `Job '${job}' is asked for by several runs at the same time.`);
}

async function readLease(db: Db, job: string): Promise<Lease | null> {
  const pipeline = [{ $match: { _id: job } }, { $set: { expired: { $lte: ['$expiresAt', '$$NOW'] } } }];
  const options = { readConcern: { level: 'majority' }, readPreference: 'primary', promoteLongs: true, useBigInt64: false } as const;
  const [found] = await db.collection(LEASES).aggregate<Lease>(pipeline, options).toArray();
  return found ?? null;
}

function isLive({ held, expired, run, process }: Lease, request: AcquireRequest): boolean {
  if (!held || expired || run === request.run) return false;
  return process.host !== request.process.host || request.isAlive(process);
}

function owned({ _id, run, process, expiresAt }: Lease): TrueupError {
  return new TrueupError(
    'E_OWNED',
    `Job '${_id}' is owned by run ${run} (process ${process.pid} on ${process.host}) until ${expiresAt.toISOString()}.`,
  );
}

interface Taking {
  readonly request: AcquireRequest;
  readonly epoch: number;
  /** Of the lease that is replaced; `null`: there was none. */
  readonly before: number | null;
}

/** The lease, and the lanes that may commit under it, in one. A standalone server has no lanes that commit. */
async function takeAll(store: StoreContext, taking: Taking, signal: AbortSignal): Promise<boolean> {
  const { transactions } = await store.session.facts(signal);
  let met = false;
  const attempt = async (db: Db, transaction?: ClientSession): Promise<boolean> => {
    const taken = await take(db, taking, transaction).catch((error: unknown) => {
      met = isDuplicate(error);
      throw error;
    });
    if (taken) await removeLanes(db, taking.request.job, transaction);
    return taken;
  };
  try {
    return await (transactions ? inTransaction(store, signal, attempt) : store.session.run(signal, (db) => attempt(db)));
  } catch (error) {
    if (met) return false;
    throw error;
  }
}

function isDuplicate(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === 11000;
}

async function take(db: Db, { request, epoch, before }: Taking, transaction: ClientSession | undefined): Promise<boolean> {
  const { job, run, process, ttlMs } = request;
  const session = transaction === undefined ? '$$REMOVE' : { $literal: sessionOf(transaction) };
  const lease = { run: { $literal: run }, process: { $literal: process }, epoch, held: true, ttlMs, session };
  const times = { acquiredAt: '$$NOW', expiresAt: { $add: ['$$NOW', ttlMs] } };
  const filter = { _id: job as never, ...(before === null ? { epoch: { $exists: false } } : { epoch: before }) };
  const options = { upsert: before === null, ...(transaction === undefined ? DURABLE : { session: transaction }) };
  const { matchedCount, upsertedCount } = await db.collection(LEASES).updateOne(filter, [{ $set: { ...lease, ...times } }], options);
  return matchedCount + upsertedCount > 0;
}

export async function renew(store: StoreContext, owner: Owner, signal: AbortSignal): Promise<void> {
  const update = [{ $set: { expiresAt: { $add: ['$$NOW', '$ttlMs'] } } }];
  const { matchedCount } = await store.session.run(signal, (db) => db.collection(LEASES).updateOne(mine(owner), update, DURABLE));
  if (matchedCount === 0) throw fenced(owner);
}

/** Harmless for an owner that was taken over: the lease is another's then. */
export async function release(store: StoreContext, owner: Owner, signal: AbortSignal): Promise<void> {
  const free = { $set: { held: false }, $unset: { session: '' } };
  const { transactions } = await store.session.facts(signal);
  if (!transactions) return void (await store.session.run(signal, (db) => db.collection(LEASES).updateOne(mine(owner), free, DURABLE)));
  await inTransaction(store, signal, async (db, transaction) => {
    const { matchedCount } = await db.collection(LEASES).updateOne(mine(owner), free, { session: transaction });
    if (matchedCount > 0) await removeLanes(db, owner.job, transaction);
  });
}

function mine({ job, epoch }: Owner): { readonly _id: never; readonly epoch: number; readonly held: true } {
  return { _id: job as never, epoch, held: true };
}

export async function ownerOf(store: StoreContext, job: string, signal: AbortSignal): Promise<OwnerInfo | null> {
  const lease = await store.session.run(signal, (db) => readLease(db, job));
  if (lease === null || !lease.held) return null;
  const { run, epoch, process, acquiredAt, expiresAt } = lease;
  return { job, run, epoch, process, acquiredAt: acquiredAt.toISOString(), expiresAt: expiresAt.toISOString() };
}
