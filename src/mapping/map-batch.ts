import { TrueupError, isTrueupError } from '../errors.ts';
import type { Cell, Row } from '../model/cell.ts';
import { OP } from '../model/change.ts';
import type { Batch, Conversion, MappedBatch } from '../model/contracts.ts';
import { cellRecords } from '../model/records.ts';
import type { Decode, Records } from '../model/records.ts';
import type { Note } from './compile-field.ts';
import type { Column, CompiledMapping } from './compiled.ts';
import type { Mapped, MappingFault } from './mapped.ts';
import type { RowContext } from './row-context.ts';

interface Noted {
  readonly field: number;
  readonly kind: string;
}

/** What one batch becomes, while it is being mapped. */
interface Work {
  readonly mapping: CompiledMapping;
  readonly exits: boolean;
  readonly context: RowContext;
  readonly rows: Row[];
  readonly ops: number[];
  readonly origin: number[];
  readonly touches: number[];
  readonly rejected: MappingFault[];
  /** Per field and kind; of records that were mapped as a whole. */
  readonly counts: Map<string, number>;
  /** Of the record at hand. */
  readonly noted: Noted[];
  /** Per field: takes down what was done to a value of the record at hand. */
  readonly notes: readonly Note[];
  filtered: number;
  exited: number;
}

/** Maps every record of a batch. What cannot be mapped is in `rejected`; nothing is thrown for a record. */
export function mapBatch(mapping: CompiledMapping, batch: Batch, exits: boolean): Mapped {
  if (passesAsItIs(mapping, batch)) return unchanged(mapping, batch);
  const source = batch.records.rows();
  const noted: Noted[] = [];
  const work: Work = {
    mapping,
    exits: exits && mapping.plan.onExit === 'delete',
    context: { row: [], decoders: decodersOf(batch) },
    rows: [],
    ops: [],
    origin: [],
    touches: [],
    rejected: [],
    counts: new Map(),
    noted,
    notes: mapping.columns.map((_column, field) => (kind) => noted.push({ field, kind })),
    filtered: 0,
    exited: 0,
  };
  for (let index = 0; index < source.length; index++)
    mapRecord(work, { index, row: source[index] as Row, op: batch.ops?.[index] ?? OP.upsert });
  return finished(work, batch);
}

/** Renaming alone leaves the records, in whatever form they are. A touch never leaves the mapping. */
function passesAsItIs({ isIdentity, passes, isDeleted, plan }: CompiledMapping, { ops }: Batch): boolean {
  if (plan.unwind.length > 0 && ops?.includes(OP.patch) === true) return false;
  return isIdentity && passes === null && isDeleted === null && ops?.includes(OP.touch) !== true;
}

function unchanged({ plan }: CompiledMapping, batch: Batch): Mapped {
  return {
    batch: { ...batch, stream: plan.stream, shape: plan.shape },
    origin: null,
    filtered: 0,
    exits: 0,
    touches: [],
    rejected: [],
    conversions: [],
  };
}

export function decodersOf({ shape, records }: Batch): (Decode | null)[] {
  return shape.fields.map((_field, index) => records.decoder(index));
}

interface SourceRecord {
  readonly index: number;
  readonly row: Row;
  readonly op: number;
}

function mapRecord(work: Work, record: SourceRecord): void {
  work.context.row = record.row;
  try {
    const mapped = mappedRecord(work, record);
    if (mapped !== null) add(work, record.index, mapped);
  } catch (error) {
    work.rejected.push(faultOf(error, record.index));
  }
  if (work.noted.length > 0) work.noted.length = 0;
}

/** The mapped record; `null`: it was filtered, or must be looked up again. */
function mappedRecord(work: Work, { index, row, op }: SourceRecord): { readonly row: Row; readonly op: number } | null {
  const { mapping } = work;
  if (op === OP.truncate) return { row: mapping.columns.map(() => undefined), op };
  if (op === OP.delete) return { row: keyRow(work), op };
  // An array is replaced as a whole, so a patch does not do where arrays are unwound.
  if (op === OP.touch || (op === OP.patch && (mapping.plan.unwind.length > 0 || needsMore(mapping, row)))) {
    work.touches.push(index);
    return null;
  }
  if (mapping.isDeleted?.(work.context) === true) return { row: keyRow(work), op: OP.delete };
  if (mapping.passes === null || mapping.passes(work.context))
    return { row: mapping.isIdentity ? row : fullRow(work, op === OP.patch), op };
  if (!work.exits) {
    work.filtered++;
    return null;
  }
  const exit = { row: keyRow(work), op: OP.delete };
  work.exited++;
  return exit;
}

/** Whether a condition, or a field made of several, needs a cell that the patch does not have. */
function needsMore({ columns, conditionFields }: CompiledMapping, row: Row): boolean {
  if (conditionFields.some((field) => row[field] === undefined)) return true;
  return columns.some(
    (column) =>
      column.compute !== null &&
      column.sources.some((field) => row[field] === undefined) &&
      column.sources.some((field) => row[field] !== undefined),
  );
}

/** What one record is mapped with. */
export type RowWork = Pick<Work, 'mapping' | 'context' | 'notes'>;

export function fullRow(work: RowWork, isPatch: boolean): Row {
  // An array that grows takes room for 17 cells at its first.
  return work.mapping.columns.map((_column, index) => (isPatch && isAbsent(work, index) ? undefined : mappedCell(work, index)));
}

/** In a patch: nothing that the field is made of has changed. */
function isAbsent({ mapping, context }: RowWork, index: number): boolean {
  const column = mapping.columns[index] as Column;
  return column.compute !== null && !column.inKey && !column.sources.some((field) => context.row[field] !== undefined);
}

/** The key cells alone; the others are absent. */
function keyRow(work: Work): Row {
  const { columns, plan } = work.mapping;
  const out: Cell[] = columns.map(() => undefined);
  for (const index of plan.shape.key) out[index] = mappedCell(work, index);
  return out;
}

export function mappedCell(work: RowWork, index: number): Cell {
  const column = work.mapping.columns[index] as Column;
  if (column.compute === null) return work.context.row[column.source];
  const cell = column.compute(work.context, work.notes[index] as Note);
  if (column.inKey && (cell === null || cell === undefined))
    throw new TrueupError(
      'E_RECORD_VALUE',
      `key field '${work.mapping.plan.shape.fields[index]?.name}': its value is NULL, and a key must not be`,
    );
  return cell;
}

function add(work: Work, index: number, { row, op }: { readonly row: Row; readonly op: number }): void {
  work.rows.push(row);
  work.ops.push(op);
  work.origin.push(index);
  for (const { field, kind } of work.noted) {
    const name = `${field} ${kind}`;
    work.counts.set(name, (work.counts.get(name) ?? 0) + 1);
  }
}

/** What is a fault of this record alone. Everything else is thrown on. */
function faultOf(error: unknown, index: number): MappingFault {
  if (isTrueupError(error) && error.fault === 'record') return { index, code: error.code, message: error.message };
  if (error instanceof RangeError)
    return { index, code: 'E_RECORD_VALUE', message: 'a value is nested too deeply or too large to be mapped' };
  throw error;
}

function finished(work: Work, batch: Batch): Mapped {
  const { mapping, rows, ops, origin } = work;
  const { plan } = mapping;
  const isWhole = rows.length === batch.records.count;
  const allUpserts = ops.every((op) => op === OP.upsert);
  const records =
    isWhole && mapping.isIdentity && rows.every((row, index) => row === batch.records.rows()[index])
      ? batch.records
      : mappedRecords(work, batch);
  const mapped: MappedBatch = { ...batch, stream: plan.stream, shape: plan.shape, records, ops: allUpserts ? null : Uint8Array.from(ops) };
  return {
    batch: mapped,
    origin: isWhole ? null : Uint32Array.from(origin),
    filtered: work.filtered,
    exits: work.exited,
    touches: work.touches,
    rejected: work.rejected,
    conversions: conversionsOf(plan, work.counts),
  };
}

/** @param counts by the index of a field and the kind, with a space between */
export function conversionsOf({ stream, shape }: CompiledMapping['plan'], counts: ReadonlyMap<string, number>): Conversion[] {
  return [...counts].map(([name, count]): Conversion => {
    const space = name.indexOf(' ');
    return { stream, field: shape.fields[Number(name.slice(0, space))]?.name ?? '', kind: name.slice(space + 1), count };
  });
}

/** Copied cells stay what they were, undecoded ones included. */
export function mappedDecoders({ columns }: CompiledMapping, decoders: RowContext['decoders']): (Decode | null)[] {
  return columns.map((column) => (column.compute === null ? (decoders[column.source] ?? null) : null));
}

function mappedRecords({ mapping, rows, context }: Work, { records }: Batch): Records {
  const bytes = records.count === 0 ? 0 : Math.ceil((records.bytes * rows.length) / records.count);
  const decoders = mappedDecoders(mapping, context.decoders);
  return cellRecords({ rows, bytes, textDialect: decoders.some((decode) => decode !== null) ? records.textDialect : null, decoders });
}
