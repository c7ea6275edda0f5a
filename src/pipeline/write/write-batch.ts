import { TrueupError } from '../../errors.ts';
import type { Mapped } from '../../mapping/mapped.ts';
import type { Cell, Row } from '../../model/cell.ts';
import { OP } from '../../model/change.ts';
import type { Batch, RecordFault, Reject } from '../../model/contracts.ts';
import { decodedCell } from '../../model/records.ts';
import { sameShape } from '../../model/shape.ts';
import { coalesce } from './coalesce.ts';
import { deletesOf } from './deletes-of.ts';
import { isAssembled } from '../embed/assembly.ts';
import { countChildren } from '../embed/count-children.ts';
import { ShapeChanged } from '../feed-run.ts';
import type { FeedRun, StreamRun } from '../feed-run.ts';
import { letterKey, letterKeyOf } from '../letters/letter-book.ts';
import { setAside } from './set-aside.ts';
import { letGoOfTooMany, resolveDelivered } from './settle-batch.ts';
import { untilSettled } from '../until-settled.ts';
import { writeApart } from './write-apart.ts';
import { writeLate } from './write-late.ts';
import { writeUnwound } from './write-unwound.ts';

/** Maps a batch and writes it to the lane; what cannot be carried is set aside. Nothing is durable before the next commit. */
export async function writeBatch(run: FeedRun, batch: Batch): Promise<void> {
  const stream = streamOf(run, batch);
  checkShape(stream, batch);
  const { pending } = stream.tally;
  const rejected = batch.rejected ?? [];
  const { coalesced = 0 } = batch;
  pending.read += batch.records.count + rejected.length + coalesced;
  pending.coalesced += coalesced;
  pending.bytes += batch.records.bytes;
  pending.batches += 1;
  run.book.countRead(batch.records.count + rejected.length + coalesced);
  setRejectsAside(run, stream, rejected);
  run.uncommitted = run.uncommitted?.length === 0 ? [] : null;
  const touched = await writeRecords(run, stream, batch);
  if (touched.length > 0) await hydrate(run, stream, touched);
}

/** What the source itself could not read. */
export function setRejectsAside(run: FeedRun, stream: StreamRun, rejects: readonly Reject[]): void {
  for (const reject of rejects) {
    const key = reject.key === undefined ? `position:${reject.position}` : carriersKey(stream, reject.key);
    setAside(run, stream, {
      key,
      code: reject.code,
      message: reject.message,
      ...(reject.payload === undefined ? {} : { payload: reject.payload }),
    });
  }
}

/**
 * Reads records by key again and writes them as they are now; what is gone is deleted. Reads after everything that was written before, so that an
 * older state never lands after a newer one.
 *
 * A source may find a record under another spelling of its key (`1.0` for `1.00`, citext). Whether the target takes both for one record is its own
 * affair: the spelling asked for is deleted first, then the record is written as it is.
 *
 * @param keys key cells as carriers, in key order; they count as read already
 */
export async function hydrate(run: FeedRun, stream: StreamRun, keys: readonly (readonly Cell[])[]): Promise<void> {
  const { source } = run.context;
  const { ref } = stream.planned;
  if (source.fetchBy === undefined)
    throw new TrueupError(
      'E_CHANGES_UNSUPPORTED',
      `stream '${ref.name}': the source cannot look records up by key, which a partial change needs`,
    );
  const wanted = new Map(keys.map((key) => [carriersKey(stream, key), key]));
  stream.tally.pending.coalesced += keys.length - wanted.size;
  await untilSettled(source, { feed: run.feed, cursor: run.checkpoint.cursor }, { stop: run.signals.abort, abort: run.signals.abort });
  const otherwiseSpelt = await writeCurrent(run, stream, wanted, [...wanted.values()]);
  if (wanted.size === 0) return;
  const gone = [...wanted.values()];
  await writeRecords(run, stream, deletesOf({ stream: stream.planned.name, shape: stream.planned.sourcePlan.shape }, gone));
  if (otherwiseSpelt > 0) await writeCurrent(run, stream, wanted, gone);
}

/** Writes the records of these keys and takes them off `wanted`. Returns how many were found that were not on it; each counts as one more read. */
async function writeCurrent(
  run: FeedRun,
  stream: StreamRun,
  wanted: Map<string, readonly Cell[]>,
  keys: readonly (readonly Cell[])[],
): Promise<number> {
  const { ref } = stream.planned;
  let others = 0;
  for await (const batch of run.context.source.fetchBy?.(ref, ref.key, keys, run.signals.abort) ?? []) {
    checkShape(stream, batch);
    for (const row of batch.records.rows()) if (!wanted.delete(letterKey(batch.shape, batch.records, row))) others += 1;
    for (const reject of batch.rejected ?? []) if (reject.key === undefined || !wanted.delete(carriersKey(stream, reject.key))) others += 1;
    setRejectsAside(run, stream, batch.rejected ?? []);
    await writeRecords(run, stream, batch);
  }
  stream.tally.pending.read += others;
  return others;
}

/** Writes what the mapping makes of a batch. Returns the keys that must be looked up again. */
async function writeRecords(run: FeedRun, stream: StreamRun, batch: Batch): Promise<(readonly Cell[])[]> {
  if (await writeLate(run, stream, batch)) return [];
  const mapped = stream.mapper.map(withOpsTaken(run, stream, batch), { exits: run.exits });
  const { pending } = stream.tally;
  pending.filtered += mapped.filtered;
  pending.exits += mapped.exits;
  pending.conversions.push(...mapped.conversions, ...(isAssembled(batch) ? batch.embedded : []));
  // Most batches have no fault, and then nobody needs their rows twice.
  const rowAt = (index: number): Row => batch.records.rows()[index] as Row;
  const keyOf = (index: number): string => letterKey(batch.shape, batch.records, rowAt(index));
  const faulty = new Set<number>();
  for (const { index, code, message } of mapped.rejected) {
    faulty.add(index);
    setAside(run, stream, { key: keyOf(index), code, message });
  }
  const { parts, touches, coalesced } = coalesce(mapped.batch);
  pending.coalesced += coalesced;
  const touched = [...mapped.touches, ...touches.map((index) => originOf(mapped, null, index))];
  for (const folded of parts) {
    const part = run.fresh ? { ...folded, batch: { ...folded.batch, fresh: true } } : folded;
    const onFault = (fault: RecordFault): void => {
      const index = originOf(mapped, part.origin, fault.index);
      faulty.add(index);
      if (fault.code === 'E_RECORD_MISSING') touched.push(index);
      else setAside(run, stream, { key: keyOf(index), code: fault.code, message: fault.message });
    };
    const keyAt = (index: number): string => keyOf(originOf(mapped, part.origin, index));
    if (stream.unwinder !== null) {
      const at = (index: number): number => originOf(mapped, part.origin, index);
      const onAside = (index: number): unknown => faulty.add(at(index));
      await writeUnwound(run, stream, stream.unwinder, { part, batch, originOf: at, keyAt, onFault, onAside });
      countChildren(stream, part.batch, (index) => !faulty.has(at(index)));
      continue;
    }
    await writeApart(run.lane, part.batch, onFault, run.signals.abort);
    countChildren(stream, part.batch, (index) => !faulty.has(originOf(mapped, part.origin, index)));
    run.uncommitted?.push({ stream, batch: part.batch, keyAt });
    letGoOfTooMany(run);
  }
  resolveDelivered(run, stream, batch, faulty);
  return touched.map((index) => batch.shape.key.map((field) => decodedCell(batch.records, rowAt(index), field)));
}

/** What the target does not take: of a patch the whole record is read, an emptied stream cannot be told. @throws {TrueupError} `E_CHANGES_UNSUPPORTED` */
function withOpsTaken({ context }: FeedRun, { planned }: StreamRun, batch: Batch): Batch {
  const { ops } = batch;
  const { ops: taken } = context.target;
  if (ops === null) return batch;
  if (!taken.has('truncate') && ops.includes(OP.truncate))
    throw new TrueupError(
      'E_CHANGES_UNSUPPORTED',
      `stream '${planned.name}' was emptied in the source (truncate), and target '${context.job.target}' cannot empty what it holds`,
      { hint: 'Empty the target yourself, then `trueup backfill` the stream; or leave the stream out.' },
    );
  if (taken.has('patch') || !ops.includes(OP.patch)) return batch;
  return { ...batch, ops: ops.map((op) => (op === OP.patch ? OP.touch : op)) };
}

function originOf(mapped: Mapped, part: Uint32Array | null, index: number): number {
  const inMapped = part === null ? index : (part[index] as number);
  return mapped.origin === null ? inMapped : (mapped.origin[inMapped] as number);
}

/** The text of a key that letters are filed under. */
export function carriersKey(stream: StreamRun, key: readonly Cell[]): string {
  return letterKeyOf(stream.planned.sourcePlan.shape, key);
}

function streamOf(run: FeedRun, batch: Batch): StreamRun {
  const stream = batch.stream === null ? undefined : run.streams.get(batch.stream);
  if (stream === undefined)
    throw new TrueupError(
      'E_BUG',
      `feed '${run.feed.id}' delivered records of stream '${String(batch.stream)}', which is not planned for it`,
    );
  return stream;
}

function checkShape(stream: StreamRun, batch: Batch): void {
  if (batch.shape === stream.shape) return;
  if (!sameShape(batch.shape, stream.planned.sourcePlan.shape)) throw new ShapeChanged(stream.planned.name);
  stream.shape = batch.shape;
}
