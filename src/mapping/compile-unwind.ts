import { TrueupError, isTrueupError } from '../errors.ts';
import type { Cell, Row } from '../model/cell.ts';
import type { Batch, Conversion } from '../model/contracts.ts';
import { cellRecords, decodedCell, withRows } from '../model/records.ts';
import type { Records } from '../model/records.ts';
import { openLineWriter } from '../model/line-writer.ts';
import { keyText } from '../model/row-key.ts';
import type { Shape } from '../model/shape.ts';
import { compileMapping } from './compile.ts';
import { carriedFields, elementLevel } from './element-shape.ts';
import type { Level } from './element-shape.ts';
import { arrayReader, checkElement } from './elements.ts';
import type { ReadElements } from './elements.ts';
import { elementPlace, filledPlace, placeNamer } from './element-place.ts';
import type { ElementPlace } from './element-place.ts';
import type { Mapper, MappingFault } from './mapped.ts';
import type { MappingPlan, UnwindPlan } from './plan.ts';
import { unwindLines } from './unwind-lines.ts';
import type { LinesNode } from './unwind-lines.ts';

/** The rows of one child table that a batch of records has. */
export interface UnwoundTable {
  readonly plan: UnwindPlan;
  /** In the shape of the table, those of one record together, in the order of the records. */
  readonly records: Records;
  /** For each row the index of its record. */
  readonly origin: Uint32Array;
}

export interface Unwound {
  /** As `Unwinder.plans`. */
  readonly tables: readonly UnwoundTable[];
  /** Records of which some element cannot be a row; no table has rows of them. */
  readonly faults: readonly MappingFault[];
  readonly conversions: readonly Conversion[];
}

/** Takes the arrays of records apart. Pure. */
export interface Unwinder {
  /** Every child table, each before those below it. */
  readonly plans: readonly UnwindPlan[];
  /** @param batch every record of it is taken for an upsert */
  unwind(batch: Batch): Unwound;
  /**
   * As `unwind`, with the rows as lines of `lines/plain`. `null`: they are to be unwound as cells; also once somebody looked inside of lines more than once, who then
   * needs the cells anyway.
   */
  unwindLines(batch: Batch): Unwound | null;
  /** Per table and record the cells that its rows have of the record's key, as carriers; `null`: the key cannot be mapped. Key fields are all that it needs. */
  parents(batch: Batch): (readonly Cell[] | null)[][];
}

interface Node {
  readonly plan: UnwindPlan;
  readonly place: ElementPlace;
  readonly carried: readonly number[];
  readonly read: ReadElements;
  readonly shape: Shape;
  readonly mapper: Mapper;
  /** Of the stream's records: the fields of `plan.parent` alone. */
  readonly parents: Mapper;
  readonly deeper: readonly Node[];
  readonly openLines: LinesNode['openLines'];
}

type Secrets = (text: string) => string;

/** @throws {TrueupError} `E_PLAN_CHANGED` when what the plan relies on is gone or has another type */
export function compileUnwind(plan: MappingPlan, source: Shape, secrets: Secrets): Unwinder {
  const compiling: Compiling = { stream: plan.stream, source, secrets };
  const roots = plan.unwind.map((one) => compileNode(compiling, one, { shape: source, element: null }, null));
  const all = flattened(roots);
  let looked = 0;
  return {
    plans: all.map((node) => node.plan),
    unwind: (batch) => unwindBatch(roots, all, batch),
    unwindLines: (batch) => (looked > MAX_LOOKS ? null : linesOf(roots, all, batch, () => (looked += 1))),
    parents: (batch) => all.map((node) => parentCells(node, batch)),
  };
}

/** Batches whose lines turned out to be of no use. */
const MAX_LOOKS = 2;

function linesOf(roots: readonly Node[], all: readonly Node[], batch: Batch, onLook: () => void): Unwound | null {
  // Rows below rows need those above them as cells.
  if (all.length > roots.length) return null;
  let made: Unwound | null = null;
  const cells = (at: number) => (): Records => {
    if (made === null) onLook();
    made ??= unwindBatch(roots, all, batch);
    return (made.tables[at] as UnwoundTable).records;
  };
  const tables: UnwoundTable[] = [];
  const conversions: Conversion[] = [];
  for (const [at, node] of roots.entries()) {
    const lines = unwindLines(node, batch, cells(at));
    if (lines === null) return null;
    tables.push({ plan: node.plan, records: lines.records, origin: lines.origin });
    conversions.push(...lines.conversions);
  }
  return { tables, faults: [], conversions };
}

function flattened(nodes: readonly Node[]): Node[] {
  return nodes.flatMap((node) => [node, ...flattened(node.deeper)]);
}

interface Compiling {
  readonly stream: string;
  readonly source: Shape;
  readonly secrets: Secrets;
}

function compileNode(compiling: Compiling, plan: UnwindPlan, above: Level, over: ElementPlace | null): Node {
  const level = elementLevel(above, plan);
  if (typeof level === 'string')
    throw new TrueupError('E_PLAN_CHANGED', `stream '${compiling.stream}': '${plan.element}' cannot be unwound any more: ${level}`);
  const place = elementPlace(over, plan, level.shape);
  return {
    plan,
    place,
    carried: carriedFields(above, plan).map(({ index }) => index),
    read: arrayReader(above.shape, plan),
    shape: level.shape,
    mapper: compileMapping(plan.mapping, level.shape, compiling.secrets, placeNamer(place)),
    parents: compileMapping(parentMapping(plan), compiling.source, compiling.secrets),
    deeper: plan.unwind.map((one) => compileNode(compiling, one, level, place)),
    openLines: openLineWriter(plan.mapping.shape),
  };
}

/** The fields that carry the key of the record, mapped from the record itself. */
function parentMapping({ mapping, parent }: UnwindPlan): MappingPlan {
  const pick = <T>(all: readonly T[]): T[] => parent.map((index) => all[index] as T);
  return {
    ...mapping,
    shape: { fields: pick(mapping.shape.fields), key: parent.map((_index, position) => position), open: false },
    fields: pick(mapping.fields),
    sources: pick(mapping.sources),
    onLoss: pick(mapping.onLoss),
    where: [],
  };
}

function parentCells({ parents }: Node, batch: Batch): (readonly Cell[] | null)[] {
  const { batch: mapped, origin } = parents.map({ ...batch, ops: null }, { exits: false });
  const cells: (readonly Cell[] | null)[] = Array.from({ length: batch.records.count }, () => null);
  mapped.records.rows().forEach((row, place) => {
    cells[origin?.[place] ?? place] = row.map((_cell, field) => decodedCell(mapped.records, row, field));
  });
  return cells;
}

interface Work {
  readonly faults: Map<number, MappingFault>;
  readonly conversions: Conversion[];
  readonly tables: Map<Node, { readonly records: Records; readonly origin: readonly number[] }>;
}

function unwindBatch(roots: readonly Node[], all: readonly Node[], batch: Batch): Unwound {
  const work: Work = { faults: new Map(), conversions: [], tables: new Map() };
  const records: Above = { batch, origin: Array.from({ length: batch.records.count }, (_unused, index) => index) };
  for (const node of roots) unwindLevel(work, node, records);
  return {
    tables: all.map((node) => {
      const { records: found, origin } = work.tables.get(node) ?? { records: cellRecords({ rows: [], bytes: 0 }), origin: [] };
      return { plan: node.plan, ...withoutFaulty(work, found, origin) };
    }),
    faults: [...work.faults.values()].toSorted((a, b) => a.index - b.index),
    conversions: work.conversions,
  };
}

function withoutFaulty({ faults }: Work, records: Records, origin: readonly number[]): Pick<UnwoundTable, 'records' | 'origin'> {
  if (!origin.some((index) => faults.has(index))) return { records, origin: Uint32Array.from(origin) };
  const rows = records.rows().filter((_row, place) => !faults.has(origin[place] as number));
  return { records: withRows(records, rows), origin: Uint32Array.from(origin.filter((index) => !faults.has(index))) };
}

/** Records that hold arrays, and of which record of the stream each is a part. */
interface Above {
  readonly batch: Batch;
  readonly origin: readonly number[];
}

function unwindLevel(work: Work, node: Node, above: Above): void {
  const elements = elementsOf(work, node, above);
  const mapped = node.mapper.map(elements.batch, { exits: false });
  for (const { index, code, message } of mapped.rejected) {
    const row = elements.batch.records.rows()[index] as Row;
    addFault(work, { index: elements.origin[index] as number, code, message: filledPlace(node.place, row, message) });
  }
  const places = Array.from({ length: mapped.batch.records.count }, (_unused, place) => mapped.origin?.[place] ?? place);
  const origin = places.map((place) => elements.origin[place] as number);
  refuseDoubles(work, node, {
    records: mapped.batch.records,
    origin,
    rowOf: (place) => elements.batch.records.rows()[places[place] as number] as Row,
  });
  work.conversions.push(...mapped.conversions);
  work.tables.set(node, { records: mapped.batch.records, origin });
  if (node.deeper.length === 0) return;
  const rows = elements.batch.records.rows();
  const kept: Above = {
    origin,
    batch: {
      ...elements.batch,
      records: withRows(
        elements.batch.records,
        places.map((place) => rows[place] as Row),
      ),
    },
  };
  for (const deeper of node.deeper) unwindLevel(work, deeper, kept);
}

function addFault({ faults }: Work, fault: MappingFault): void {
  if (!faults.has(fault.index)) faults.set(fault.index, fault);
}

/** The elements of every array as records of the node's shape. */
function elementsOf(work: Work, { plan, place, carried, read, shape }: Node, { batch, origin }: Above): Above {
  const decoders = shape.fields.map((_field, at) => (at < carried.length ? batch.records.decoder(carried[at] as number) : null));
  const context = { row: [] as Row, decoders: batch.shape.fields.map((_field, index) => batch.records.decoder(index)) };
  const rows: Row[] = [];
  const from: number[] = [];
  batch.records.rows().forEach((row, at) => {
    const record = origin[at] as number;
    if (work.faults.has(record)) return;
    context.row = row;
    const above = carried.map((index) => row[index]);
    let position = 0;
    try {
      for (const element of read(context)) {
        checkElement(plan, shape, element);
        rows.push([...above, element, position]);
        from.push(record);
        position++;
      }
    } catch (error) {
      if (!isTrueupError(error) || error.fault !== 'record') throw error;
      addFault(work, { index: record, code: error.code, message: filledPlace(place, [...above, null, position], error.message) });
    }
  });
  const bytes = batch.records.bytes;
  const records = cellRecords({ rows, bytes, textDialect: batch.records.textDialect, decoders });
  return { origin: from, batch: { ...batch, shape, records, ops: null } };
}

interface Rows {
  readonly records: Records;
  readonly origin: readonly number[];
  /** The element behind a row. */
  rowOf(place: number): Row;
}

/** Rows of one record stand together, so only its own keys are compared: those of others differ in the fields of the parent. */
function refuseDoubles(work: Work, { plan, place: at }: Node, { records, origin, rowOf }: Rows): void {
  const { key, fields } = plan.mapping.shape;
  const names = () => key.map((index) => fields[index]?.name).join(', ');
  let seen = new Map<string, number>();
  let record = -1;
  records.rows().forEach((row, place) => {
    if (origin[place] !== record) seen = new Map();
    record = origin[place] as number;
    const empty = key.find((index) => row[index] === null || row[index] === undefined);
    if (empty !== undefined) {
      const message = `key field '${fields[empty]?.name}' ([#]): its value is NULL, and a key must not be`;
      addFault(work, { index: record, code: 'E_RECORD_VALUE', message: filledPlace(at, rowOf(place), message) });
    }
    const text = keyText(row, key);
    const first = seen.get(text);
    seen.set(text, place);
    if (first === undefined) return;
    const other = filledPlace(at, rowOf(first), '[#]', false);
    const message = `[#] has the same key (${names()}) as ${other}; add what tells them apart to the key, for example the position "@index"`;
    addFault(work, { index: record, code: 'E_RECORD_VALUE', message: filledPlace(at, rowOf(place), message) });
  });
}
