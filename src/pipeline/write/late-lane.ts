import type { Commit, CommitResult, Lane } from '../../model/contracts.ts';

export interface LateLaneInit {
  open(): Promise<Lane>;
  /** Writes checkpoint and letters that come without records, where a lane would commit them with its rows; how many letters were resolved. */
  save(what: Commit, signal: AbortSignal): Promise<number>;
}

/**
 * A lane that is opened by the first records that it gets. A feed with nothing to write costs its target no connection and no staging table: what it
 * has to say is saved by the store, under the same fence and as durably.
 */
export function lateLane({ open, save }: LateLaneInit): Lane {
  let opened: Lane | null = null;
  return {
    bulkUpsert: async (batch, signal) => (opened ??= await open()).bulkUpsert(batch, signal),
    commit: async (what, signal): Promise<CommitResult> =>
      opened === null
        ? { streams: {}, conversions: [], lettersResolved: isEmpty(what) ? 0 : await save(what, signal) }
        : opened.commit(what, signal),
    discard: async () => opened?.discard(),
    close: async () => opened?.close(),
  };
}

function isEmpty({ checkpoints, letters, resolved }: Commit): boolean {
  return checkpoints.length === 0 && letters.length === 0 && resolved.length === 0;
}
