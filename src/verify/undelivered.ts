import type { Cell } from '../model/cell.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import type { JobContext } from '../pipeline/job-context.ts';
import { letterKey, letterKeyOf } from '../pipeline/letters/letter-book.ts';
import type { PlannedStream } from '../pipeline/plan/plan.ts';

export interface UndeliveredRequest {
  readonly context: JobContext;
  readonly planned: PlannedStream;
  /** Streams that share the changes feed, this one among them. */
  readonly together: readonly PlannedStream[];
  /** Of the changes feed. */
  readonly checkpoint: Checkpoint;
  /** Carriers in key order. */
  readonly keys: readonly (readonly Cell[])[];
}

/**
 * Which records the next read of the changes would deliver. A source that cannot say so is read from its checkpoint on, which stays where it is,
 * until all are found or the changes end.
 */
export async function undeliveredKeys(request: UndeliveredRequest, signal: AbortSignal): Promise<readonly boolean[]> {
  const { context, planned, checkpoint, keys } = request;
  const { source } = context;
  if (source.undelivered !== undefined)
    return source.undelivered({ feed: checkpoint.feed, stream: planned.ref, after: checkpoint.cursor, keys }, signal);
  const texts = keys.map((key) => letterKeyOf(planned.sourcePlan.shape, key));
  const found = await keysAmongChanges(request, new Set(texts), signal);
  return texts.map((text) => found.has(text));
}

/** Which of the wanted keys, as letters have them, a read of the feed from its checkpoint on delivers. */
export async function keysAmongChanges(
  { context, planned, together, checkpoint }: UndeliveredRequest,
  wanted: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Set<string>> {
  const found = new Set<string>();
  const { batch: limits } = context.job;
  const enough = new AbortController();
  const changes = context.source.fetchChanges({
    feed: checkpoint.feed,
    streams: together.map(({ ref }) => ref),
    after: checkpoint.cursor,
    forms: new Map(),
    batchRows: limits.rows,
    batchBytes: limits.bytes,
    until: 'drain',
    signal: AbortSignal.any([signal, enough.signal]),
  });
  for await (const batch of changes) {
    if (batch.stream !== planned.name) continue;
    const keys = batch.records.rows().map((row) => letterKey(batch.shape, batch.records, row));
    const refused = (batch.rejected ?? []).flatMap(({ key }) => (key === undefined ? [] : [letterKeyOf(batch.shape, key)]));
    for (const key of [...keys, ...refused]) if (wanted.has(key)) found.add(key);
    if (found.size === wanted.size) break;
  }
  enough.abort();
  return found;
}
