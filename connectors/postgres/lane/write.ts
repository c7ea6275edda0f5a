import { OP, TrueupError, isTrueupError } from '../../../src/sdk.ts';
import type { MappedBatch, RecordFault } from '../../../src/sdk.ts';
import { copyInto } from '../copy/in.ts';
import { copyStraightSql, wireRows } from './wire.ts';
import type { WireRows } from './wire.ts';
import { batchLayout, nothingStaged, parentLines } from './lines.ts';
import type { Layout, Staged } from './lines.ts';
import { recordLines } from './splice.ts';
import { STAGED, patchSql, removeUnlistedSql } from './sql.ts';
import type { LaneSql } from './sql.ts';
import type { LaneTable } from './table.ts';
import type { Session } from '../session/session.ts';

/** `WriteCounts` while they grow. */
export interface Counts {
  upserted: number;
  unchanged: number;
  deleted: number;
  absent: number;
  superseded: number;
}

export function noCounts(): Counts {
  return { upserted: 0, unchanged: 0, deleted: 0, absent: 0, superseded: 0 };
}

export interface Writer {
  readonly session: Session;
  readonly lane: LaneTable;
  readonly sql: LaneSql;
  /** Empties the staging table where an earlier batch of the transaction used it. */
  clearStage(): Promise<void>;
}

export interface Written {
  readonly counts: Counts;
  readonly faults: readonly RecordFault[];
}

/** Writes one batch inside of the lane's transaction: truncates are barriers, what stands between two of them goes together. */
export async function writeBatch(
  writer: Writer,
  batch: MappedBatch,
  layoutOf: { readonly fields: readonly number[]; readonly note: (field: string, kind: string) => void },
): Promise<Written> {
  const counts = noCounts();
  // Rows that replace others are merged with what stands beside them in the staging table.
  const wire = batch.replaceWithin === undefined ? wireRows(writer.lane, batch, layoutOf.fields) : null;
  if (wire !== null) {
    await stageWire(writer, wire);
    await upsertStaged(writer, batch.records.count, counts);
    return { counts, faults: [] };
  }
  const layout = batchLayout(writer.lane, batch.records, layoutOf);
  const faults: RecordFault[] = [];
  let from = 0;
  for (let at = 0; at <= batch.records.count; at++) {
    if (at < batch.records.count && batch.ops?.[at] !== OP.truncate) continue;
    if (at > from || batch.replaceWithin !== undefined)
      faults.push(...(await writeSegment(writer, { batch, layout, from, to: at, counts })));
    if (at < batch.records.count) await removeAll(writer, counts);
    from = at + 1;
  }
  return { counts, faults };
}

/** Whether a batch may be tried straight into the table: rows that are not there, with no mark that an upsert would clear. */
export function mayGoStraight({ mark }: LaneTable, { fresh, ops }: MappedBatch): boolean {
  return fresh === true && ops === null && mark === null;
}

/** Copies a batch straight into the table. Throws at the first row that is there already, as at any other that the table refuses. */
export async function writeStraight(
  { session, lane }: Writer,
  batch: MappedBatch,
  layoutOf: { readonly fields: readonly number[]; readonly note: (field: string, kind: string) => void },
): Promise<Written> {
  const into = nothingStaged();
  const wire = wireRows(lane, batch, layoutOf.fields);
  const columns = wire?.columns ?? lane.columns.map((_, index) => index);
  const rows = () =>
    recordLines({ batch, layout: batchLayout(lane, batch.records, layoutOf), from: 0, to: batch.records.count, into, straight: true });
  await copyInto(session, copyStraightSql(lane, columns, wire?.binary === true), wire?.input ?? { rows: rows() });
  return { counts: { ...noCounts(), upserted: batch.records.count - into.faults.length }, faults: into.faults };
}

async function stageWire({ session, sql, clearStage }: Writer, { input, columns, binary }: WireRows): Promise<void> {
  await clearStage();
  try {
    await copyInto(session, sql.copyUpserts(columns, binary), input);
  } catch (error) {
    throw session.fault(error);
  }
}

interface SegmentWrite {
  readonly batch: MappedBatch;
  readonly layout: Layout;
  readonly from: number;
  readonly to: number;
  readonly counts: Counts;
}

/** Removed rows go first: their unique values are then free for others. */
async function writeSegment(writer: Writer, segment: SegmentWrite): Promise<RecordFault[]> {
  const staged = await stage(writer, segment);
  if (staged.counts.has(STAGED.delete)) await removeStaged(writer, staged.counts.get(STAGED.delete) as number, segment.counts);
  if (segment.batch.replaceWithin !== undefined) await removeUnlisted(writer, segment.batch.replaceWithin.fields, segment);
  for (const { group, set } of staged.patches.values()) await patchStaged(writer, { group, set, staged }, segment.counts);
  if (staged.counts.has(STAGED.upsert)) await upsertStaged(writer, staged.counts.get(STAGED.upsert) as number, segment.counts);
  return staged.faults;
}

async function stage({ session, sql, clearStage }: Writer, segment: SegmentWrite): Promise<Staged> {
  const into = nothingStaged();
  await clearStage();
  try {
    await copyInto(session, sql.copy, { rows: chunks(segment, into) });
  } catch (error) {
    throw named(session.fault(error), into);
  }
  return into;
}

function* chunks({ batch, layout, from, to }: SegmentWrite, into: Staged): Generator<Buffer> {
  yield* recordLines({ batch, layout, from, to, into });
  const replaced = batch.replaceWithin;
  if (replaced === undefined || replaced.parents.length === 0) return;
  yield parentLines(layout, laneColumns(layout, replaced.fields), replaced.parents);
}

/** The server names a line of the COPY; what is wanted is the record. */
function named(error: unknown, { sent }: Staged): unknown {
  if (!isTrueupError(error) || error.details.recordIndex === undefined) return error;
  const { recordIndex: line, ...details } = error.details;
  const index = sent[line];
  return new TrueupError(error.code, error.message, index === undefined ? details : { ...details, recordIndex: index });
}

function laneColumns(layout: Layout, fields: readonly number[]): number[] {
  return fields.map((field) => layout.findIndex((source) => source.field === field));
}

async function upsertStaged({ session, sql }: Writer, staged: number, counts: Counts): Promise<void> {
  const written = await session.execute(sql.upsert);
  const superseded = sql.countSuperseded === null ? 0 : await count(session, sql.countSuperseded);
  counts.upserted += written;
  counts.superseded += superseded;
  counts.unchanged += staged - written - superseded;
}

async function count(session: Session, text: string): Promise<number> {
  const [row] = await session.query(text);
  return Number(row?.[0]);
}

/** A delete that a policy ignores leaves the row unchanged; so does one of a row that is marked already. */
async function removeStaged({ session, lane, sql }: Writer, staged: number, counts: Counts): Promise<void> {
  if (lane.onDelete === 'ignore') {
    counts.unchanged += staged;
    return;
  }
  const present = await count(session, sql.lockRemoved);
  const removed = await session.execute(sql.remove);
  counts.deleted += removed;
  counts.unchanged += Math.max(present - removed, 0);
  counts.absent += staged - Math.max(present, removed);
}

/** Counts as one deleted, however many rows there were. */
async function removeAll({ session, lane, sql }: Writer, counts: Counts): Promise<void> {
  if (lane.onDelete === 'ignore') counts.unchanged++;
  else {
    await session.execute(sql.removeAll.truncate ?? sql.removeAll.remove);
    counts.deleted++;
  }
}

async function removeUnlisted({ session, lane, sql }: Writer, fields: readonly number[], { layout, counts }: SegmentWrite): Promise<void> {
  if (lane.onDelete === 'ignore') return;
  counts.deleted += await session.execute(removeUnlistedSql(lane, sql.stage, laneColumns(layout, fields)));
}

/** A patch whose row is missing comes back as a fault, and the whole record is read again. */
async function patchStaged(
  { session, lane, sql }: Writer,
  { group, set, staged }: { readonly group: number; readonly set: readonly number[]; readonly staged: Staged },
  counts: Counts,
): Promise<void> {
  const patch = patchSql(lane, sql.stage, { group, set });
  const present = await count(session, patch.lock);
  const total = staged.counts.get(group) ?? 0;
  if (present < total) {
    const missing = (await session.query(patch.missing)).map(([index]) => Number(index));
    const message = `target '${lane.stream.target}' has no row of this key to change`;
    staged.faults.push(...missing.map((index): RecordFault => ({ index, code: 'E_RECORD_MISSING', message })));
  }
  const written = set.length === 0 ? 0 : await session.execute(patch.update);
  const superseded = patch.countSuperseded === null ? 0 : await count(session, patch.countSuperseded);
  counts.upserted += written;
  counts.superseded += superseded;
  counts.unchanged += present - written - superseded;
}
