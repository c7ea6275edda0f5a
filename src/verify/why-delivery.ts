import { isTrueupError } from '../errors.ts';
import type { Cell } from '../model/cell.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import { LIMITED } from '../pipeline/plan/backfill-scope.ts';
import { nextCompare } from '../pipeline/compare/compare-record.ts';
import { groupChange } from '../pipeline/compare/group-hash.ts';
import { checkpointStore } from '../pipeline/job-context.ts';
import type { JobContext } from '../pipeline/job-context.ts';
import type { JobPlan, PlannedStream } from '../pipeline/plan/plan.ts';
import { planErrors } from '../pipeline/plan/plan.ts';
import { lifeState } from '../pipeline/stream-life.ts';
import type { LifeState } from '../pipeline/stream-life.ts';
import { undeliveredKeys } from './undelivered.ts';
import type { WhyFacts } from './why-facts.ts';
import type { FeedStream } from './why-stream.ts';

/** How far deliveries of a stream have come, and whether they go on. */
export interface Delivery {
  readonly life: LifeState;
  readonly partly: boolean;
  /** Of the changes feed. */
  readonly checkpoint: Checkpoint | null;
  readonly isPlanChanged: boolean;
  readonly obstacle: WhyFacts['obstacle'];
  readonly undelivered: boolean | null;
  readonly deletes: WhyFacts['deletes'];
}

export interface DeliveryRequest {
  readonly context: JobContext;
  readonly plan: JobPlan;
  readonly stream: FeedStream;
  /** Of the record in the source, in key order; `null`: the source has no such record. */
  readonly key: readonly Cell[] | null;
}

export async function readDelivery(request: DeliveryRequest, signal: AbortSignal): Promise<Delivery> {
  const { context, stream } = request;
  const all = await checkpointStore(context).list(context.job.name, signal);
  const names = stream.together.map(({ name }) => name);
  const own = all.filter(
    ({ feed }) => feed.id === stream.feed.id || (feed.kind === 'backfill' && feed.streams.some((name) => names.includes(name))),
  );
  const checkpoint = own.find(({ feed }) => feed.kind === 'changes') ?? null;
  const isPlanChanged =
    checkpoint !== null &&
    groupChange(checkpoint.planHash, { streams: stream.together.map((planned) => ({ planned })) }).changed.includes(stream.planned.name);
  const stored = lifeState(own);
  // The next run begins to read everything again.
  const life = isPlanChanged && context.job.onChange === 'rebackfill' && stored === 'following' ? 'refilling' : stored;
  const unfinished = own.filter(({ feed, state }) => feed.kind === 'backfill' && state !== 'done');
  const stale = checkpoint === null ? null : await staleness(context, checkpoint, signal);
  // Changes of embedded children count as changes of the record.
  const embedded = all.filter(({ feed }) => feed.kind === 'embed' && feed.streams.includes(stream.planned.name));
  const asked = stale === null ? await askAll(request, [checkpoint, ...embedded], signal) : NOT_ASKED;
  return {
    life,
    partly: unfinished.length > 0 && unfinished.every(({ feed }) => LIMITED.test(feed.id)),
    checkpoint,
    isPlanChanged,
    obstacle: stale ?? obstacleOf(request, { life, isPlanChanged }) ?? asked.obstacle,
    undelivered: asked.undelivered,
    deletes: deletesOf(context, stream.planned, all),
  };
}

/** How what is gone from the source comes to be deleted in the target. */
function deletesOf(
  context: JobContext,
  { name, entry, ref, sourcePlan, compare }: PlannedStream,
  all: readonly Checkpoint[],
): WhyFacts['deletes'] {
  const lastAt = all.find(({ feed }) => feed.kind === 'compare' && feed.streams.includes(name))?.savedAt ?? null;
  const nextMs = compare === null ? 0 : nextCompare(context, compare, lastAt === null ? null : Date.parse(lastAt), 0);
  const nextAt = nextMs <= context.now() ? null : new Date(nextMs).toISOString();
  return {
    delivered: sourcePlan.guarantee.deletes === 'delivered',
    when: entry.deletes?.when ?? null,
    bySnapshot: ref.changes.by === 'snapshot',
    compare: compare === null ? null : { nextAt, lastAt, scope: compare.scope?.filter.expr ?? null },
  };
}

/** Whether the checkpoint belongs to this source at all. */
async function staleness(context: JobContext, checkpoint: Checkpoint, signal: AbortSignal): Promise<WhyFacts['obstacle']> {
  const identity = await context.source.identity(signal);
  if (checkpoint.sourceIdentity !== identity)
    return {
      code: 'E_SOURCE_CHANGED',
      message: `the checkpoint belongs to source '${checkpoint.sourceIdentity}', the connection leads to '${identity}'`,
    };
  if (checkpoint.cursorVersion !== context.cursorVersion)
    return {
      code: 'E_POSITION_LOST',
      message: `the checkpoint has cursor version ${checkpoint.cursorVersion}, the connector reads version ${context.cursorVersion}`,
    };
  return null;
}

/** What the next run would stop at, as far as it can be known before. */
function obstacleOf(
  { context: { job }, plan, stream: { planned } }: DeliveryRequest,
  { life, isPlanChanged }: Pick<Delivery, 'life' | 'isPlanChanged'>,
): WhyFacts['obstacle'] {
  const [error] = planErrors(plan);
  if (error !== undefined) return { code: error.code, message: error.message };
  if (planned.targetPlan.creates && life !== 'new' && job.onLostPosition === 'stop')
    return {
      code: 'E_TARGET_LOST',
      message: `target '${planned.target.target}' is gone while the checkpoint says that records were written to it`,
    };
  if (isPlanChanged && job.onChange === 'stop')
    return { code: 'E_PLAN_HASH', message: 'mapping, key, change method or filter changed since the checkpoint was written' };
  if (
    job.ddl === 'manual' &&
    [planned.sourcePlan, planned.targetPlan, ...planned.children.map((child) => child.targetPlan)].some((one) => one.statements.length > 0)
  )
    return { code: 'E_DDL_MANUAL', message: "the target lacks something, and 'ddl: manual' forbids creating it" };
  return null;
}

interface Asked {
  readonly undelivered: boolean | null;
  readonly obstacle: WhyFacts['obstacle'];
}

const NOT_ASKED: Asked = { undelivered: null, obstacle: null };

/** The first feed that has something decides. */
async function askAll(request: DeliveryRequest, checkpoints: readonly (Checkpoint | null)[], signal: AbortSignal): Promise<Asked> {
  let asked = NOT_ASKED;
  for (const checkpoint of checkpoints) {
    if (asked.undelivered === true || asked.obstacle !== null) break;
    const next = await askUndelivered(request, checkpoint, signal);
    asked = next.undelivered === null && next.obstacle === null ? asked : next;
  }
  return asked;
}

async function askUndelivered(
  { context, stream, key }: DeliveryRequest,
  checkpoint: Checkpoint | null,
  signal: AbortSignal,
): Promise<Asked> {
  const { planned, together } = stream;
  // By snapshot nothing is newer or older: a run writes whatever differs.
  if (checkpoint?.state !== 'open' || key === null || planned.ref.changes.by === 'snapshot') return NOT_ASKED;
  try {
    const [undelivered] = await undeliveredKeys({ context, planned, together, checkpoint, keys: [key] }, signal);
    return { undelivered: undelivered ?? null, obstacle: null };
  } catch (error) {
    // The position is no more: no run goes on from it either.
    if (isTrueupError(error) && error.fault === 'limit')
      return { undelivered: null, obstacle: { code: error.code, message: error.message } };
    throw error;
  }
}
