import { TrueupError } from '../../../src/sdk.ts';
import type { Lane, MappedBatch, Owner, RecordFault } from '../../../src/sdk.ts';
import { openTally, openWriters } from './streams.ts';
import { openLaneTransaction } from './transaction.ts';
import { writeBatch } from './write.ts';
import type { LaneInit } from './lane.ts';
import { unlessAborted } from '../session.ts';
import { writeChange } from '../store/change.ts';
import type { StoreContext } from '../store/transaction.ts';
import { NEVER, RefusedRecord } from './write-command.ts';

export interface AtomicLaneInit extends LaneInit {
  readonly store: StoreContext;
  readonly owner: Owner;
}

/** A batch of the open transaction, to be written again in the next one if this one ends before its commit. */
interface Entry {
  readonly batch: MappedBatch;
  /** Records that were refused, by index. */
  readonly without: Set<number>;
}

/**
 * A transaction that is open for longer than a minute is ended by the server, and one that wrote much holds much of the server's cache. Beyond these, what was written so far is
 * committed by itself, the checkpoint unmoved: when the rest fails, it is read again and found unchanged.
 */
const MAX_OPEN_MS = 25_000;
const MAX_BYTES = 32 * 1024 * 1024;

/**
 * Rows, letters and checkpoint in one transaction. MongoDB has no savepoints: a refused record ends the transaction, so the batches that it held are written again in a new one,
 * without that record. Conflicts with other writers are not fought for here; the feed is read again.
 */
export function openAtomicLane({ session, lane, streams, end, store, owner }: AtomicLaneInit): Lane {
  const tally = openTally();
  const writerOf = openWriters({ session, lane, atomic: true, streams, tally });
  let log: Entry[] = [];
  let busy: Promise<unknown> = Promise.resolve();
  const track = <T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> => {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    // Whatever a call before this one left on its way when it was aborted still holds the bytes of its commands.
    const done = busy.then(work);
    busy = done.catch(() => undefined);
    return unlessAborted(done, signal);
  };

  const write = async ({ batch, without }: Entry): Promise<readonly RecordFault[]> => {
    const { counts, faults } = await writeBatch(writerOf(batch.stream), batch, NEVER, without);
    tally.count(batch.stream, counts);
    return faults;
  };
  const redo = async (): Promise<void> => {
    tally.undo();
    for (const entry of log) await write(entry).catch(refusedNow);
  };
  const transaction = openLaneTransaction({ session, lane, store, owner, redo });
  const commitRows = async (signal: AbortSignal): Promise<void> => {
    await transaction.commit(() => Promise.resolve(), signal);
    tally.keep();
    log = [];
  };
  const add = async (batch: MappedBatch, signal: AbortSignal): Promise<RecordFault[]> => {
    const bytes = log.reduce((sum, entry) => sum + entry.batch.records.bytes, 0);
    if (log.length > 0 && (bytes > MAX_BYTES || transaction.openMs() > MAX_OPEN_MS)) await commitRows(signal);
    const entry: Entry = { batch, without: new Set() };
    const refused: RecordFault[] = [];
    for (;;) {
      try {
        const faults = await transaction.within(() => write(entry));
        log.push(entry);
        return [...faults, ...refused].sort((a, b) => a.index - b.index);
      } catch (error) {
        if (!(error instanceof RefusedRecord)) throw error;
        signal.throwIfAborted();
        entry.without.add(error.fault.index);
        refused.push(error.fault);
      }
    }
  };
  const forget = async (): Promise<void> => {
    await busy;
    await transaction.abort();
    tally.clear();
    log = [];
  };

  return {
    bulkUpsert: (batch, signal) => track(() => add(batch, signal), signal),
    commit: (what, signal) =>
      track(async () => {
        const lettersResolved = await transaction.commit((db) => writeChange(db, { owner, what, transaction: lane }), signal);
        const result = { ...tally.result(), lettersResolved };
        tally.clear();
        log = [];
        return result;
      }, signal),
    discard: forget,
    close: async () => {
      await forget();
      await end();
    },
  };
}

/** It was taken a moment ago, so it is somebody else's document that stands against it. */
function refusedNow(error: unknown): never {
  if (error instanceof RefusedRecord)
    throw new TrueupError('E_BUSY', 'Another writer changed documents that a transaction meets, while it was begun again.');
  throw error;
}
