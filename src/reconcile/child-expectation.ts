import { compileUnwind } from '../mapping/compile-unwind.ts';
import type { Unwinder } from '../mapping/compile-unwind.ts';
import { compileMapping } from '../mapping/compile.ts';
import type { Mapped, Mapper, MappingFault } from '../mapping/mapped.ts';
import type { MappingPlan, UnwindPlan } from '../mapping/plan.ts';
import type { Cell, Row } from '../model/cell.ts';
import { OP } from '../model/change.ts';
import type { Batch } from '../model/contracts.ts';
import { withRows } from '../model/records.ts';
import type { Records } from '../model/records.ts';
import type { Shape } from '../model/shape.ts';
import { expectation, keyCells, recordOf } from './expected.ts';
import type { Expectation, ExpectationInit, Expected } from './expected.ts';

/*
 * What a child table should hold: the rows of all records that arrive at all. A row has the key of its record as its source, so that whatever
 * differs leads back to the record that is written again.
 */

export interface ChildExpectationInit extends Omit<ExpectationInit, 'mapping'> {
  /** Of the stream. */
  readonly mapping: MappingPlan;
  readonly child: UnwindPlan;
}

interface Side {
  readonly root: Mapper;
  /** The same, as if `where` let everything pass. */
  readonly unfiltered: Mapper;
  readonly unwinder: Unwinder;
  readonly at: number;
}

/** @throws {TrueupError} as `expectation` */
export function childExpectation(init: ChildExpectationInit): Expectation {
  const { mapping, child } = init;
  const expected = expectation({ ...init, mapping: child.mapping });
  const sides = new WeakMap<Shape, Side>();
  const sideOf = (shape: Shape): Side => {
    const secrets = (text: string): string => init.secrets(text);
    const known = sides.get(shape) ?? openSide(mapping, child, shape, secrets);
    sides.set(shape, known);
    return known;
  };
  const mapper = (shape: Shape): Mapper => ({ shape: child.mapping.shape, map: (batch) => mapRows(sideOf(shape), child, batch) });
  return { ...expected, mapper, unfiltered: mapper, rowsOf: (batch) => rowsOf(expected, sideOf(batch.shape), batch) };
}

function openSide(mapping: MappingPlan, child: UnwindPlan, shape: Shape, secrets: (text: string) => string): Side {
  const unwinder = compileUnwind(mapping, shape, secrets);
  return {
    root: compileMapping({ ...mapping, onExit: 'delete' }, shape, secrets),
    unfiltered: compileMapping({ ...mapping, where: [] }, shape, secrets),
    unwinder,
    at: unwinder.plans.indexOf(child),
  };
}

interface Rows {
  readonly mapped: Mapped;
  readonly records: Records;
  /** Per row the index of its record in the batch. */
  readonly origin: readonly number[];
  readonly rejected: readonly MappingFault[];
  /** Records of the batch that have rows, if they have elements. */
  readonly there: readonly number[];
}

function unwoundRows({ root, unwinder, at }: Side, batch: Batch): Rows {
  const mapped = root.map(batch);
  const there: number[] = [];
  for (let place = 0; place < mapped.batch.records.count; place++)
    if ((mapped.batch.ops?.[place] ?? OP.upsert) === OP.upsert) there.push(mapped.origin?.[place] ?? place);
  const all = batch.records.rows();
  const records = withRows(
    batch.records,
    there.map((index) => all[index] as Row),
  );
  const unwound = unwinder.unwind({ ...batch, records, ops: null });
  const table = unwound.tables[at];
  const faults = unwound.faults.map((fault) => ({ ...fault, index: there[fault.index] as number }));
  return {
    mapped,
    records: table?.records ?? records,
    origin: Array.from(table?.origin ?? [], (place) => there[place] as number),
    rejected: [...mapped.rejected, ...faults],
    there: there.filter((index) => !faults.some((fault) => fault.index === index)),
  };
}

function mapRows(side: Side, child: UnwindPlan, batch: Batch): Mapped {
  const { mapped, records, origin, rejected } = unwoundRows(side, batch);
  const { stream, shape } = child.mapping;
  return {
    batch: { ...batch, stream, shape, records, ops: null },
    origin: Uint32Array.from(origin),
    filtered: 0,
    exits: 0,
    touches: mapped.touches,
    rejected,
    conversions: [],
  };
}

/** Every record, and every row of it: `unlisted` stands for all rows that a record does not have. */
function rowsOf(expected: Expectation, side: Side, batch: Batch): Expected[] {
  const { mapped, records, origin, rejected, there } = unwoundRows(side, batch);
  const all = batch.records.rows();
  const source = (index: number): Cell[] => keyCells(batch, all[index] as Row);
  const found: Expected[] = there.map((index) => ({ kind: 'unlisted', source: source(index), key: null }));
  for (const { index, code, message } of rejected) found.push({ kind: 'fault', source: source(index), key: null, code, message });
  const out = mapped.batch.ops === null ? [] : [...mapped.batch.ops.keys()].filter((place) => mapped.batch.ops?.[place] === OP.delete);
  for (const place of out) {
    const index = mapped.origin?.[place] ?? place;
    found.push({ kind: isDeleted(side, batch, index) ? 'deleted' : 'filtered', source: source(index), key: null });
  }
  records.rows().forEach((row, place) => found.push({ source: source(origin[place] as number), ...recordOf(expected, records, row) }));
  return found;
}

function isDeleted({ unfiltered }: Side, batch: Batch, index: number): boolean {
  const one: Batch = { ...batch, records: batch.records.slice(index, index + 1), ops: null };
  return unfiltered.map(one).batch.ops?.[0] === OP.delete;
}
