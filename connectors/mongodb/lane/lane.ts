import type { ClientSession } from 'mongodb';
import type { Lane, TargetStream } from '../../../src/sdk.ts';
import { openTally, openWriters } from './streams.ts';
import { writeBatch } from './write.ts';
import { unlessAborted } from '../session.ts';
import type { Session } from '../session.ts';

export interface LaneInit {
  readonly session: Session;
  readonly lane: ClientSession;
  readonly streams: readonly TargetStream[];
  /** Gives the session of the lane back. */
  end(): Promise<void>;
}

/**
 * Writes at once, and each write is durable before the next: there is no transaction around a commit. So what was written before a `discard`, or by a batch that
 * threw in its middle, stays; the feed is read again from its checkpoint and writes the same keys over it. Calls that were on their way when the signal
 * aborted are waited for, so that none lands behind what comes after it.
 */
export function openLane({ session, lane, streams, end }: LaneInit): Lane {
  const tally = openTally();
  const writerOf = openWriters({ session, lane, atomic: false, streams, tally });
  let busy: Promise<unknown> = Promise.resolve();
  const track = <T>(work: Promise<T>): Promise<T> => {
    busy = work.catch(() => undefined);
    return work;
  };
  const forget = async (): Promise<void> => {
    await busy;
    tally.clear();
  };

  return {
    bulkUpsert: (batch, signal) => {
      const writer = writerOf(batch.stream);
      // Whatever a call before this one left on its way when it was aborted still holds the bytes of its commands.
      const before = busy;
      const write = async () => {
        await before;
        const written = await writeBatch(writer, batch, signal);
        tally.count(batch.stream, written.counts);
        return written.faults;
      };
      return signal.aborted ? Promise.reject(signal.reason as Error) : unlessAborted(track(write()), signal);
    },
    commit: async (_what, signal) => {
      signal.throwIfAborted();
      const result = { ...tally.result(), lettersResolved: 0 };
      tally.clear();
      return result;
    },
    discard: forget,
    close: async () => {
      await forget();
      await end();
    },
  };
}
