import { TrueupError } from '../../../src/sdk.ts';
import type { Field, TargetStream } from '../../../src/sdk.ts';
import { fitColumn } from '../ddl/column-fit.ts';
import type { ColumnFit } from '../ddl/column-fit.ts';
import { quoteRelation } from '../quote.ts';
import type { TargetColumn, TargetTable } from '../ddl/target-table.ts';

/** A column that a lane fills, and how. */
export interface LaneColumn {
  readonly column: TargetColumn;
  readonly field: Field;
  readonly fit: ColumnFit;
  readonly key: boolean;
}

/** The column that stands for a delete, when rows are marked instead of removed. */
export interface MarkColumn {
  readonly name: string;
  readonly kind: 'flag' | 'instant';
}

/** One stream's table as a lane writes it: the columns that are there and are planned. */
export interface LaneTable {
  readonly stream: TargetStream;
  readonly table: TargetTable;
  /** Quoted. */
  readonly target: string;
  readonly columns: readonly LaneColumn[];
  /** Indices into `columns`, in key order. */
  readonly key: readonly number[];
  /** Index into `columns`, or -1. */
  readonly guard: number;
  readonly mark: MarkColumn | null;
  readonly onDelete: 'delete' | 'ignore' | 'mark';
}

/**
 * What a lane writes, from the plan's stream and the table as it is now.
 * @throws {TrueupError} `E_PLAN_CHANGED` when the table is not as a plan would have made it
 */
export function laneTable(stream: TargetStream, table: TargetTable | undefined): LaneTable {
  if (table === undefined) throw changed(stream, 'the table does not exist');
  if (table.kind !== 'r' && table.kind !== 'p') throw changed(stream, 'it is no table');
  const columns = stream.shape.fields.flatMap((field, index) => laneColumn({ stream, table, field, index }));
  const key = stream.shape.key.map((index) => columns.findIndex(({ field }) => field === stream.shape.fields[index]));
  const keyColumns = key.map((index) => columns[index]?.column.name ?? '');
  if (key.length === 0 || key.includes(-1)) throw changed(stream, 'a column of the key is missing');
  if (!table.unique.some((index) => index.usable && sameNames(index.columns, keyColumns)))
    throw changed(stream, `there is no unique index on (${keyColumns.join(', ')})`);
  const guard = stream.guard === undefined ? -1 : columns.findIndex(({ column }) => column.name === stream.guard);
  if (stream.guard !== undefined && guard === -1) throw changed(stream, `the guard column '${stream.guard}' is missing`);
  return { stream, table, target: quoteRelation(table.relation), columns, key, guard, ...deletes(stream, table) };
}

/** A field of the stream as the table takes it; none where a policy or the table itself leaves the field out. Throws like `laneTable`. */
export function laneColumn(at: {
  readonly stream: TargetStream;
  readonly table: TargetTable;
  readonly field: Field;
  readonly index: number;
}): LaneColumn[] {
  const { stream, table, field, index } = at;
  const column = table.columns.find(({ name }) => name === field.name);
  if (column?.generated) return [];
  if (column === undefined) {
    if (stream.drift.add === 'ignore') return [];
    throw changed(stream, `it has no column '${field.name}'`);
  }
  const fit = fitColumn({ field, column, onLoss: stream.onLoss[index] ?? 'error' });
  if (fit.kind === 'impossible') throw changed(stream, `column '${field.name}' is ${column.text}: ${fit.loss}`);
  return [{ column, field, fit, key: stream.shape.key.includes(index) }];
}

function deletes(stream: TargetStream, table: TargetTable): Pick<LaneTable, 'mark' | 'onDelete'> {
  if (typeof stream.onDelete === 'string') return { onDelete: stream.onDelete, mark: null };
  const name = stream.onDelete.mark;
  const column = table.columns.find((candidate) => candidate.name === name);
  const kind = markKind(column);
  if (kind === null) throw changed(stream, `the mark column '${name}' is missing or neither boolean nor timestamptz`);
  return { onDelete: 'mark', mark: { name, kind } };
}

export function markKind(column: TargetColumn | undefined): MarkColumn['kind'] | null {
  if (column?.logical === 'bool') return 'flag';
  return column?.baseText === 'timestamp with time zone' ? 'instant' : null;
}

export function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && new Set([...a, ...b]).size === a.length;
}

export function changed(stream: TargetStream, what: string): TrueupError {
  return new TrueupError('E_PLAN_CHANGED', `Target '${stream.target}' of stream '${stream.stream}' is not as planned: ${what}.`);
}
