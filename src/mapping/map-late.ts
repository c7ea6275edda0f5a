import { TrueupError } from '../errors.ts';
import type { Cell, Row } from '../model/cell.ts';
import type { Batch, Conversion, MappedBatch } from '../model/contracts.ts';
import type { Line, LineRecords } from '../model/line-records.ts';
import { cellRecords, scanRows } from '../model/records.ts';
import type { Records } from '../model/records.ts';
import type { CompiledMapping } from './compiled.ts';
import type { Note } from './compile-field.ts';
import { conversionsOf, decodersOf, fullRow, mappedCell, mappedDecoders } from './map-batch.ts';
import type { LateMapped } from './mapped.ts';
import type { RowContext } from './row-context.ts';

/**
 * Maps records while they are written: each is made when the target asks for it and kept by nobody, so a batch never stands in memory as cells. Only
 * where every record becomes one upsert; `null`: this batch may hold others. A record that cannot be mapped ends the scan.
 */
export function mapLate(mapping: CompiledMapping, batch: Batch): LateMapped | null {
  const { plan, passes, isDeleted, isIdentity } = mapping;
  if (isIdentity || passes !== null || isDeleted !== null || plan.unwind.length > 0 || batch.ops !== null || !batch.distinctKeys)
    return null;
  const state = { faulted: false, counts: new Map<string, number>() };
  const records = lateRecords(mapping, batch, state);
  const mapped: MappedBatch = { ...batch, stream: plan.stream, shape: plan.shape, records };
  return { batch: mapped, faulted: () => state.faulted, conversions: (): Conversion[] => conversionsOf(plan, state.counts) };
}

interface ScanState {
  faulted: boolean;
  /** Of the last scan: by field and kind. */
  readonly counts: Map<string, number>;
}

function lateRecords(mapping: CompiledMapping, batch: Batch, state: ScanState): Records {
  const decoders = decodersOf(batch);
  const mappedDecoder = mappedDecoders(mapping, decoders);
  const textDialect = mappedDecoder.some((decode) => decode !== null) ? batch.records.textDialect : null;
  const { count, bytes } = batch.records;
  let kept: readonly Row[] | null = null;
  const rows = (): readonly Row[] => (kept ??= [...scanMapped(mapping, batch, { row: [], decoders }, state)]);
  return {
    form: 'cells',
    count,
    bytes,
    textDialect,
    rows,
    scan: () => kept ?? scanMapped(mapping, batch, { row: [], decoders }, state),
    lines: () => (kept === null ? lateLines(mapping, batch, { row: [], decoders }, state) : null),
    decoder: (field) => mappedDecoder[field] ?? null,
    slice: (from, to) => cellRecords({ rows: rows(), bytes, textDialect, decoders: mappedDecoder }).slice(from, to),
  };
}

function* scanMapped(mapping: CompiledMapping, batch: Batch, context: RowContext, state: ScanState): Generator<Row> {
  const notes = notesOf(mapping, state);
  for (const row of scanRows(batch.records)) {
    context.row = row;
    let mapped: Row;
    try {
      mapped = fullRow({ mapping, context, notes }, false);
    } catch (cause) {
      throw endOfScan(state, cause);
    }
    yield mapped;
  }
}

function notesOf({ columns }: CompiledMapping, { counts }: ScanState): Note[] {
  counts.clear();
  return columns.map((_column, field) => (kind) => {
    const id = `${field} ${kind}`;
    counts.set(id, (counts.get(id) ?? 0) + 1);
  });
}

/** Not a fault of the record to whoever writes: nobody is to look for it by writing parts of the batch. */
function endOfScan(state: ScanState, cause: unknown): TrueupError {
  state.faulted = true;
  return new TrueupError('E_BUG', 'a scan ended at a record that cannot be mapped, and nobody asked why', { cause });
}

/** The mapped records as lines: what is copied stays in the line that it came in, and only the fields that a column is made of are looked into. */
function lateLines(mapping: CompiledMapping, { records }: Batch, context: RowContext, state: ScanState): LineRecords | null {
  const lines = records.lines?.() ?? null;
  if (lines === null || lines.cells.includes(-1)) return null;
  const cells = mapping.columns.map(({ source }) => (source === null ? -1 : (lines.cells[source] as number)));
  return { ...lines, cells, scan: () => scanLines(mapping, lines, context, state) };
}

function* scanLines(mapping: CompiledMapping, lines: LineRecords, context: RowContext, state: ScanState): Generator<Line> {
  const work = { mapping, context, notes: notesOf(mapping, state) };
  const made = mapping.columns.flatMap(({ compute }, index) => (compute === null ? [] : [index]));
  const read = [...new Set(mapping.columns.flatMap((column) => (column.compute === null ? [] : column.sources)))];
  const row: Cell[] = lines.cells.map(() => undefined);
  context.row = row;
  let mapped: Line | null = null;
  for (const line of lines.scan()) {
    mapped ??= { bytes: line.bytes, starts: line.starts, made: mapping.columns.map(() => undefined) };
    mapped.bytes = line.bytes;
    try {
      for (const field of read) row[field] = lines.textAt(line, lines.cells[field] as number);
      for (const index of made) mapped.made[index] = mappedCell(work, index);
    } catch (cause) {
      throw endOfScan(state, cause);
    }
    yield mapped;
  }
}
