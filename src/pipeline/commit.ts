import { TrueupError } from '../errors.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import type { Commit, CommitResult, RecordFault } from '../model/contracts.ts';
import type { Cursor, Position } from '../model/feed.ts';
import type { FeedRun, WrittenPart } from './feed-run.ts';
import { checkpointStore } from './job-context.ts';
import { isRecordFault, sliceBatch, writeApart } from './write-apart.ts';
import { setAside } from './write-batch.ts';

/** Largest cursor that is stored, as JSON text (characters). */
const MAX_CURSOR = 65_536;

/**
 * Makes everything since the last commit durable, together with the checkpoint.
 *
 * @param cursor `null`: not a place to resume from, so the checkpoint stays where it is
 */
export async function commitFeed(run: FeedRun, cursor: Cursor | null, position: Position): Promise<void> {
  const next = cursor === null ? null : checkpointAt(run, cursor, position);
  const checkpoints = next === null ? [] : [next];
  const { uncommitted } = run;
  try {
    await commitOnce(run, checkpoints);
  } catch (error) {
    // A constraint that is checked only at commit. With the records at hand, find the bad ones; else the feed is read again, eagerly.
    if (!isRecordFault(error) || uncommitted === null) throw error;
    await run.lane.discard();
    for (const part of uncommitted) await commitApart(run, part, 0, part.batch.records.count);
    await commitOnce(run, checkpoints);
  }
  run.uncommitted = [];
  run.progressed = true;
  if (next === null) return;
  run.checkpoint = next;
  if (cursor !== null) await run.context.source.acknowledge?.(run.feed, cursor, run.signals.abort);
}

async function commitOnce(run: FeedRun, checkpoints: readonly Checkpoint[]): Promise<void> {
  const what: Commit = { checkpoints, letters: [...run.pending.letters.values()], resolved: [...run.pending.resolved.values()] };
  const result = await run.lane.commit(what, run.signals.abort);
  const lettersResolved = run.atomic ? result.lettersResolved : await saveBeside(run, what);
  run.book.settle(run.pending);
  settle(run, { ...result, lettersResolved });
}

/** Without a common transaction the rows come first: a checkpoint never stands beyond what is durable. */
async function saveBeside(run: FeedRun, what: Commit): Promise<number> {
  if (what.checkpoints.length === 0 && what.letters.length === 0 && what.resolved.length === 0) return 0;
  return checkpointStore(run.context).save(run.owner, what, run.signals.abort);
}

/** Commits the records of a part in ever smaller pieces, the checkpoint unmoved, until only the bad ones are left. */
async function commitApart(run: FeedRun, part: WrittenPart, from: number, to: number): Promise<void> {
  if (from >= to) return;
  try {
    // Faults of single records were set aside when the part was first written; they only have to be left out again.
    await writeApart(run.lane, sliceBatch(part.batch, from, to), noFault, run.signals.abort);
    settleRows(run, await run.lane.commit({ checkpoints: [], letters: [], resolved: [] }, run.signals.abort));
  } catch (error) {
    if (!isRecordFault(error)) throw error;
    await run.lane.discard();
    if (to - from === 1) return setAside(run, part.stream, { key: part.keyAt(from), code: error.code, message: error.message });
    const middle = from + Math.ceil((to - from) / 2);
    await commitApart(run, part, from, middle);
    await commitApart(run, part, middle, to);
  }
}

function noFault(_fault: RecordFault): void {
  // already among the letters
}

function settle(run: FeedRun, result: CommitResult): void {
  let lettersResolved = result.lettersResolved;
  for (const [name, stream] of run.streams) {
    stream.tally.settle(name, { ...result, lettersResolved });
    lettersResolved = 0;
  }
}

/** Rows that became durable before the records that are pending with them. */
function settleRows(run: FeedRun, result: CommitResult): void {
  for (const stream of run.streams.values()) stream.tally.addWritten(result);
}

function checkpointAt(run: FeedRun, cursor: Cursor, position: Position): Checkpoint {
  const size = JSON.stringify(cursor).length;
  if (size > MAX_CURSOR)
    throw new TrueupError('E_BUG', `the cursor of feed '${run.feed.id}' is ${size} characters of JSON, the limit is ${MAX_CURSOR}`);
  const { checkpoint, owner } = run;
  return { ...checkpoint, state: 'open', cursor, position, run: owner.run, epoch: owner.epoch };
}
