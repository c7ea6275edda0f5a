import type { ClientSession, Db, Document } from 'mongodb';
import { partsOfPacked } from './packed.ts';
import type { Packed, PackedPart } from './packed.ts';
import { TrueupError } from '../../../src/sdk.ts';
import type { RecordFault } from '../../../src/sdk.ts';
import { isRecordNumber, mongoFault, recordFault } from '../faults.ts';
import type { Session } from '../session.ts';

/** Acknowledged by a majority and in its journals: no election takes it back. */
export const DURABLE = { w: 'majority', j: true } as const;

export interface CommandInit {
  readonly command: 'insert' | 'update' | 'delete';
  readonly collection: string;
  readonly operations: Packed;
  readonly lane: LaneSession;
}

/** The session that all operations of a lane belong to, so that they can be told and ended. */
export interface LaneSession {
  readonly session: ClientSession;
  /** Whether it is in a transaction: then one refused operation ends the transaction, and nothing of it is left. */
  readonly atomic: boolean;
}

/** A transaction ended, because one record is at fault. */
export class RefusedRecord extends Error {
  override readonly name = 'RefusedRecord';
  readonly fault: RecordFault;

  constructor(fault: RecordFault) {
    super(fault.message);
    this.fault = fault;
  }
}

/** What a command did, and which operations it did not do because the document seemed to be there already. */
export interface Done {
  readonly n: number;
  readonly modified: number;
  readonly upserted: number;
  readonly faults: readonly RecordFault[];
  /** Their records, within the batch. */
  readonly duplicates: readonly number[];
}

interface WriteError {
  readonly index: number;
  readonly code: number;
  readonly errmsg?: string;
  readonly keyPattern?: Readonly<Record<string, unknown>>;
}

interface Reply {
  readonly n?: number;
  readonly nModified?: number;
  readonly upserted?: readonly unknown[];
  readonly writeErrors?: readonly WriteError[];
  readonly writeConcernError?: { readonly code: number; readonly errmsg?: string };
}

const LIST = { insert: 'documents', update: 'updates', delete: 'deletes' } as const;

/**
 * Operations on different keys, in commands of bounded size. All that can be done is done; what a single record is at fault for is told apart. The first other
 * fault is thrown. In a transaction the first fault of a record ends it.
 *
 * @throws {RefusedRecord} in a transaction
 */
export async function runOperations(session: Session, init: CommandInit, signal: AbortSignal): Promise<Done> {
  const done: Done[] = [];
  for (const part of partsOfPacked(init.operations)) {
    signal.throwIfAborted();
    done.push(
      await (part.bytes.length > LARGE_BYTES ? oneAtATime(session, () => runOne(session, init, part)) : runOne(session, init, part)),
    );
  }
  return sumOf(done);
}

/** The driver copies a command three times before it is sent: of larger ones than this, one is on its way at a time, whatever the number of lanes. */
const LARGE_BYTES = 3 * 1024 * 1024;
const ahead = new WeakMap<Session, Promise<unknown>>();

function oneAtATime<T>(session: Session, work: () => Promise<T>): Promise<T> {
  const done = (ahead.get(session) ?? Promise.resolve()).then(work);
  ahead.set(
    session,
    done.catch(() => undefined),
  );
  return done;
}

/** Waits for the answer whatever the signal says: what is on its way cannot be called back, and must not land behind a later write. */
async function runOne(session: Session, init: CommandInit, part: PackedPart): Promise<Done> {
  const reply = await session.run(NEVER, (db) => send(db, { ...init, part }, session.options.statementTimeout));
  const errors = reply.writeErrors ?? [];
  const concern = reply.writeConcernError;
  const fatal = errors.find(({ code }) => !isRecordNumber(code)) ?? concern;
  if (fatal !== undefined)
    throw mongoFault(Object.assign(new Error(fatal.errmsg ?? 'a write failed'), { code: fatal.code }), { address: session.where.address });
  const duplicates: number[] = [];
  const faults: RecordFault[] = [];
  for (const error of errors) {
    const index = part.indices[error.index];
    if (index === undefined) throw new TrueupError('E_BUG', `${session.where.address} refused an operation that was not sent.`);
    if (isThere(error, init)) duplicates.push(index);
    else {
      const { code, message } = recordFault(error.code);
      faults.push({ index, code, message });
    }
  }
  if (init.lane.atomic && faults[0] !== undefined) throw new RefusedRecord(faults[0]);
  return { n: reply.n ?? 0, modified: reply.nModified ?? 0, upserted: reply.upserted?.length ?? 0, faults, duplicates };
}

export const NEVER: AbortSignal = new AbortController().signal;

type Sending = Omit<CommandInit, 'operations'> & { readonly part: PackedPart };

/** The operations travel behind the command, as a sequence of documents: the driver passes on bytes that way, while what stands inside of a command it makes anew. */
async function send(db: Db, { command, collection, part, lane }: Sending, maxTimeMS: number): Promise<Reply> {
  const { documentSequence } = await import('../driver.ts');
  const body: Document = {
    [command]: collection,
    [LIST[command]]: documentSequence(LIST[command], part.bytes),
    ordered: false,
    ...(lane.atomic ? {} : { writeConcern: DURABLE }),
    ...(maxTimeMS === 0 ? {} : { maxTimeMS }),
  };
  return (await db.command(body, { session: lane.session })) as Reply;
}

/**
 * Of an insert whatever index refused it: a document that is there already may be in all of them. The update that follows tells. In a transaction only new documents are inserted.
 */
function isThere({ code, keyPattern }: WriteError, { command, lane }: CommandInit): boolean {
  const names = Object.keys(keyPattern ?? {});
  return code === 11000 && ((command === 'insert' && !lane.atomic) || (names.length === 1 && names[0] === '_id'));
}

function sumOf(done: readonly Done[]): Done {
  return {
    n: done.reduce((sum, one) => sum + one.n, 0),
    modified: done.reduce((sum, one) => sum + one.modified, 0),
    upserted: done.reduce((sum, one) => sum + one.upserted, 0),
    faults: done.flatMap((one) => one.faults),
    duplicates: done.flatMap((one) => one.duplicates),
  };
}
