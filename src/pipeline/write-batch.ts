import { ERROR_CODES, TrueupError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Mapped } from '../mapping/mapped.ts';
import type { Cell, Row } from '../model/cell.ts';
import { OP } from '../model/change.ts';
import type { Batch, RecordFault } from '../model/contracts.ts';
import type { Json } from '../model/json.ts';
import { cellRecords, decodedCell } from '../model/records.ts';
import { sameShape } from '../model/shape.ts';
import { coalesce } from './coalesce.ts';
import { ShapeChanged } from './feed-run.ts';
import type { FeedRun, StreamRun } from './feed-run.ts';
import { letterKey, letterKeyOf } from './letter-book.ts';
import { writeApart } from './write-apart.ts';

/** Maps a batch and writes it to the lane; what cannot be carried is set aside. Nothing is durable before the next commit. */
export async function writeBatch(run: FeedRun, batch: Batch): Promise<void> {
  const stream = streamOf(run, batch);
  checkShape(stream, batch);
  const { pending } = stream.tally;
  const rejected = batch.rejected ?? [];
  pending.read += batch.records.count + rejected.length;
  pending.bytes += batch.records.bytes;
  pending.batches += 1;
  run.book.countRead(batch.records.count + rejected.length);
  for (const reject of rejected) {
    const key = reject.key === undefined ? `position:${reject.position}` : carriersKey(stream, reject.key);
    setAside(run, stream, {
      key,
      code: reject.code,
      message: reject.message,
      ...(reject.payload === undefined ? {} : { payload: reject.payload }),
    });
  }
  run.uncommitted = run.uncommitted?.length === 0 ? [] : null;
  const touched = await writeRecords(run, stream, batch);
  if (touched.length > 0) await hydrate(run, stream, touched);
}

/**
 * Reads records by key again and writes them as they are now; what is gone is deleted. Reads after everything that was written before, so that an
 * older state never lands after a newer one.
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
  for await (const batch of source.fetchBy(ref, ref.key, [...wanted.values()], run.signals.abort)) {
    checkShape(stream, batch);
    for (const row of batch.records.rows()) wanted.delete(letterKey(batch.shape, batch.records, row));
    await writeRecords(run, stream, batch);
  }
  if (wanted.size > 0) await writeRecords(run, stream, deletesOf(stream, [...wanted.values()]));
}

/** Writes what the mapping makes of a batch. Returns the keys that must be looked up again. */
async function writeRecords(run: FeedRun, stream: StreamRun, batch: Batch): Promise<(readonly Cell[])[]> {
  const mapped = stream.mapper.map(batch, { exits: run.exits });
  const { pending } = stream.tally;
  pending.filtered += mapped.filtered;
  pending.exits += mapped.exits;
  pending.conversions.push(...mapped.conversions);
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
  for (const part of parts) {
    const onFault = (fault: RecordFault): void => {
      const index = originOf(mapped, part.origin, fault.index);
      faulty.add(index);
      if (fault.code === 'E_RECORD_MISSING') touched.push(index);
      else setAside(run, stream, { key: keyOf(index), code: fault.code, message: fault.message });
    };
    await writeApart(run.lane, part.batch, onFault, run.signals.abort);
    run.uncommitted?.push({ stream, batch: part.batch, keyAt: (index) => keyOf(originOf(mapped, part.origin, index)) });
  }
  resolveDelivered(run, stream, batch, faulty);
  return touched.map((index) => batch.shape.key.map((field) => decodedCell(batch.records, rowAt(index), field)));
}

/** A key that was delivered, filtered or deleted needs its letter no longer. */
function resolveDelivered(run: FeedRun, stream: StreamRun, batch: Batch, faulty: ReadonlySet<number>): void {
  const { name } = stream.planned;
  if (!run.book.knows(name) && run.pending.letters.size === 0) return;
  batch.records.rows().forEach((row, index) => {
    if (faulty.has(index) || batch.ops?.[index] === OP.truncate) return;
    const key = letterKey(batch.shape, batch.records, row);
    if (run.book.has(name, key)) run.book.resolve(run.pending, name, key);
  });
}

interface Fault {
  readonly key: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly payload?: Json;
}

/** Sets one record aside as a dead letter. */
export function setAside(run: FeedRun, stream: StreamRun, fault: Fault): void {
  stream.tally.pending.deadLettered += 1;
  const kind = ERROR_CODES[fault.code].fault === 'order' ? 'order' : 'record';
  run.book.add(run.pending, { stream: stream.planned.name, kind, ...fault });
}

function deletesOf(stream: StreamRun, keys: readonly (readonly Cell[])[]): Batch {
  const { shape } = stream.planned.sourcePlan;
  const rows = keys.map((key) => {
    const row: Cell[] = shape.fields.map(() => undefined);
    shape.key.forEach((field, index) => (row[field] = key[index]));
    return row;
  });
  const ops = new Uint8Array(rows.length).fill(OP.delete);
  return {
    stream: stream.planned.name,
    shape,
    records: cellRecords({ rows, bytes: 0 }),
    ops,
    distinctKeys: true,
    cursor: null,
    position: { text: '' },
  };
}

function originOf(mapped: Mapped, part: Uint32Array | null, index: number): number {
  const inMapped = part === null ? index : (part[index] as number);
  return mapped.origin === null ? inMapped : (mapped.origin[inMapped] as number);
}

function carriersKey(stream: StreamRun, key: readonly Cell[]): string {
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
