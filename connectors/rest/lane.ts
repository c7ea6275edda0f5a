import { TrueupError, isTrueupError } from '../../src/sdk.ts';
import type { CommitResult, Lane, MappedBatch, Owner, RecordFault, TargetStream, WriteCounts } from '../../src/sdk.ts';
import { askedText, isAbsent, refuseStatus } from './api.ts';
import type { Api } from './api.ts';
import { inParallel } from './in-parallel.ts';
import { planOf } from './stream-plan.ts';
import type { StreamPlan } from './stream-plan.ts';
import { writeRequests } from './write-request.ts';
import type { WriteRequest } from './write-request.ts';

export interface LaneParts {
  readonly api: Api;
  readonly plans: ReadonlyMap<string, StreamPlan>;
  readonly owner: Owner;
  readonly streams: readonly TargetStream[];
  readonly atOnce: number;
}

type Tally = { -readonly [Count in keyof WriteCounts]: WriteCounts[Count] };

/** What became of a request; a fault is of the one record in it. */
type Outcome = keyof WriteCounts | { readonly code: 'E_RECORD_VALUE'; readonly message: string };

/**
 * Writes at once: an API has no transactions. So what a lane has written and not committed is written again after a crash, with the same content. No key stands twice in a
 * batch and batches come one after another, so the records of a batch may go side by side.
 */
export function openRestLane(parts: LaneParts): Lane {
  let tallies = new Map<string, Tally>();
  const forget = async (): Promise<void> => {
    tallies = new Map();
  };
  return {
    bulkUpsert: async (batch, signal): Promise<RecordFault[]> => {
      signal.throwIfAborted();
      const stream = parts.streams.find((one) => one.stream === batch.stream);
      if (stream === undefined) throw new TrueupError('E_BUG', `The lane was not opened for stream '${batch.stream}'.`);
      const { tally, faults } = await writeBatch(parts, { stream, batch, signal });
      const sum = tallies.get(batch.stream) ?? noCounts();
      for (const name of Object.keys(sum) as (keyof Tally)[]) sum[name] += tally[name];
      tallies.set(batch.stream, sum);
      return faults;
    },
    commit: async (_what, signal): Promise<CommitResult> => {
      signal.throwIfAborted();
      const streams = Object.fromEntries(tallies);
      await forget();
      return { streams, lettersResolved: 0 };
    },
    discard: forget,
    close: forget,
  };
}

interface Writing {
  readonly stream: TargetStream;
  readonly batch: MappedBatch;
  readonly signal: AbortSignal;
}

async function writeBatch(
  parts: LaneParts,
  { stream, batch, signal }: Writing,
): Promise<{ readonly tally: Tally; readonly faults: RecordFault[] }> {
  const plan = planOf(parts.plans, stream.target);
  const tally = noCounts();
  const faults: RecordFault[] = [];
  const send = async (request: WriteRequest) => ({ request, outcome: await writeOne(parts, plan, { request, stream, signal }) });
  for await (const { request, outcome } of inParallel(writeRequests(plan, batch), parts.atOnce, send)) {
    if (typeof outcome === 'string') tally[outcome] += request.records.length;
    else if (request.records.length === 1) faults.push({ index: request.records[0]?.index ?? 0, ...outcome });
    // Which of them is at fault is for the pipeline to find, by writing them apart.
    else throw new TrueupError(outcome.code, outcome.message);
  }
  return { tally, faults: faults.sort((a, b) => a.index - b.index) };
}

/** @throws {TrueupError} for what is no fault of a record */
async function writeOne(
  { api, owner }: LaneParts,
  plan: StreamPlan,
  { request, stream, signal }: { readonly request: WriteRequest; readonly stream: TargetStream; readonly signal: AbortSignal },
): Promise<Outcome> {
  if (request.isDelete && stream.onDelete === 'ignore') return 'unchanged';
  if (request.isDelete && plan.declared.delete === undefined)
    return { code: 'E_RECORD_VALUE', message: `stream '${plan.name}' has no endpoint to delete a record` };
  let asked;
  try {
    asked = request.ask(owner.job, api.baseUrl);
  } catch (error) {
    if (!isTrueupError(error) || error.fault !== 'record') throw error;
    return { code: 'E_RECORD_VALUE', message: error.message };
  }
  const answer = await api.ask(asked, { signal, idempotent: true });
  const { status } = answer;
  const isDone = status >= 200 && status < 300;
  if (!isDone && request.isDelete && isAbsent(answer)) {
    answer.cancel();
    return 'absent';
  }
  if (!isDone && isOfRecord(status, asked.method)) {
    answer.cancel();
    return refused(plan, status, askedText(asked));
  }
  refuseStatus(answer, askedText(asked));
  // The body is of no use, but a connection whose answer was read can be used again.
  await answer.bytes();
  return request.isDelete ? 'deleted' : 'upserted';
}

/** Statuses that tell of what was sent, not of where and by whom. A record that is to be changed may not be there. */
function isOfRecord(status: number, method: string): boolean {
  return [400, 409, 412, 413, 422].includes(status) || (method === 'PATCH' && (status === 404 || status === 410));
}

function refused({ declared }: StreamPlan, status: number, asked: string): Outcome {
  const isConflict = status === 409 || status === 412;
  if (isConflict && declared.upsert?.conflict === 'superseded') return 'superseded';
  if (isConflict && declared.upsert?.conflict === 'retry')
    throw new TrueupError('E_BUSY', `${withoutLast(asked)}: the server answers ${status}, which is to be tried again`);
  return { code: 'E_RECORD_VALUE', message: `${withoutLast(asked)}: the server answers ${status} and does not take the record` };
}

/** The last part of an address is often the key of a record, which a message does not show. */
function withoutLast(asked: string): string {
  return asked.replace(/\/[^/]*$/, '/…');
}

function noCounts(): Tally {
  return { upserted: 0, unchanged: 0, deleted: 0, absent: 0, superseded: 0 };
}
