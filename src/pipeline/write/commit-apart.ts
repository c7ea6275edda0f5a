import type { CommitResult, RecordFault } from '../../model/contracts.ts';
import { ChildFault } from '../plan/family.ts';
import type { FeedRun, WrittenPart } from '../feed-run.ts';
import { setAside } from './set-aside.ts';
import { isRecordFault, sliceBatch, writeApart } from './write-apart.ts';

/**
 * Forgets what was written since the last commit, and commits the same records in ever smaller pieces, the checkpoint unmoved, until only the bad ones
 * are left: for faults that cannot be taken back alone.
 */
export async function commitAllApart(run: FeedRun, parts: readonly WrittenPart[]): Promise<void> {
  await run.lane.discard();
  for (const part of parts) await commitApart(run, part, 0, part.batch.records.count);
}

/** Forgets what was written since the last commit but these parts, which are written once more. */
export async function writeAgain(run: FeedRun, parts: readonly WrittenPart[]): Promise<void> {
  await run.lane.discard();
  try {
    for (const part of parts) await rewrite(run, part, 0, part.batch.records.count);
  } catch (error) {
    throw error instanceof ChildFault ? error.fault : error;
  }
}

async function commitApart(run: FeedRun, part: WrittenPart, from: number, to: number): Promise<void> {
  if (from >= to) return;
  try {
    await rewrite(run, part, from, to);
    settleRows(run, await run.lane.commit({ checkpoints: [], letters: [], resolved: [] }, run.signals.abort));
  } catch (thrown) {
    const error = thrown instanceof ChildFault ? thrown.fault : thrown;
    if (!isRecordFault(error)) throw thrown;
    await run.lane.discard();
    if (to - from === 1) {
      setAside(run, part.stream, { key: part.keyAt(from), code: error.code, message: error.message });
      part.onAside?.(from);
      return;
    }
    const named = thrown instanceof ChildFault ? thrown.index : null;
    if (named !== null) {
      await commitApart(run, part, from, from + named);
      await commitApart(run, part, from + named, from + named + 1);
      return commitApart(run, part, from + named + 1, to);
    }
    const middle = from + Math.ceil((to - from) / 2);
    await commitApart(run, part, from, middle);
    await commitApart(run, part, middle, to);
  }
}

/** Faults of single records were set aside when the part was first written; they only have to be left out again. */
async function rewrite(run: FeedRun, part: WrittenPart, from: number, to: number): Promise<void> {
  if (part.rewrite !== undefined) return part.rewrite(run.lane, from, to, run.signals.abort);
  await writeApart(run.lane, sliceBatch(part.batch, from, to), noFault, run.signals.abort);
}

function noFault(_fault: RecordFault): void {
  // already among the letters
}

/** Rows that became durable before the records that are pending with them. */
function settleRows(run: FeedRun, result: CommitResult): void {
  for (const stream of run.streams.values()) stream.tally.addWritten(result);
}
