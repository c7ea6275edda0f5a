import { TrueupError, isTrueupError } from '../../../src/sdk.ts';
import type { MappedBatch, RecordFault, WriteCounts } from '../../../src/sdk.ts';
import type { Sink } from '../bson/sink.ts';
import type { BsonValue } from '../bson/value.ts';
import type { DocumentWriter } from '../document/write.ts';
import type { Packed } from './packed.ts';
import { batchFields, keyCells } from '../document/record-cells.ts';
import type { BatchFields, RecordCells } from '../document/record-cells.ts';
import type { Session } from '../session.ts';
import { idOf } from '../document/document.ts';
import type { DocumentPlan } from '../document/document.ts';
import { NEVER, runOperations } from './write-command.ts';
import type { CommandInit, Done, LaneSession } from './write-command.ts';

export type Counts = { -readonly [Name in keyof WriteCounts]: number };

export function noCounts(): Counts {
  return { upserted: 0, unchanged: 0, deleted: 0, absent: 0, superseded: 0 };
}

export interface StreamWriter {
  readonly session: Session;
  readonly lane: LaneSession;
  readonly plan: DocumentPlan;
  readonly documents: DocumentWriter;
  /** For what is written a second time: its conversions were counted. */
  readonly again: DocumentWriter;
  /** For as many commands as are in the making at once. */
  readonly sinks: readonly Sink[];
  /** Whether most records of late were new: then insert, which costs a third of an update, and update what was there. `null`: nothing was written yet. */
  insertFirst: boolean | null;
}

/** A batch while it is written. */
export interface Work {
  readonly writer: StreamWriter;
  readonly batch: MappedBatch;
  readonly fields: BatchFields;
  readonly counts: Counts;
  readonly faults: RecordFault[];
  /** Records that no document can be made of. */
  readonly unmade: Set<number>;
  readonly signal: AbortSignal;
}

/** Records of one kind on their way. */
export interface Item {
  /** Within the batch. */
  readonly index: number;
  readonly record: RecordCells;
}

export function openWork(writer: StreamWriter, batch: MappedBatch, signal: AbortSignal): Work {
  return {
    writer,
    batch,
    fields: batchFields(writer.plan, batch.shape, batch.records),
    counts: noCounts(),
    faults: [],
    unmade: new Set(),
    signal,
  };
}

/** `null`: the record is at fault. */
export function orFault<T>({ faults, unmade }: Work, index: number, make: () => T): T | null {
  try {
    return make();
  } catch (error) {
    if (!isTrueupError(error) || error.fault !== 'record') throw error;
    faults.push({ index, code: error.code, message: error.message });
    unmade.add(index);
    return null;
  }
}

export interface KeyedItem {
  readonly item: Item;
  readonly id: BsonValue;
}

/** With the `_id` of each; what has none is at fault. */
export function keyed(work: Work, items: readonly Item[]): KeyedItem[] {
  return items.flatMap((item) => orFault(work, item.index, () => ({ item, id: idOfItem(work, item) })) ?? []);
}

function idOfItem({ writer: { plan } }: Work, { record }: Item): BsonValue {
  return idOf(plan, keyCells(plan, record));
}

export function run({ writer: { session, lane, plan }, signal }: Work, command: CommandInit['command'], operations: Packed): Promise<Done> {
  return runOperations(session, { command, operations, collection: plan.stream.target, lane }, signal);
}

export function otherWriter({ writer }: Work): TrueupError {
  return new TrueupError('E_BUSY', `Another writer made or removed documents of '${writer.plan.stream.target}' at the same time.`);
}

/** Ids of a look-up; far below the 16 MiB of a command. */
const IDS = 1000;

/** Which of these documents are there, by the `idKey` of their ids. */
export async function present({ writer: { session, lane, plan }, signal }: Work, items: readonly KeyedItem[]): Promise<Set<string>> {
  const found = new Set<string>();
  // A call of a transaction must have ended before the transaction does.
  const until = lane.atomic ? NEVER : signal;
  for (let from = 0; from < items.length; from += IDS) {
    const ids = items.slice(from, from + IDS).map(({ id }) => id);
    const documents = await session.run(until, (db) =>
      db
        .collection(plan.stream.target)
        .find(
          { _id: { $in: ids as never } },
          { projection: { _id: 1 }, raw: true, readPreference: 'primary', session: lane.session, signal: until },
        )
        .toArray(),
    );
    for (const document of documents as unknown as Uint8Array[]) found.add(Buffer.from(document).toString('latin1'));
  }
  return found;
}
