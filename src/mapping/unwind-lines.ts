import { isTrueupError } from '../errors.ts';
import type { Cell, Row } from '../model/cell.ts';
import type { Batch, Conversion } from '../model/contracts.ts';
import type { LineWriter } from '../model/line-writer.ts';
import { PLAIN_LINES } from '../model/plain-lines.ts';
import { cellRecords, decodedCell } from '../model/records.ts';
import type { Records } from '../model/records.ts';
import { keyText } from '../model/row-key.ts';
import type { Shape } from '../model/shape.ts';
import { checkElement } from './elements.ts';
import type { ReadElements } from './elements.ts';
import type { Mapper } from './mapped.ts';
import type { UnwindPlan } from './plan.ts';
import type { RowContext } from './row-context.ts';

/** What the elements of one array become. */
export interface LinesNode {
  readonly plan: UnwindPlan;
  readonly carried: readonly number[];
  readonly read: ReadElements;
  /** Of the elements. */
  readonly shape: Shape;
  readonly mapper: Mapper;
  readonly openLines: (() => LineWriter) | null;
}

export interface LinesOf {
  readonly records: Records;
  readonly origin: Uint32Array;
  readonly conversions: readonly Conversion[];
}

/**
 * The rows of a child table as lines, each made and gone in a moment: as cells those of a whole batch outlive V8's young generation. `null`: they are to be unwound as cells,
 * which tells of every record that is at fault.
 *
 * @param cells the same rows as cells, where somebody looks inside all the same
 */
export function unwindLines({ plan, mapper, openLines, ...elements }: LinesNode, batch: Batch, cells: () => Records): LinesOf | null {
  const at: Place = { record: 0 };
  const late = openLines === null ? null : (mapper.mapLate?.(elementBatch({ plan, ...elements }, batch, at)) ?? null);
  if (openLines === null || late === null) return null;
  const { records } = late.batch;
  const lines = openLines();
  const isNew = newKeys(plan);
  const origin: number[] = [];
  try {
    for (const row of records.scan?.() ?? []) {
      if (!isNew(row, at.record) || !lines.add(records, row)) return null;
      origin.push(at.record);
    }
  } catch (error) {
    if (late.faulted() || (isTrueupError(error) && error.fault === 'record')) return null;
    throw error;
  }
  return { records: lineRecords(lines.take(), origin.length, cells), origin: Uint32Array.from(origin), conversions: late.conversions() };
}

/** The record whose elements are read just now. */
interface Place {
  record: number;
}

type Elements = Pick<LinesNode, 'plan' | 'carried' | 'read' | 'shape'>;

function elementBatch(elements: Elements, batch: Batch, at: Place): Batch {
  const { carried, shape } = elements;
  const decoders = shape.fields.map((_field, index) => (index < carried.length ? batch.records.decoder(carried[index] as number) : null));
  const { bytes, textDialect } = batch.records;
  const records: Records = {
    ...cellRecords({ rows: [], bytes, textDialect, decoders }),
    scan: () => scanElements(elements, batch, at),
  };
  return { ...batch, shape, records, ops: null, distinctKeys: true };
}

function* scanElements({ plan, carried, read, shape }: Elements, { shape: above, records }: Batch, at: Place): Generator<Row> {
  const context: RowContext = { row: [], decoders: above.fields.map((_field, index) => records.decoder(index)) };
  const rows = records.rows();
  const blank: Cell[] = Array.from({ length: carried.length + 2 }, () => null);
  for (let record = 0; record < rows.length; record++) {
    at.record = record;
    context.row = rows[record] as Row;
    let position = 0;
    for (const element of read(context)) {
      checkElement(plan, shape, element);
      const row = blank.slice();
      for (let index = 0; index < carried.length; index++) row[index] = context.row[carried[index] as number];
      row[carried.length] = element;
      row[carried.length + 1] = position++;
      yield row;
    }
  }
}

/** Whether a row has a key that no other of its record has. Rows of one record stand together, and the fields of the parent are the same in all of them. */
function newKeys({ mapping, parent }: UnwindPlan): (row: Row, record: number) => boolean {
  const { key } = mapping.shape;
  const own = key.filter((index) => !parent.includes(index));
  const seen = new Set<string>();
  let last = -1;
  return (row, record) => {
    if (record !== last) seen.clear();
    last = record;
    for (const index of key) if (row[index] === null || row[index] === undefined) return false;
    const text = keyText(row, own);
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  };
}

function lineRecords(
  { wire, bytes }: { readonly wire: readonly Buffer[]; readonly bytes: number },
  count: number,
  cells: () => Records,
): Records {
  let made: readonly Row[] | null = null;
  const rows = (): readonly Row[] => (made ??= decodedRows(cells()));
  return {
    form: PLAIN_LINES,
    wire,
    count,
    bytes,
    textDialect: null,
    rows,
    decoder: () => null,
    slice: (from, to) => cellRecords({ rows: rows(), bytes }).slice(from, to),
  };
}

function decodedRows(records: Records): readonly Row[] {
  return records.rows().map((row) => row.map((_cell, field) => decodedCell(records, row, field)));
}
