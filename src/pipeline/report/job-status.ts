import { isTrueupError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Feed } from '../../model/feed.ts';
import type { Letter, OwnerInfo, RunRecord } from '../../model/checkpoint.ts';
import type { LogState } from '../../model/contracts.ts';
import type { DelayReport } from './delays.ts';
import { isLogHash } from '../compare/group-hash.ts';
import { checkpointMode, checkpointStore } from '../job-context.ts';
import type { JobContext } from '../job-context.ts';

export interface FeedStatus {
  readonly feed: string;
  readonly kind: Feed['kind'];
  readonly streams: readonly string[];
  readonly state: 'held' | 'open' | 'done';
  readonly position: string;
  /** How long ago it was last known to be complete up to its position (ms). */
  readonly lagMs?: number;
  readonly epoch: number;
  readonly savedAt?: string;
  /** Of a log, as the source says now. */
  readonly log?: LogState;
}

export interface StoredStatus {
  readonly owner?: OwnerInfo & { readonly live: boolean };
  readonly deadLetters: number;
  readonly feeds: readonly FeedStatus[];
}

/** Where a job's owner, checkpoints and letters are, and why that could not be asked. */
export interface UnknownStatus {
  readonly connection: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** How long a source is waited for that is asked for the end of its log (ms). */
const LOG_MS = 5_000;

/** What the stores know of a job, and what its source says of logs. One that cannot be asked is told of among the warnings. */
async function jobStatus(context: JobContext, signal: AbortSignal): Promise<StoredStatus> {
  const stored = await storedStatus(context, signal);
  const checkpoints = await checkpointStore(context).list(context.job.name, signal);
  const within = AbortSignal.any([signal, AbortSignal.timeout(LOG_MS)]);
  const logs = new Map<string, LogState>();
  for (const { feed, planHash, cursor } of checkpoints) {
    if (feed.kind !== 'changes' || !isLogHash(planHash) || context.source.logState === undefined) continue;
    const state = await context.source
      .logState(feed, cursor, within)
      .catch((error: unknown) => ({ warnings: [`the source cannot be asked: ${error instanceof Error ? error.message : String(error)}`] }));
    if (state !== null) logs.set(feed.id, state);
  }
  return {
    ...stored,
    feeds: stored.feeds.map((feed) => {
      const log = logs.get(feed.feed);
      return log === undefined ? feed : { ...feed, log };
    }),
  };
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
      ...(savedAt === undefined || feed.kind !== 'changes' ? {} : { lagMs: Math.max(0, context.now() - Date.parse(savedAt)) }),
      epoch,
      ...(savedAt === undefined ? {} : { savedAt }),
    })),
  };
}

/** The same, or why it is not known: the target that keeps the checkpoints may be down. */
export async function statusOrFault(context: JobContext, signal: AbortSignal): Promise<StoredStatus | { readonly unknown: UnknownStatus }> {
  if (checkpointMode(context) === 'state') return jobStatus(context, signal);
  try {
    return await jobStatus(context, signal);
  } catch (error) {
    if (!isTrueupError(error) || !['environment', 'unreachable', 'access', 'skipped'].includes(error.fault)) throw error;
    return { unknown: { connection: context.job.target, code: error.code, message: error.message } };
  }
}

function isLive(context: JobContext, owner: OwnerInfo): boolean {
  if (Date.parse(owner.expiresAt) <= context.now()) return false;
  return owner.process.host !== context.process.host || context.isAlive(owner.process);
}

/** What the last run measured, or measures now. */
export function delaysOf(run: RunRecord | undefined): { readonly delays?: DelayReport } {
  const report = run?.report as { readonly delays?: DelayReport } | undefined;
  return report?.delays === undefined ? {} : { delays: report.delays };
}
