import { isTrueupError } from '../errors.ts';
import type { Checkpoint, Letter } from '../model/checkpoint.ts';
import { letterKeyOf } from '../pipeline/letters/letter-book.ts';
import { kindOf } from './candidate.ts';
import type { Candidate } from './candidate.ts';
import type { Settled } from './settle.ts';
import type { StreamWork } from './stream-work.ts';
import { keysAmongChanges, undeliveredKeys } from './undelivered.ts';

export type Verdict = 'missing' | 'extra' | 'different' | 'deadLettered' | 'pending' | 'kept';

export interface Finding {
  readonly candidate: Candidate;
  readonly verdict: Verdict;
}

/** Why each difference is there: a dead letter, a change that is still to come, a record that is kept on purpose; or none of these. */
export async function explain(work: StreamWork, settled: readonly Settled[], letters: readonly Letter[]): Promise<Finding[]> {
  const lettered = new Set(letters.map((letter) => letter.key));
  const unreadable = letters.some((letter) => letter.key.startsWith('position:'));
  const open = settled.filter(({ candidate }) => !isLettered(work, candidate, lettered, unreadable));
  const pending = await pendingOf(work, open);
  const known = new Set(open.map(({ candidate }) => candidate));
  return settled.map(({ candidate }) => ({
    candidate,
    verdict: !known.has(candidate)
      ? 'deadLettered'
      : isKept(work, candidate)
        ? 'kept'
        : pending.has(candidate)
          ? 'pending'
          : verdictOf(candidate),
  }));
}

function verdictOf({ seen }: Candidate): Verdict {
  return seen === null ? 'missing' : kindOf(seen);
}

function isLettered({ planned }: StreamWork, candidate: Candidate, letters: ReadonlySet<string>, unreadable: boolean): boolean {
  if (candidate.source === null) return unreadable && candidate.key.startsWith('position:');
  return letters.has(letterKeyOf(planned.sourcePlan.shape, candidate.source));
}

/** Records in the target alone that the job is told to leave there, whatever is still delivered of them. To stop passing `where` is a delete as well. */
function isKept({ planned: { entry } }: StreamWork, { seen }: Candidate): boolean {
  if (seen === null || !seen.inTarget) return false;
  if (seen.source === 'filtered' && entry.onExit === 'keep') return true;
  return (seen.source === 'absent' || seen.source === 'deleted' || seen.source === 'filtered') && entry.onDelete === 'ignore';
}

/** The records that the next run delivers. Each set of checkpoints is asked about the records that settled under it. */
async function pendingOf(work: StreamWork, settled: readonly Settled[]): Promise<Set<Candidate>> {
  const pending = new Set<Candidate>();
  if (settled.length === 0) return pending;
  const identity = await work.context.source.identity(work.signal);
  for (const [checkpoints, some] of Map.groupBy(settled, (one) => one.checkpoints)) {
    const candidates = some.map(({ candidate }) => candidate).filter(({ source }) => source !== null);
    const feeds = checkpoints.filter((checkpoint) => delivers(work, checkpoint, identity));
    if (candidates.length === 0) continue;
    for (const checkpoint of feeds) for (const candidate of await undelivered(work, checkpoint, candidates)) pending.add(candidate);
  }
  return pending;
}

/** Feeds that still deliver records of the stream: its changes, and parts of a load that have not ended. Those of another source deliver nothing. */
function delivers({ context, planned }: StreamWork, { feed, state, sourceIdentity, cursorVersion }: Checkpoint, identity: string): boolean {
  if (!feed.streams.includes(planned.name) || state === 'done') return false;
  if (sourceIdentity !== identity || cursorVersion !== context.cursorVersion) return false;
  // Comparing knows nothing of what is newer: a run by snapshot simply writes whatever differs.
  return feed.kind === 'backfill' || feed.kind === 'embed' || (feed.kind === 'changes' && planned.ref.changes.by !== 'snapshot');
}

async function undelivered(work: StreamWork, checkpoint: Checkpoint, candidates: readonly Candidate[]): Promise<Candidate[]> {
  const { context, planned, together, signal } = work;
  const keys = candidates.map(({ source }) => source ?? []);
  try {
    if (checkpoint.feed.kind !== 'backfill') {
      const still = await undeliveredKeys({ context, planned, together, checkpoint, keys }, signal);
      return candidates.filter((_candidate, index) => still[index] === true);
    }
    const { where } = checkpoint.feed;
    const part = where === undefined ? planned : { ...planned, ref: { ...planned.ref, where } };
    const texts = keys.map((key) => letterKeyOf(planned.sourcePlan.shape, key));
    const found = await keysAmongChanges({ context, planned: part, together: [part], checkpoint, keys }, new Set(texts), signal);
    return candidates.filter((_candidate, index) => found.has(texts[index] as string));
  } catch (error) {
    // The position is no more: no run goes on from it either.
    if (isTrueupError(error) && error.fault === 'limit') return [];
    throw error;
  }
}
