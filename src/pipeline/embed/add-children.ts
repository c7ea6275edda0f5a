import { TrueupError, isTrueupError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { compileMapping } from '../../mapping/compile.ts';
import type { Mapper } from '../../mapping/mapped.ts';
import { nestFields } from '../../mapping/nested-fields.ts';
import type { CompareCells } from '../../mapping/order-cells.ts';
import type { Cell, Row } from '../../model/cell.ts';
import type { Batch, Conversion } from '../../model/contracts.ts';
import { decodedCell, scanRows } from '../../model/records.ts';
import type { Records } from '../../model/records.ts';
import { fieldIndex, sameShape } from '../../model/shape.ts';
import type { Shape } from '../../model/shape.ts';
import { isAssembled } from './assembly.ts';
import type { Assembly } from './assembly.ts';
import type { Embed, EmbeddingRef } from './embed-ref.ts';
import type { JoinValues, OwnersOf } from './join-values.ts';

export interface Parents {
  readonly shape: Shape;
  readonly records: Records;
  readonly rows: readonly Row[];
  /** Whether a record is there as a whole: others have no children in this batch. */
  isWhole(index: number): boolean;
}

export interface ChildrenWork {
  readonly embed: Embed;
  readonly parents: Parents;
  readonly parent: EmbeddingRef;
  readonly signal: AbortSignal;
}

export interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface Child {
  readonly document: Cell[];
  readonly order: readonly Cell[];
}

export interface OrderField {
  readonly field: string;
  readonly compare: CompareCells;
}

/** The children of some records, while they are read. */
export interface Reading extends ChildrenWork {
  readonly join: JoinValues;
  readonly children: Child[][];
  readonly bytes: number[];
  readonly faults: Map<number, Fault>;
  readonly conversions: Conversion[];
  /** What tells the children of one record apart. */
  readonly order: readonly OrderField[];
}

const mappers = new WeakMap<Embed, WeakMap<Shape, Mapper>>();

function mapperFor({ secrets }: Assembly, embed: Embed, shape: Shape): Mapper {
  if (!sameShape(shape, embed.ref.shape))
    throw new TrueupError(
      'E_PLAN_CHANGED',
      `the fields of stream '${embed.ref.name}' changed, whose records are embedded as '${embed.name}'`,
    );
  const known = mappers.get(embed) ?? new WeakMap<Shape, Mapper>();
  mappers.set(embed, known);
  const mapper = known.get(shape) ?? compileMapping(embed.mapping, shape, secrets);
  known.set(shape, mapper);
  return mapper;
}

/** Adds the children of a batch to their records. `false`: whose child a record is cannot be told from its values alone. */
export function addChildren(assembly: Assembly, reading: Reading, batch: Batch): boolean {
  const { embed, parents, join } = reading;
  const { records, shape } = batch;
  const mapper = mapperFor(assembly, embed, shape);
  const document = nestFields(mapper.shape.fields);
  if (typeof document === 'string') throw new TrueupError('E_BUG', `embed '${embed.name}' was checked, and '${document}' stands twice`);
  const adding: Adding = {
    reading,
    nest: document.nest,
    weight: records.count === 0 ? 0 : records.bytes / records.count,
    ownersOf: parents.rows.length === 1 ? () => [0] : join.ownersIn(shape, records),
    orderOf: cellsReader(
      records,
      reading.order.map(({ field }) => fieldIndex(shape, field)),
    ),
  };
  return addLate(adding, mapper, batch) ?? addWhole(adding, mapper, batch);
}

interface Adding {
  readonly reading: Reading;
  readonly nest: (cells: readonly Cell[]) => Cell[];
  /** Of a child, about. */
  readonly weight: number;
  readonly ownersOf: OwnersOf;
  readonly orderOf: (row: Row) => Cell[];
}

interface Mapping extends Adding {
  /** The cells of a mapped child as carriers. */
  readonly carriers: (cells: Row) => Row;
}

/** Maps the children one by one: what is left of each is its document. `null`: they are to be mapped as a whole, and nothing was added. */
function addLate(adding: Adding, mapper: Mapper, batch: Batch): boolean | null {
  const { reading } = adding;
  const { records } = batch;
  const at: { row: Row } = { row: [] };
  const late = mapper.mapLate?.({ ...batch, records: { ...records, scan: () => noted(scanRows(records), at) } }) ?? null;
  if (late === null) return null;
  const before = reading.children.map((children, index) => [children.length, reading.bytes[index] ?? 0] as const);
  const mapping = { ...adding, carriers: carriersOf(late.batch.records, mapper.shape.fields.length) };
  try {
    for (const cells of scanRows(late.batch.records)) if (!addChild(mapping, at.row, cells)) return false;
  } catch (error) {
    if (!late.faulted()) throw error;
    for (const [index, [count, bytes]] of before.entries()) {
      (reading.children[index] as Child[]).length = count;
      reading.bytes[index] = bytes;
    }
    return null;
  }
  noteConversions(reading, late.conversions(), batch);
  return true;
}

function* noted(rows: Iterable<Row>, at: { row: Row }): Generator<Row> {
  for (const row of rows) yield (at.row = row);
}

function addWhole(adding: Adding, mapper: Mapper, batch: Batch): boolean {
  const { reading, ownersOf } = adding;
  const { batch: mapped, origin, rejected, conversions } = mapper.map(batch, { exits: false });
  const rows = batch.records.rows();
  for (const { index, code, message } of rejected) {
    const owners = ownersOf(rows[index] as Row);
    if (owners === null) return false;
    noteFault(reading, owners, { code, message });
  }
  const mapping = { ...adding, carriers: carriersOf(mapped.records, mapper.shape.fields.length) };
  for (const [place, cells] of mapped.records.rows().entries())
    if (!addChild(mapping, rows[origin?.[place] ?? place] as Row, cells)) return false;
  noteConversions(reading, conversions, batch);
  return true;
}

/** Some cells of rows, as carriers. */
function cellsReader(records: Records, fields: readonly number[]): (row: Row) => Cell[] {
  return (row) => fields.map((field) => decodedCell(records, row, field));
}

/** All cells of rows, as carriers. Rows that hold nothing else are taken as they are. */
function carriersOf(records: Records, width: number): (row: Row) => Row {
  const fields = Array.from({ length: width }, (_unused, field) => field);
  return fields.every((field) => records.decoder(field) === null) ? (row) => row : cellsReader(records, fields);
}

function addChild({ reading, nest, weight, ownersOf, orderOf: order, carriers }: Mapping, row: Row, cells: Row): boolean {
  const owners = ownersOf(row);
  if (owners === null) return false;
  try {
    const child: Child = { document: nest(carriers(cells)), order: order(row) };
    for (const owner of owners) {
      (reading.children[owner] as Child[]).push(child);
      reading.bytes[owner] = (reading.bytes[owner] ?? 0) + weight;
    }
  } catch (error) {
    if (!isTrueupError(error) || error.fault !== 'record') throw error;
    noteFault(reading, owners, error);
  }
  return true;
}

function noteFault({ embed, faults }: Reading, owners: readonly number[], { code, message }: Fault): void {
  for (const owner of owners) faults.set(owner, { code, message: `${embed.name}: ${message}` });
}

function noteConversions({ embed, parent, conversions }: Reading, own: readonly Conversion[], batch: Batch): void {
  for (const one of [...own, ...(isAssembled(batch) ? batch.embedded : [])])
    conversions.push({ ...one, stream: parent.name, field: `${embed.name}.${one.field}` });
}
