import type { Letter, OwnerInfo } from '../model/checkpoint.ts';
import { checkpointStore } from './job-context.ts';
import type { JobContext } from './job-context.ts';

export interface FeedStatus {
  readonly feed: string;
  readonly kind: 'changes' | 'backfill';
  readonly streams: readonly string[];
  readonly state: 'held' | 'open' | 'done';
  readonly position: string;
  /** How long ago it was last known to be complete up to its position (ms). */
  readonly lagMs?: number;
  readonly epoch: number;
  readonly savedAt?: string;
}

export interface StoredStatus {
  readonly owner?: OwnerInfo & { readonly live: boolean };
  readonly deadLetters: number;
  readonly feeds: readonly FeedStatus[];
}

/** What the stores know of a job. Asks neither the source nor the target's data. */
export async function storedStatus(context: JobContext, signal: AbortSignal): Promise<StoredStatus> {
  const store = checkpointStore(context);
  const { name } = context.job;
  const owner = await store.owner(name, signal);
  const checkpoints = await store.list(name, signal);
  const letters: readonly Letter[] = await store.letters({ job: name }, signal);
  return {
    ...(owner === null ? {} : { owner: { ...owner, live: isLive(context, owner) } }),
    deadLetters: letters.length,
    feeds: checkpoints.map(({ feed, state, position, epoch, savedAt }) => ({
      feed: feed.id,
      kind: feed.kind,
      streams: feed.streams,
      state,
      position: position.text,
      ...(savedAt === undefined || feed.kind === 'backfill' ? {} : { lagMs: Math.max(0, context.now() - Date.parse(savedAt)) }),
      epoch,
      ...(savedAt === undefined ? {} : { savedAt }),
    })),
  };
}

function isLive(context: JobContext, owner: OwnerInfo): boolean {
  if (Date.parse(owner.expiresAt) <= context.now()) return false;
  return owner.process.host !== context.process.host || context.isAlive(owner.process);
}
