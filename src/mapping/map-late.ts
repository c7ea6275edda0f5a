import { TrueupError } from '../errors.ts';
import type { Row } from '../model/cell.ts';
import type { Batch, Conversion, MappedBatch } from '../model/contracts.ts';
import { cellRecords, scanRows } from '../model/records.ts';
import type { Records } from '../model/records.ts';
import type { CompiledMapping } from './compiled.ts';
import { conversionsOf, decodersOf, fullRow, mappedDecoders } from './map-batch.ts';
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
    decoder: (field) => mappedDecoder[field] ?? null,
    slice: (from, to) => cellRecords({ rows: rows(), bytes, textDialect, decoders: mappedDecoder }).slice(from, to),
  };
}

function* scanMapped(mapping: CompiledMapping, batch: Batch, context: RowContext, state: ScanState): Generator<Row> {
  const { counts } = state;
  counts.clear();
  const notes = mapping.columns.map((_column, field) => (kind: string) => {
    const id = `${field} ${kind}`;
    counts.set(id, (counts.get(id) ?? 0) + 1);
  });
  for (const row of scanRows(batch.records)) {
    context.row = row;
    let mapped: Row;
    try {
      mapped = fullRow({ mapping, context, notes }, false);
    } catch (cause) {
      state.faulted = true;
      // Not a fault of the record to whoever writes: nobody is to look for it by writing parts of the batch.
      throw new TrueupError('E_BUG', 'a scan ended at a record that cannot be mapped, and nobody asked why', { cause });
    }
    yield mapped;
  }
}
