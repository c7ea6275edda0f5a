import { TrueupError } from '../errors.ts';
import type { Checkpoint, StoreChange } from '../model/checkpoint.ts';
import type { Json } from '../model/json.ts';
import { acquireLease } from './acquire-lease.ts';
import { compareDue } from './compare/compare-record.ts';
import { isLogHash } from './compare/group-hash.ts';
import { checkpointStore } from './job-context.ts';
import type { JobContext } from './job-context.ts';

export type CheckpointAction = { readonly kind: 'set'; readonly cursor: string } | { readonly kind: 'rewind' } | { readonly kind: 'drop' };

export interface ChangedFeed {
  readonly feed: string;
  readonly before?: string;
  readonly after?: string;
  /** What the next run will read again. */
  readonly effect: string;
}

/**
 * Changes checkpoints by hand, under a lease and so with a new epoch: a run that still goes on is fenced by it, and a live one refuses it.
 *
 * @param feed a feed's id, or absent: all of the job
 */
export async function changeCheckpoint(
  context: JobContext,
  change: { readonly run: string; readonly feed?: string; readonly action: CheckpointAction },
  signal: AbortSignal,
): Promise<{ readonly epoch: number; readonly changed: readonly ChangedFeed[] }> {
  const store = checkpointStore(context);
  const { job } = context;
  const all = await store.list(job.name, signal);
  const feeds = change.feed === undefined ? all : all.filter((one) => one.feed.id === change.feed);
  if (feeds.length === 0) throw unknownFeed(job.name, change.feed, all);
  if (change.action.kind === 'set' && feeds.some(({ feed }) => feed.kind === 'compare'))
    throw new TrueupError(
      'E_USAGE',
      `'${feeds.find(({ feed }) => feed.kind === 'compare')?.feed.id}' has no cursor: it says when both sides were compared`,
      {
        hint: 'Name the feed of the changes. `trueup checkpoint drop` makes the next run compare.',
      },
    );
  if (change.action.kind === 'set') refuseForeign(context, parseCursor(change.action.cursor));
  const owner = await acquireLease(context, change.run, signal);
  try {
    const changed = feeds.map((one) => changeOne(one, change.action, { run: change.run, epoch: owner.epoch }));
    const due = feeds.flatMap((one) => comparesDue(one, change.action, { run: change.run, epoch: owner.epoch }));
    const what: StoreChange = {
      checkpoints: [...changed.flatMap(({ next }) => (next === null ? [] : [next])), ...due],
      dropFeeds: changed.flatMap(({ next, told }) => (next === null && !due.some(({ feed }) => feed.id === told.feed) ? [told.feed] : [])),
    };
    await store.save(owner, what, signal);
    const told = await Promise.all(
      changed.map(async (one, index) => released(context, feeds[index] as Checkpoint, change.action, one.told, signal)),
    );
    return { epoch: owner.epoch, changed: told };
  } finally {
    await store.release(owner, signal);
  }
}

/** What the source keeps for a feed goes with its checkpoint. Should that fail, the checkpoint is gone all the same, and the failure is told. */
async function released(
  context: JobContext,
  { feed }: Checkpoint,
  action: CheckpointAction,
  told: ChangedFeed,
  signal: AbortSignal,
): Promise<ChangedFeed> {
  if (action.kind !== 'drop' || (feed.kind !== 'changes' && feed.kind !== 'embed')) return told;
  try {
    const gone = (await context.source.release?.(feed, signal)) ?? [];
    return gone.length === 0 ? told : { ...told, effect: `${told.effect}; dropped in the source: ${gone.join(', ')}` };
  } catch (error) {
    return {
      ...told,
      effect: `${told.effect}; what the source keeps for it could not be dropped: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

/** What is deleted until a log begins anew is told by nobody: then both sides are compared once. */
function comparesDue(one: Checkpoint, action: CheckpointAction, by: { readonly run: string; readonly epoch: number }): Checkpoint[] {
  if (action.kind === 'set' || one.feed.kind !== 'changes' || !isLogHash(one.planHash)) return [];
  return one.feed.streams.map((stream) => compareDue({ ...one, ...by }, stream));
}

function changeOne(
  one: Checkpoint,
  action: CheckpointAction,
  by: { readonly run: string; readonly epoch: number },
): { readonly next: Checkpoint | null; readonly told: ChangedFeed } {
  const told = { feed: one.feed.id, before: one.position.text };
  if (one.feed.kind === 'compare') return { next: null, told: { ...told, effect: 'forgotten: the next run compares both sides' } };
  switch (action.kind) {
    case 'drop':
      return { next: null, told: { ...told, effect: 'forgotten: the next run loads its streams from the beginning' } };
    case 'rewind':
      // A log does not reach back to the beginning.
      if ((one.feed.kind === 'changes' || one.feed.kind === 'embed') && isLogHash(one.planHash))
        return {
          next: null,
          told: { ...told, after: 'the beginning', effect: 'the next run loads its streams again and begins a new place in the log' },
        };
      return {
        next: { ...one, ...by, state: 'open', cursor: null, position: { text: 'the beginning' } },
        told: { ...told, after: 'the beginning', effect: 'the next run reads everything again; rows that are the same stay untouched' },
      };
    case 'set':
      return {
        next: { ...one, ...by, state: 'open', cursor: parseCursor(action.cursor), position: { text: 'set by hand' } },
        told: {
          ...told,
          after: 'set by hand',
          effect:
            'the next run reads what comes after this cursor; what lies between it and the old one is read again, or skipped when it lies ahead',
        },
      };
  }
}

/** A cursor that the source cannot read would stop every further run. */
function refuseForeign({ source }: JobContext, cursor: Json): void {
  try {
    source.explainCursor?.(cursor);
  } catch (cause) {
    throw new TrueupError('E_USAGE', `the source cannot read this cursor: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
      hint: '`trueup checkpoint show` prints the cursor in the form that `set` takes.',
    });
  }
}

function parseCursor(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new TrueupError('E_USAGE', `the cursor is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
      hint: '`trueup checkpoint show` prints the cursor in the form that `set` takes.',
    });
  }
}

function unknownFeed(job: string, feed: string | undefined, all: readonly Checkpoint[]): TrueupError {
  if (feed === undefined) return new TrueupError('E_USAGE', `job '${job}' has no checkpoints yet`);
  return new TrueupError('E_USAGE', `job '${job}' has no feed '${feed}'. Feeds: ${all.map((one) => one.feed.id).join(', ') || 'none yet'}`);
}
