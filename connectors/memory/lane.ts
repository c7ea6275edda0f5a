import { OP, TrueupError, decodedCell, fieldIndex, isTrueupError } from '../../src/sdk.ts';
import type {
  Cell,
  Commit,
  CommitResult,
  Lane,
  MappedBatch,
  Owner,
  RecordFault,
  Row,
  Shape,
  TargetStream,
  WriteCounts,
} from '../../src/sdk.ts';
import { cellsText, compareCells, sameCell } from './cells.ts';
import { fence, save } from './control.ts';
import type { MemoryDatabase } from './database.ts';
import { checkRow, keyOf } from './rows.ts';
import type { Transaction } from './transaction.ts';

export interface LaneOptions {
  readonly database: MemoryDatabase;
  readonly owner: Owner;
  readonly streams: readonly TargetStream[];
  /** Whether the database keeps the job's checkpoints, and fences by them. */
  readonly checkpoints: boolean;
  readonly now: () => number;
}

type Outcome = keyof WriteCounts;
type Tally = Record<Outcome, number>;

/** Writes go into one transaction until `commit`. A batch is checked whole before its first write, so a batch that throws has written nothing. */
export function openMemoryLane({ database, owner, streams, checkpoints, now }: LaneOptions): Lane {
  let transaction = database.begin();
  let tallies = new Map<string, Tally>();
  let position = '';
  const forget = async (): Promise<void> => {
    transaction = database.begin();
    tallies = new Map();
  };

  return {
    bulkUpsert: async (batch, signal): Promise<RecordFault[]> => {
      signal.throwIfAborted();
      const stream = streams.find((candidate) => candidate.stream === batch.stream);
      if (stream === undefined) throw new TrueupError('E_BUG', `The lane was not opened for stream '${batch.stream}'.`);
      const writer = { transaction, stream, shape: database.collection(stream.target).shape, nowMs: now() };
      const records = alignRecords(batch, writer);
      const faults: RecordFault[] = [];
      const tally = tallies.get(stream.stream) ?? { upserted: 0, unchanged: 0, deleted: 0, absent: 0, superseded: 0 };
      tallies.set(stream.stream, tally);
      for (const [index, row] of records.entries()) {
        const fault = write(writer, tally, { op: batch.ops?.[index] ?? OP.upsert, row });
        if (fault !== null) faults.push({ index, ...fault });
      }
      if (batch.replaceWithin !== undefined) tally.deleted += deleteUnlisted(writer, batch, records);
      position = batch.position.text;
      return faults;
    },
    commit: async (what: Commit, signal): Promise<CommitResult> => {
      signal.throwIfAborted();
      if (checkpoints) fence(database.control, owner);
      const by = { run: owner.run, epoch: owner.epoch, at: new Date(now()).toISOString(), position };
      database.noteCommit(by, () => transaction.commit());
      const lettersResolved = checkpoints ? save(database.control, owner, what, now()) : 0;
      const result = { streams: Object.fromEntries(tallies), lettersResolved };
      await forget();
      return result;
    },
    discard: forget,
    close: forget,
  };
}

interface Writer {
  readonly transaction: Transaction;
  readonly stream: TargetStream;
  /** Of the collection. */
  readonly shape: Shape;
  readonly nowMs: number;
}

/** The batch's rows in the order of the collection's fields; what the batch does not have is `undefined`. */
function alignRecords(batch: MappedBatch, { stream, shape }: Writer): Row[] {
  const from = shape.fields.map((field) => fieldIndex(batch.shape, field.name));
  const lost = batch.shape.fields.filter((field) => fieldIndex(shape, field.name) < 0 && stream.drift.add !== 'ignore');
  if (lost.length > 0)
    throw new TrueupError(
      'E_PLAN_CHANGED',
      `Collection '${stream.target}' has no field ${lost.map((field) => `'${field.name}'`).join(', ')}.`,
    );
  return batch.records.rows().map((row) => from.map((index) => (index < 0 ? undefined : decodedCell(batch.records, row, index))));
}

function write(writer: Writer, tally: Tally, { op, row }: { op: number; row: Row }): Omit<RecordFault, 'index'> | null {
  try {
    tally[writeRecord(writer, op, row)] += 1;
    return null;
  } catch (error) {
    if (isTrueupError(error) && (error.fault === 'record' || error.fault === 'order')) return { code: error.code, message: error.message };
    throw error;
  }
}

function writeRecord(writer: Writer, op: number, row: Row): Outcome {
  switch (op) {
    case OP.upsert:
      return upsert(writer, row);
    case OP.patch:
      return patch(writer, row);
    case OP.delete:
      return remove(writer, keyOf(writer.shape, row));
    case OP.truncate:
      writer.transaction.truncate(writer.stream.target);
      return 'deleted';
    default:
      throw new TrueupError('E_BUG', `No target takes operation ${op}.`);
  }
}

/** Fields that the stream does not have keep their values; a row that was marked as deleted is there again. */
function upsert(writer: Writer, row: Row): Outcome {
  const { transaction, shape, stream } = writer;
  const before = transaction.get(stream.target, keyOf(shape, row));
  const mark = markIndex(writer);
  const after = row.map((cell, index) => (index === mark ? null : cell === undefined ? (before?.[index] ?? null) : cell));
  checkRow(stream.target, shape, after);
  return put(writer, before, after);
}

function patch(writer: Writer, row: Row): Outcome {
  const { transaction, shape, stream } = writer;
  const before = transaction.get(stream.target, keyOf(shape, row));
  if (before === null) throw new TrueupError('E_RECORD_MISSING', `Collection '${stream.target}' has no record of this key to change.`);
  const after = before.map((cell, index) => (row[index] === undefined ? cell : row[index]));
  checkRow(stream.target, shape, after);
  return put(writer, before, after);
}

function put({ transaction, shape, stream }: Writer, before: Row | null, after: Row): Outcome {
  const guard = stream.guard === undefined ? -1 : fieldIndex(shape, stream.guard);
  if (before !== null && guard >= 0 && isOlder(after[guard], before[guard])) return 'superseded';
  if (before !== null && before.every((cell, index) => sameCell(cell, after[index]))) return 'unchanged';
  transaction.upsert(stream.target, after);
  return 'upserted';
}

/** A NULL on either side proves nothing, so the write is taken. */
function isOlder(incoming: Cell, stored: Cell): boolean {
  return incoming !== null && incoming !== undefined && stored !== null && compareCells(incoming, stored) < 0;
}

function remove(writer: Writer, key: Row): Outcome {
  const { transaction, stream } = writer;
  const before = transaction.get(stream.target, key);
  if (before === null) return 'absent';
  if (stream.onDelete === 'ignore') return 'unchanged';
  if (stream.onDelete === 'delete') {
    transaction.delete(stream.target, key);
    return 'deleted';
  }
  const mark = markIndex(writer);
  if (before[mark] !== null) return 'unchanged';
  transaction.upsert(
    stream.target,
    before.map((cell, index) => (index === mark ? BigInt(writer.nowMs) * 1000n : cell)),
  );
  return 'deleted';
}

/** The timestamptz field that says when a row was deleted; -1: deletes are not marked. */
function markIndex({ shape, stream }: Writer): number {
  return typeof stream.onDelete === 'object' ? fieldIndex(shape, stream.onDelete.mark) : -1;
}

/** unwind: of the listed parents, only the rows of this batch remain. */
function deleteUnlisted({ transaction, stream, shape }: Writer, batch: MappedBatch, records: readonly Row[]): number {
  const fields = (batch.replaceWithin?.fields ?? []).map((index) => fieldIndex(shape, batch.shape.fields[index]?.name ?? ''));
  const parents = new Set((batch.replaceWithin?.parents ?? []).map(cellsText));
  const listed = new Set(records.map((row) => cellsText(keyOf(shape, row))));
  let deleted = 0;
  for (const row of transaction.rows(stream.target)) {
    const isChild = parents.has(cellsText(fields.map((index) => row[index])));
    if (!isChild || listed.has(cellsText(keyOf(shape, row)))) continue;
    transaction.delete(stream.target, keyOf(shape, row));
    deleted += 1;
  }
  return deleted;
}
