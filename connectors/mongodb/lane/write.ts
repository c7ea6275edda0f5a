import { OP, scanRows } from '../../../src/sdk.ts';
import type { MappedBatch, RecordFault, Row } from '../../../src/sdk.ts';
import { deleteUnlisted, patch, remove, truncate } from './change.ts';
import { upsert } from './upsert.ts';
import { keyed, openWork } from './work.ts';
import type { Counts, Item, KeyedItem, StreamWriter, Work } from './work.ts';
import { emptySink } from '../bson/sink.ts';
import type { Sink } from '../bson/sink.ts';
import { IN_FLIGHT, inSlices } from '../read/slices.ts';
import type { Slice } from '../read/slices.ts';

/**
 * Writes a batch; outside of a transaction every write is durable when this returns. What single records are at fault for is returned.
 *
 * @param without records that are left out, by index
 */
export async function writeBatch(
  writer: StreamWriter,
  batch: MappedBatch,
  signal: AbortSignal,
  without: ReadonlySet<number> = new Set(),
): Promise<{ readonly counts: Counts; readonly faults: RecordFault[] }> {
  const work = openWork(writer, batch, signal);
  const rows = scanRows(batch.records)[Symbol.iterator]();
  const remaining: KeyedItem[] = [];
  const write = async (slice: Slice, slot: number): Promise<void> => {
    for (const { op, items } of itemsOf(work, { slice, without, rows })) {
      const sink = writer.sinks[slot] as Sink;
      await writeItems(work, { op, items, sink });
      emptySink(sink);
      if (batch.replaceWithin !== undefined)
        remaining.push(
          ...keyed(
            work,
            items.filter(({ index }) => !work.unmade.has(index)),
          ),
        );
    }
  };
  for (const { from, to } of partsOf(batch)) {
    if (from === to) {
      rows.next();
      await truncate(work);
      continue;
    }
    const { records } = batch;
    const weight = records.count === 0 ? 0 : records.bytes / records.count;
    await inSlices({ from, to, weight, width: writer.lane.atomic ? 1 : IN_FLIGHT, isProbe: writer.insertFirst === null }, write);
  }
  if (batch.replaceWithin !== undefined) await deleteUnlisted(work, remaining);
  return { counts: work.counts, faults: work.faults.sort((one, other) => one.index - other.index) };
}

interface ItemsWrite {
  readonly op: number;
  readonly items: readonly Item[];
  readonly sink: Sink;
}

function writeItems(work: Work, { op, items, sink }: ItemsWrite): Promise<void> {
  if (op === OP.delete) return remove(work, items);
  return op === OP.patch ? patch(work, items, sink) : upsert(work, items, sink);
}

/** No key stands twice in a batch, so that only a truncate parts the records before it from those after it. A truncate is an empty part. */
function partsOf({ records, ops }: MappedBatch): Slice[] {
  const parts: Slice[] = [];
  let from = 0;
  for (let at = 0; ops !== null && at < records.count; at += 1) {
    if (ops[at] !== OP.truncate) continue;
    if (at > from) parts.push({ from, to: at });
    parts.push({ from: at, to: at });
    from = at + 1;
  }
  if (records.count > from) parts.push({ from, to: records.count });
  return parts;
}

interface TakenItems {
  readonly slice: Slice;
  readonly without: ReadonlySet<number>;
  /** Of the whole batch, as far as slices were not taken yet. */
  readonly rows: Iterator<Row>;
}

/** The records of a slice by kind. */
function itemsOf({ batch, fields }: Work, { slice, without, rows }: TakenItems): { readonly op: number; readonly items: Item[] }[] {
  const groups = new Map<number, Item[]>();
  for (let index = slice.from; index < slice.to; index += 1) {
    const row = rows.next().value as Row;
    if (without.has(index)) continue;
    const op = batch.ops?.[index] ?? OP.upsert;
    const items = groups.get(op);
    const item = { index, record: { row, fields } };
    if (items === undefined) groups.set(op, [item]);
    else items.push(item);
  }
  return [...groups].map(([op, items]) => ({ op, items }));
}
