import { cellOrder } from '../../mapping/order-cells.ts';
import type { Cell } from '../../model/cell.ts';
import type { Conversion } from '../../model/contracts.ts';
import { fieldIndex } from '../../model/shape.ts';
import { addChildren } from './add-children.ts';
import type { Child, ChildrenWork, Fault, OrderField, Reading } from './add-children.ts';
import type { Assembly } from './assembly.ts';
import type { Embed } from './embed-ref.ts';
import { joinValues } from './join-values.ts';

/** What children of several records may weigh together. One record's may weigh as much as a record may. */
const MOST_BYTES = 4 * 1024 * 1024;

/** Aligned to the parents. */
export interface ChildrenRead {
  /** The array of children, or the one child or NULL; absent where the record is not there as a whole. */
  readonly cells: readonly Cell[];
  readonly bytes: readonly number[];
  readonly faults: ReadonlyMap<number, Fault>;
  readonly conversions: readonly Conversion[];
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
    if (!embed.one) return sorted(found, compare).map(({ document }) => document);
    if (found.length > 1)
      faults.set(index, {
        code: 'E_RECORD_VALUE',
        message: `${embed.name}: ${found.length} records of '${embed.ref.name}' belong to it, and 'one: true' takes one`,
      });
    return found[0]?.document ?? null;
  });
  return { cells, bytes, faults, conversions };
}

/** Children of one record mostly come in their order. */
function sorted(children: Child[], compare: (a: Child, b: Child) => number): Child[] {
  for (let index = 1; index < children.length; index++)
    if (compare(children[index - 1] as Child, children[index] as Child) > 0) return children.sort(compare);
  return children;
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
