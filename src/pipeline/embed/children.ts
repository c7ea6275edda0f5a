import { TrueupError, isTrueupError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { compileMapping } from '../../mapping/compile.ts';
import type { Mapper } from '../../mapping/mapped.ts';
import { nestFields } from '../../mapping/nested-fields.ts';
import { cellOrder } from '../../mapping/order-cells.ts';
import type { CompareCells } from '../../mapping/order-cells.ts';
import type { Cell, Row } from '../../model/cell.ts';
import type { Batch, Conversion } from '../../model/contracts.ts';
import { decodedCell } from '../../model/records.ts';
import type { Records } from '../../model/records.ts';
import { fieldIndex, sameShape } from '../../model/shape.ts';
import type { Shape } from '../../model/shape.ts';
import { isAssembled } from './assembly.ts';
import type { Assembly } from './assembly.ts';
import type { Embed, EmbeddingRef } from './embed-ref.ts';
import { joinValues } from './join-values.ts';
import type { JoinValues, OwnersOf } from './join-values.ts';

/** What children of several records may weigh together. One record's may weigh as much as a record may. */
const MOST_BYTES = 4 * 1024 * 1024;

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

/** Aligned to the parents. */
export interface ChildrenRead {
  /** The array of children, or the one child or NULL; absent where the record is not there as a whole. */
  readonly cells: readonly Cell[];
  readonly bytes: readonly number[];
  readonly faults: ReadonlyMap<number, Fault>;
  readonly conversions: readonly Conversion[];
}

interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
}

interface Child {
  readonly document: Cell[];
  readonly order: readonly Cell[];
}

interface OrderField {
  readonly field: string;
  readonly compare: CompareCells;
}

interface Reading extends ChildrenWork {
  readonly join: JoinValues;
  readonly children: Child[][];
  readonly bytes: number[];
  readonly faults: Map<number, Fault>;
  readonly conversions: Conversion[];
  /** What tells the children of one record apart. */
  readonly order: readonly OrderField[];
}

/** The children of some records, as they are now. `null`: they are too many, or cannot be told apart, for so many records at a time. */
export async function readChildren(assembly: Assembly, work: ChildrenWork): Promise<ChildrenRead | null> {
  const { embed, parents, parent, signal } = work;
  const join = joinValues(embed, parents);
  const isOnly = parents.rows.length === 1;
  if (!isOnly && !join.isPlain) return null;
  const reading: Reading = {
    ...work,
    join,
    children: parents.rows.map(() => []),
    bytes: parents.rows.map(() => 0),
    faults: new Map(),
    conversions: [],
    order: orderOf(embed, join.isPlain),
  };
  const fields = embed.on.map(({ child }) => child);
  const batches = join.values.length === 0 ? [] : (assembly.source.fetchBy?.(embed.ref, fields, join.values, signal) ?? []);
  let total = 0;
  for await (const batch of batches) {
    total += batch.records.bytes;
    if (!isOnly && (total > Math.min(MOST_BYTES, parent.maxRecordBytes) || (batch.rejected ?? []).length > 0)) return null;
    for (const { code, message } of batch.rejected ?? []) reading.faults.set(0, { code, message: `${embed.name}: ${message}` });
    if (total > parent.maxRecordBytes) return { ...emptied(reading), faults: new Map([[0, tooLarge(work, total)]]) };
    if (!addChildren(assembly, reading, batch)) return null;
  }
  return finish(reading);
}

function tooLarge({ embed, parent }: ChildrenWork, bytes: number): Fault {
  return {
    code: 'E_RECORD_TOO_LARGE',
    message: `${embed.name}: the records of '${embed.ref.name}' that belong to it are more than ${parent.maxRecordBytes} bytes (maxRecordBytes), ${bytes} so far`,
  };
}

function emptied({ parents }: Reading): ChildrenRead {
  return { cells: parents.rows.map(() => undefined), bytes: parents.rows.map(() => 0), faults: new Map(), conversions: [] };
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

/** `false`: whose child a record is cannot be told from its values alone. */
function addChildren(assembly: Assembly, reading: Reading, batch: Batch): boolean {
  const { embed, parents, join, faults } = reading;
  const { records, shape } = batch;
  const { batch: mapped, origin, rejected, conversions } = mapperFor(assembly, embed, shape).map(batch, { exits: false });
  const document = nestFields(mapped.shape.fields);
  if (typeof document === 'string') throw new TrueupError('E_BUG', `embed '${embed.name}' was checked, and '${document}' stands twice`);
  const weight = records.count === 0 ? 0 : records.bytes / records.count;
  const ownersOf: OwnersOf = parents.rows.length === 1 ? () => [0] : join.ownersIn(shape, records);
  const rows = records.rows();
  for (const { index, code, message } of rejected) {
    const owners = ownersOf(rows[index] as Row);
    if (owners === null) return false;
    for (const owner of owners) faults.set(owner, { code, message: `${embed.name}: ${message}` });
  }
  const order = reading.order.map(({ field }) => fieldIndex(shape, field));
  for (const [place, cells] of mapped.records.rows().entries()) {
    const row = rows[origin?.[place] ?? place] as Row;
    const owners = ownersOf(row);
    if (owners === null) return false;
    try {
      const child: Child = {
        document: document.nest(cells.map((_cell, field) => decodedCell(mapped.records, cells, field))),
        order: order.map((field) => decodedCell(records, row, field)),
      };
      for (const owner of owners) {
        (reading.children[owner] as Child[]).push(child);
        reading.bytes[owner] = (reading.bytes[owner] ?? 0) + weight;
      }
    } catch (error) {
      if (!isTrueupError(error) || error.fault !== 'record') throw error;
      const { code, message } = error;
      for (const owner of owners) faults.set(owner, { code, message: `${embed.name}: ${message}` });
    }
  }
  noteConversions(reading, conversions, batch);
  return true;
}

function noteConversions({ embed, parent, conversions }: Reading, own: readonly Conversion[], batch: Batch): void {
  for (const one of [...own, ...(isAssembled(batch) ? batch.embedded : [])])
    conversions.push({ ...one, stream: parent.name, field: `${embed.name}.${one.field}` });
}

function finish({ embed, parents, children, bytes, faults, conversions, order }: Reading): ChildrenRead {
  const compare = (a: Child, b: Child): number => {
    for (let index = 0; index < order.length; index++) {
      const found = order[index]?.compare(a.order[index], b.order[index]) ?? 0;
      if (found !== 0) return found;
    }
    return 0;
  };
  const cells = children.map((found, index): Cell => {
    if (!parents.isWhole(index)) return undefined;
    if (!embed.one) return found.sort(compare).map(({ document }) => document);
    if (found.length > 1)
      faults.set(index, {
        code: 'E_RECORD_VALUE',
        message: `${embed.name}: ${found.length} records of '${embed.ref.name}' belong to it, and 'one: true' takes one`,
      });
    return found[0]?.document ?? null;
  });
  return { cells, bytes, faults, conversions };
}

/** As the mapping says, then by key; without the fields that all children of a record share, where equal means equal everywhere. */
function orderOf({ ref, orderBy, on }: Embed, isPlain: boolean): OrderField[] {
  const shared = new Set(isPlain ? on.map(({ child }) => child) : []);
  const names = new Set([...orderBy.map(({ field }) => field), ...ref.key].filter((name) => !shared.has(name)));
  return [...names].map((field) => ({
    field,
    compare: cellOrder(
      ref.shape.fields[fieldIndex(ref.shape, field)]?.type ?? 'unknown',
      orderBy.find((one) => one.field === field)?.descending ?? false,
    ),
  }));
}
