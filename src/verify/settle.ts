import { setTimeout as sleep } from 'node:timers/promises';
import type { Checkpoint } from '../model/checkpoint.ts';
import { agrees } from './candidate.ts';
import type { Candidate } from './candidate.ts';

export interface Settling {
  /** Notes in every candidate what both sides hold now. */
  look(candidates: readonly Candidate[]): Promise<void>;
  /** The job's checkpoints as they are now. */
  checkpoints(): Promise<readonly Checkpoint[]>;
  readonly signal: AbortSignal;
  /** Between two looks (ms). Default 250. */
  readonly pauseMs?: number;
  onRound?(left: number): void;
}

export interface Settled {
  readonly candidate: Candidate;
  /** Checkpoints from before the two looks that agreed: what they cover was delivered before the target was read. */
  readonly checkpoints: readonly Checkpoint[];
}

/** A record that changes all the time is taken as the last look saw it. */
const MAX_ROUNDS = 8;
const PAUSE_MS = 250;

/**
 * Looks at candidates again and again until two looks in a row saw the same on both sides, so that no change under way passes for a difference. What
 * agrees once is no difference any more.
 */
export async function settle(candidates: readonly Candidate[], settling: Settling): Promise<Settled[]> {
  const settled: Settled[] = [];
  let left = candidates;
  let before: readonly Checkpoint[] = await settling.checkpoints();
  for (let round = 1; left.length > 0; round++) {
    if (round > 1) await sleep(settling.pauseMs ?? PAUSE_MS, undefined, { signal: settling.signal });
    const now = await settling.checkpoints();
    const contents = left.map(({ seen }) => (round === 1 ? null : (seen?.content ?? null)));
    await settling.look(left);
    const again: Candidate[] = [];
    for (const [index, candidate] of left.entries()) {
      if (candidate.seen === null || agrees(candidate.seen)) continue;
      if (candidate.seen.content === contents[index] || round >= MAX_ROUNDS) settled.push({ candidate, checkpoints: before });
      else again.push(candidate);
    }
    before = now;
    left = again;
    settling.onRound?.(left.length);
  }
  return settled;
}
