import type { Checkpoint } from '../model/checkpoint.ts';

/*
 * The life of the streams of one changes feed.
 *
 *   new ──begin──▶ loading ──loaded──▶ following ⇄ refilling
 *    ▲               │  (changes held)      (backfill feeds beside an open changes feed)
 *    └────restart────┴──────────────────────────┘
 *
 * `loading`: the start cursor is held, backfill feeds read in parallel, changes are not read. `following`: changes are read from the cursor.
 * `refilling`: chunks of a backfill are written between two drains of the changes feed.
 * The state is not stored: it follows from the checkpoints alone, so that no crash can make the two disagree.
 */

export type LifeState = 'new' | 'loading' | 'following' | 'refilling';

export function lifeState(checkpoints: readonly Checkpoint[]): LifeState {
  const changes = checkpoints.find((checkpoint) => checkpoint.feed.kind === 'changes');
  if (changes === undefined) return 'new';
  if (changes.state === 'held') return 'loading';
  return checkpoints.some((checkpoint) => checkpoint.feed.kind === 'backfill' && checkpoint.state !== 'done') ? 'refilling' : 'following';
}
