import type { UnwoundTable } from '../../mapping/compile-unwind.ts';
import type { Cell } from '../../model/cell.ts';
import { OP } from '../../model/change.ts';
import type { Lane, MappedBatch, RecordFault } from '../../model/contracts.ts';
import { cellRecords, withRows } from '../../model/records.ts';
import type { ChildTable } from './child-tables.ts';
import { isRecordFault, writeApart } from '../write/write-apart.ts';
import { TrueupError } from '../../errors.ts';

/** Records with all their rows in child tables: they are written together or not at all. */
export interface Family {
  /** In the shape of the target; upserts and deletes. */
  readonly records: MappedBatch;
  /** Each table before those below it. */
  readonly tables: readonly FamilyTable[];
}

export interface FamilyTable {
  readonly child: ChildTable;
  /** Rows of all records, those of one together, in the order of the records. */
  readonly rows: UnwoundTable['records'];
  /** Where the rows of each record begin, and the end: one more than there are records. */
  readonly starts: readonly number[];
  /** Per record what its rows have of its key; `null`: its rows stay as they are. */
  readonly parents: readonly (readonly Cell[] | null)[];
}

/** A record whose child rows the target does not take. `index`: within the family. */
export class ChildFault extends Error {
  override readonly name = 'ChildFault';
  readonly index: number | null;
  readonly fault: TrueupError;
  /** All records with rows that one table does not take, where the target told of all at once; else none. */
  readonly known: readonly RecordFault[];

  constructor(index: number | null, fault: TrueupError, known: readonly RecordFault[] = []) {
    super(fault.message);
    this.index = index;
    this.fault = fault;
    this.known = known;
  }
}

/** The records `from <= i < to` with all that belongs to them. */
export function sliceFamily({ records, tables }: Family, from: number, to: number): Family {
  return {
    records: { ...records, records: records.records.slice(from, to), ops: records.ops === null ? null : records.ops.subarray(from, to) },
    tables: tables.map((table) => {
      const starts = table.starts.slice(from, to + 1);
      const first = starts[0] ?? 0;
      return {
        ...table,
        rows: withRows(table.rows, table.rows.rows().slice(first, starts.at(-1) ?? first)),
        starts: starts.map((start) => start - first),
        parents: table.parents.slice(from, to),
      };
    }),
  };
}

/** A family without some of its records. */
export function familyWithout(family: Family, out: ReadonlySet<number>): Family {
  if (out.size === 0) return family;
  const { records, tables } = family;
  const kept = Array.from({ length: records.records.count }, (_unused, index) => index).filter((index) => !out.has(index));
  const all = records.records.rows();
  return {
    records: {
      ...records,
      records: withRows(
        records.records,
        kept.map((index) => all[index] as (typeof all)[number]),
      ),
      ops: records.ops === null ? null : Uint8Array.from(kept, (index) => records.ops?.[index] ?? OP.upsert),
    },
    tables: tables.map((table) => {
      const rows = table.rows.rows();
      const chosen: (typeof rows)[number][] = [];
      const starts = [0];
      for (const index of kept) {
        chosen.push(...rows.slice(table.starts[index], table.starts[index + 1]));
        starts.push(chosen.length);
      }
      return { ...table, rows: withRows(table.rows, chosen), starts, parents: kept.map((index) => table.parents[index] ?? null) };
    }),
  };
}

/**
 * Writes records and their rows to the lane. Rows of child tables come after the records that they may refer to, and go before them.
 *
 * @param onFault told of records that the target does not take: neither they nor their rows are written
 * @throws {ChildFault} when the target does not take a row of a child table; the lane then holds half of a family, and must be discarded
 */
export async function writeFamily(lane: Lane, family: Family, onFault: (fault: RecordFault) => void, signal: AbortSignal): Promise<void> {
  const gone = deletedOf(family);
  if (gone.size > 0 && refers(family))
    for (const table of family.tables.toReversed()) await writeRows(lane, family, onlyParents(table, gone), signal);
  const faulty = new Set<number>();
  const noted = (fault: RecordFault): void => {
    faulty.add(fault.index);
    onFault(fault);
  };
  if (family.records.records.count > 0) await writeApart(lane, family.records, noted, signal);
  const origins = Array.from({ length: family.records.records.count }, (_unused, index) => index).filter((index) => !faulty.has(index));
  const good = familyWithout(family, faulty);
  try {
    for (const table of good.tables.toReversed()) if (isReferred(good, table)) await writeRows(lane, good, listedOnly(table), signal);
    for (const table of good.tables) await writeRows(lane, good, table, signal);
  } catch (error) {
    if (!(error instanceof ChildFault) || error.index === null) throw error;
    const known = error.known.map((fault) => ({ ...fault, index: origins[fault.index] as number }));
    throw new ChildFault(origins[error.index] ?? null, error.fault, known);
  }
}

function deletedOf({ records }: Family): Set<number> {
  const gone = new Set<number>();
  records.ops?.forEach((op, index) => {
    if (op === OP.delete) gone.add(index);
  });
  return gone;
}

/** Whether rows of the child tables may refer to the records, or to one another. */
function refers({ tables }: Family): boolean {
  return tables.some(({ child }) => child.targetPlan.dependsOn.length > 0);
}

/** Whether rows of a table may refer to rows of another child table, which must not go before them. */
function isReferred({ tables }: Family, { child }: FamilyTable): boolean {
  return child.targetPlan.dependsOn.some((name) => tables.some((table) => table.child.target.stream === name));
}

/** No rows, for some of the records: all that is there of them goes. */
function onlyParents(table: FamilyTable, chosen: ReadonlySet<number>): RowsOfTable {
  return {
    ...table,
    rows: cellRecords({ rows: [], bytes: 0 }),
    starts: table.starts.map(() => 0),
    parents: table.parents.map((parent, index) => (chosen.has(index) ? parent : null)),
  };
}

/** What is listed stays as it is, whether it is there or not; all else goes. */
function listedOnly(table: FamilyTable): RowsOfTable {
  const { key } = table.child.target.shape;
  const rows = table.rows.rows().map((row) => row.map((cell, index) => (key.includes(index) ? cell : undefined)));
  return { ...table, rows: withRows(table.rows, rows), op: OP.patch };
}

type RowsOfTable = FamilyTable & { readonly op?: number };

async function writeRows(lane: Lane, { records }: Family, table: RowsOfTable, signal: AbortSignal): Promise<void> {
  const { child, rows, starts, parents, op } = table;
  const replaced = parents.filter((parent) => parent !== null);
  if (replaced.length === 0) return;
  const batch: MappedBatch = {
    ...records,
    stream: child.target.stream,
    shape: child.target.shape,
    records: rows,
    ops: op === undefined ? null : new Uint8Array(rows.count).fill(op),
    distinctKeys: true,
    replaceWithin: { fields: child.plan.parent, parents: replaced },
  };
  try {
    const faults = (await lane.bulkUpsert(batch, signal)).filter(({ code }) => code !== 'E_RECORD_MISSING');
    const [first, ...known] = ofRecords(child, starts, faults);
    if (first !== undefined) throw new ChildFault(first.index, new TrueupError(first.code, first.message), [first, ...known]);
  } catch (error) {
    if (error instanceof ChildFault || !isRecordFault(error)) throw error;
    const { recordIndex } = error.details;
    throw new ChildFault(recordIndex === undefined ? null : recordOf(starts, recordIndex), named(child, error));
  }
}

function named({ target }: ChildTable, fault: TrueupError): TrueupError {
  return new TrueupError(fault.code, `${target.target}: ${fault.message}`);
}

/** Faults of rows as faults of their records, the first of each. */
function ofRecords({ target }: ChildTable, starts: readonly number[], faults: readonly RecordFault[]): RecordFault[] {
  const found = new Map<number, RecordFault>();
  for (const fault of faults) {
    const index = recordOf(starts, fault.index);
    if (!found.has(index)) found.set(index, { ...fault, index, message: `${target.target}: ${fault.message}` });
  }
  return [...found.values()];
}

/** The record that a row belongs to. */
function recordOf(starts: readonly number[], row: number): number {
  return starts.findLastIndex((start) => start <= row);
}
