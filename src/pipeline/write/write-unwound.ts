import type { Unwinder } from '../../mapping/compile-unwind.ts';
import type { Row } from '../../model/cell.ts';
import { OP } from '../../model/change.ts';
import type { Batch, Conversion, MappedBatch, RecordFault } from '../../model/contracts.ts';
import { PLAIN_LINES } from '../../model/plain-lines.ts';
import { cellRecords, withRows } from '../../model/records.ts';
import type { Coalesced } from './coalesce.ts';
import { commitAllApart, writeAgain } from './commit-apart.ts';
import { ChildFault, familyWithout, sliceFamily, writeFamily } from '../plan/family.ts';
import type { Family } from '../plan/family.ts';
import type { FeedRun, StreamRun, WrittenPart } from '../feed-run.ts';

/** Mapped records of a stream whose arrays are unwound, and where they come from. */
export interface UnwoundPart {
  readonly part: Coalesced;
  /** The records of the source. */
  readonly batch: Batch;
  /** Index in `batch` of a record of the part. */
  originOf(index: number): number;
  keyAt(index: number): string;
  /** Sets a record of the part aside. */
  onFault(fault: RecordFault): void;
  /** Told of a record that was set aside already. */
  onAside(index: number): void;
}

/** Writes records with their rows in child tables: all of a record, or nothing of it. */
export async function writeUnwound(run: FeedRun, stream: StreamRun, unwinder: Unwinder, part: UnwoundPart): Promise<void> {
  if (part.part.batch.ops?.includes(OP.truncate) === true) return truncateAll(run, stream, part);
  const { family, faults, conversions } = familyOf(stream, unwinder, part);
  for (const fault of faults) part.onFault(fault);
  const out = new Set(faults.map(({ index }) => index));
  const kept = Array.from({ length: family.records.records.count }, (_unused, index) => index).filter((index) => !out.has(index));
  stream.tally.pending.conversions.push(...conversions);
  let left: Whole | null = { whole: familyWithout(family, out), kept, part, aside: new Set() };
  while (left !== null) left = await writeWhole(run, stream, left);
}

interface Whole {
  readonly whole: Family;
  /** Of each record of it, its index in the part. */
  readonly kept: readonly number[];
  readonly part: UnwoundPart;
  /** By their indices in the part, records that were set aside. */
  readonly aside: Set<number>;
}

/** Returns what is left to write, without the records that turned out to be at fault; the lane is then as it was before. `null`: nothing is. */
async function writeWhole(run: FeedRun, stream: StreamRun, work: Whole): Promise<Whole | null> {
  const { whole, kept, part } = work;
  const written: WrittenPart = {
    stream,
    batch: whole.records,
    keyAt: (index) => part.keyAt(kept[index] as number),
    rewrite: (lane, from, to, signal) => writeFamily(lane, sliceFamily(whole, from, to), (fault) => putAside(work, from, fault), signal),
    onAside: (index) => part.onAside(kept[index] as number),
  };
  try {
    await writeFamily(run.lane, whole, (fault) => putAside(work, 0, fault), run.signals.abort);
    run.uncommitted?.push(written);
  } catch (error) {
    if (!(error instanceof ChildFault)) throw error;
    // Too much was written since the last commit to write it again: the feed is read again, with a commit after every batch.
    if (run.uncommitted === null) throw error.fault;
    if (error.known.length > 0) {
      await writeAgain(run, run.uncommitted);
      return withoutKnown(work, error.known);
    }
    await commitAllApart(run, [...run.uncommitted, written]);
    run.uncommitted = [];
  }
  return null;
}

function putAside({ kept, part, aside }: Whole, from: number, fault: RecordFault): void {
  const index = kept[from + fault.index] as number;
  if (aside.has(index)) return;
  aside.add(index);
  part.onFault({ ...fault, index });
}

function withoutKnown(work: Whole, known: readonly RecordFault[]): Whole {
  for (const fault of known) putAside(work, 0, fault);
  const out = new Set(known.map(({ index }) => index));
  return { ...work, whole: familyWithout(work.whole, out), kept: work.kept.filter((_index, place) => !out.has(place)) };
}

interface Taken {
  readonly family: Family;
  readonly faults: readonly RecordFault[];
  readonly conversions: readonly Conversion[];
}

/** The rows of the records, by the table. Deleted records have none, and keep those they have where they themselves are kept. */
function familyOf(stream: StreamRun, unwinder: Unwinder, { part, batch, originOf }: UnwoundPart): Taken {
  const { records, ops } = part.batch;
  const rows = batch.records.rows();
  const sources = Array.from({ length: records.count }, (_unused, index) => rows[originOf(index)] as Row);
  const source: Batch = { ...batch, records: withRows(batch.records, sources), ops: null };
  const isGone = (index: number): boolean => ops?.[index] === OP.delete;
  const there = sources
    .keys()
    .filter((index) => !isGone(index))
    .toArray();
  const present: Batch =
    there.length === sources.length
      ? source
      : {
          ...source,
          records: withRows(
            source.records,
            there.map((index) => sources[index] as Row),
          ),
        };
  const unwound = (takesLines(stream, part.batch) ? unwinder.unwindLines(present) : null) ?? unwinder.unwind(present);
  const parents = unwinder.parents(source);
  const keepsDeleted = stream.planned.entry.onDelete !== 'delete';
  const tables = stream.planned.children.map((child, at) => {
    const table = unwound.tables[at];
    const starts = startsOf(records.count, table?.origin ?? new Uint32Array(), there);
    const of = (parents[at] ?? []).map((parent, index) => (keepsDeleted && isGone(index) ? null : parent));
    return { child, rows: table?.records ?? cellRecords({ rows: [], bytes: 0 }), starts, parents: of };
  });
  const faults = unwound.faults.map((fault) => ({ ...fault, index: there[fault.index] as number }));
  return { family: { records: part.batch, tables }, faults, conversions: unwound.conversions };
}

/** Whether rows are likely to go into their tables as they are: those of a first load, into columns that take plain text. */
function takesLines({ planned }: StreamRun, { fresh, ops }: MappedBatch): boolean {
  return fresh === true && ops === null && planned.children.every(({ targetPlan }) => targetPlan.forms.includes(PLAIN_LINES));
}

/** @param origin per row the place of its record among those that are `there` */
function startsOf(count: number, origin: Uint32Array, there: readonly number[]): number[] {
  const rows = Array.from({ length: count }, () => 0);
  for (const place of origin) rows[there[place] as number] = (rows[there[place] as number] ?? 0) + 1;
  const starts = [0];
  for (const many of rows) starts.push((starts.at(-1) ?? 0) + many);
  return starts;
}

async function truncateAll(run: FeedRun, stream: StreamRun, { part, keyAt }: UnwoundPart): Promise<void> {
  const { children, entry } = stream.planned;
  const write = async (lane: FeedRun['lane'], _from: number, _to: number, signal: AbortSignal): Promise<void> => {
    for (const { target } of entry.onDelete === 'delete' ? children.toReversed() : []) {
      const row = target.shape.fields.map(() => undefined);
      await lane.bulkUpsert(
        { ...part.batch, stream: target.stream, shape: target.shape, records: cellRecords({ rows: [row], bytes: 0 }) },
        signal,
      );
    }
    await lane.bulkUpsert(part.batch, signal);
  };
  await write(run.lane, 0, 1, run.signals.abort);
  run.uncommitted?.push({ stream, batch: part.batch, keyAt, rewrite: write });
}
