import { TrueupError } from '../../errors.ts';
import type { Checkpoint } from '../../model/checkpoint.ts';
import type { Commit, CommitResult } from '../../model/contracts.ts';
import type { Cursor, Position } from '../../model/feed.ts';
import { commitAllApart } from './commit-apart.ts';
import type { FeedRun } from '../feed-run.ts';
import { checkpointStore } from '../job-context.ts';
import { isRecordFault } from './write-apart.ts';

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
    await commitAllApart(run, uncommitted);
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

function settle(run: FeedRun, result: CommitResult): void {
  let lettersResolved = result.lettersResolved;
  for (const [name, stream] of run.streams) {
    stream.tally.settle(name, { ...result, lettersResolved });
    lettersResolved = 0;
  }
}

function checkpointAt(run: FeedRun, cursor: Cursor, position: Position): Checkpoint {
  const size = JSON.stringify(cursor).length;
  if (size > MAX_CURSOR)
    throw new TrueupError('E_BUG', `the cursor of feed '${run.feed.id}' is ${size} characters of JSON, the limit is ${MAX_CURSOR}`);
  const { checkpoint, feed, owner } = run;
  return { ...checkpoint, feed, state: 'open', cursor, position, run: owner.run, epoch: owner.epoch };
}
