import type { ClientSession, Db } from 'mongodb';
import { isTrueupError } from '../../../src/sdk.ts';
import type { Owner } from '../../../src/sdk.ts';
import type { Session } from '../session.ts';
import { fenced } from '../store/fence.ts';
import { fence, isRegistered, killSessions, sessionOf } from '../store/lanes.ts';
import { ATOMIC } from '../store/transaction.ts';
import type { StoreContext } from '../store/transaction.ts';
import { NEVER } from './write-command.ts';

export interface LaneTransactionInit {
  readonly session: Session;
  readonly lane: ClientSession;
  readonly store: StoreContext;
  readonly owner: Owner;
  /** Does again what an earlier transaction did that ended before its commit. */
  redo(): Promise<void>;
}

/** One transaction after the other, of a lane that somebody may take over. Its calls are always waited for: none lands in a transaction that comes later. */
export interface LaneTransaction {
  /** How long it has been open; 0: none is. */
  openMs(): number;
  /** Does `work` in the open transaction, or in a new one. A throw leaves none open. When the transaction had run out meanwhile, everything is done once more. */
  within<T>(work: () => Promise<T>): Promise<T>;
  /** Commits with what `last` writes, if nobody took the job over. @throws {TrueupError} `E_FENCED` */
  commit<T>(last: (db: Db) => Promise<T>, signal: AbortSignal): Promise<T>;
  abort(): Promise<void>;
}

const ASK_MS = 2_000;

export function openLaneTransaction({ session, lane, store, owner, redo }: LaneTransactionInit): LaneTransaction {
  let openedAt = 0;

  const begin = async (): Promise<void> => {
    if (lane.inTransaction()) return;
    lane.startTransaction(ATOMIC);
    openedAt = performance.now();
    await redo();
  };
  const abort = async (): Promise<void> => {
    if (lane.inTransaction()) await lane.abortTransaction().catch(() => undefined);
  };
  /** What a taken-over owner meets first may look like a conflict, or like a lost transaction. */
  const orFenced = async (error: unknown): Promise<unknown> => {
    if (!isTrueupError(error) || error.fault !== 'environment') return error;
    try {
      return (await isRegistered(store, lane, AbortSignal.timeout(ASK_MS))) ? error : fenced(owner);
    } catch {
      return error;
    }
  };
  const within: LaneTransaction['within'] = async (work) => {
    for (let again = true; ; again = false) {
      try {
        await begin();
        return await work();
      } catch (error) {
        await abort();
        if (!again || !hasRunOut(error)) throw await orFenced(error);
      }
    }
  };
  const end = async (): Promise<void> => {
    try {
      await session.run(NEVER, () => lane.commitTransaction());
    } catch (error) {
      // Whether it came to pass is not known. From here on it cannot any more.
      await killSessions(session, [sessionOf(lane)], AbortSignal.timeout(ASK_MS)).catch(() => undefined);
      throw await orFenced(error);
    }
  };

  return {
    openMs: () => (lane.inTransaction() ? performance.now() - openedAt : 0),
    within,
    commit: async (last, signal) => {
      const result = await within(() =>
        session.run(NEVER, async (db) => {
          await fence(db, lane, owner);
          const written = await last(db);
          signal.throwIfAborted();
          return written;
        }),
      );
      await end();
      return result;
    },
    abort,
  };
}

const RUN_OUT = new Set<unknown>([225, 251, 290]);

/** TransactionTooOld, NoSuchTransaction, TransactionExceededLifetimeLimitSeconds. */
function hasRunOut(error: unknown): boolean {
  return isTrueupError(error) && RUN_OUT.has((error.cause as { readonly code?: unknown } | undefined)?.code);
}
