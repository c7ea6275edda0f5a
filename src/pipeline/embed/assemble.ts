import type { ErrorCode } from '../../errors.ts';
import type { Cell, Row } from '../../model/cell.ts';
import { OP } from '../../model/change.ts';
import type { Batch, Reject } from '../../model/contracts.ts';
import { cellRecords, decodedCell, scanRows } from '../../model/records.ts';
import type { Shape } from '../../model/shape.ts';
import type { AssembledBatch, Assembly } from './assembly.ts';
import { readChildren } from './children.ts';
import type { ChildrenRead } from './children.ts';
import { embedPosition, embeddingShape } from './embed-ref.ts';
import type { EmbeddingRef } from './embed-ref.ts';

/** Records that are read with their children at a time, at most. */
const MOST_ROWS = 1000;

/**
 * Puts the children into the records of a stream. They are read after their parents, as they are then; what changes later is delivered by their own
 * feeds. As many records at a time as their children fit into memory; a record whose children cannot be read, or weigh more than a record may, is a reject.
 */
export async function* assembled(
  assembly: Assembly,
  batches: AsyncIterable<Batch>,
  refOf: (stream: string) => EmbeddingRef | null,
  signal: AbortSignal,
): AsyncGenerator<Batch> {
  const pace: Pace = { rows: MOST_ROWS / 4 };
  const shapes = new Map<EmbeddingRef, WeakMap<Shape, Shape>>();
  for await (const batch of batches) {
    const ref = batch.stream === null ? null : refOf(batch.stream);
    if (ref === null) yield batch;
    else yield* assembleBatch(assembly, { batch, ref, shape: shapeFor(shapes, ref, batch.shape), pace, signal });
  }
}

/** The same object for the same shape, so that who looks can see that nothing changed. */
function shapeFor(shapes: Map<EmbeddingRef, WeakMap<Shape, Shape>>, ref: EmbeddingRef, own: Shape): Shape {
  const known = shapes.get(ref) ?? new WeakMap<Shape, Shape>();
  shapes.set(ref, known);
  const fields = ref.embeds.map(({ field }) => field);
  const shape = known.get(own) ?? embeddingShape(own, fields);
  known.set(own, shape);
  return shape;
}

/** How many records at a time. Halved where their children are too many, and slowly raised again. */
interface Pace {
  rows: number;
}

interface BatchWork {
  readonly batch: Batch;
  readonly ref: EmbeddingRef;
  readonly shape: Shape;
  readonly pace: Pace;
  readonly signal: AbortSignal;
}

async function* assembleBatch(assembly: Assembly, work: BatchWork): AsyncGenerator<AssembledBatch> {
  const { batch, shape, pace } = work;
  const { count } = batch.records;
  const waiting = rowsInTurn(scanRows(batch.records));
  if (count === 0) yield { ...batch, shape, records: cellRecords({ rows: [], bytes: batch.records.bytes }), embedded: [] };
  for (let from = 0; from < count;) {
    const some: Some = { from, rows: waiting.first(Math.min(count - from, pace.rows)) };
    const to = from + some.rows.length;
    const found = await readAll(assembly, work, some);
    if (found === null) {
      pace.rows = Math.max(1, Math.floor(some.rows.length / 2));
      continue;
    }
    pace.rows = Math.min(MOST_ROWS, pace.rows * 2);
    waiting.drop(some.rows.length);
    const part = join(work, some, found);
    const isLast = to === count;
    const rejected = [...(isLast ? (batch.rejected ?? []) : []), ...part.rejected];
    const { rejected: _rejected, ...rest } = batch;
    yield {
      ...rest,
      shape,
      records: part.records,
      ops: part.ops,
      cursor: isLast ? batch.cursor : null,
      ...(rejected.length === 0 ? {} : { rejected }),
      embedded: found.flatMap(({ conversions }) => conversions),
    };
    from = to;
  }
}

/** Some records of a batch, and the index of the first of them. */
interface Some {
  readonly from: number;
  readonly rows: readonly Row[];
}

/** The rows of a batch, a few at a time: all of them as cells would wait for the last of their children. */
function rowsInTurn(rows: Iterable<Row>) {
  const next = rows[Symbol.iterator]();
  let held: Row[] = [];
  return {
    /** As often as they are asked for, until they are dropped. */
    first: (count: number): readonly Row[] => {
      while (held.length < count) held.push(next.next().value as Row);
      return held.slice(0, count);
    },
    drop: (count: number) => {
      held = held.slice(count);
    },
  };
}

/** Of every embed. `null`: fewer records at a time. */
async function readAll(assembly: Assembly, { batch, ref, signal }: BatchWork, { from, rows }: Some): Promise<ChildrenRead[] | null> {
  const parents = { shape: batch.shape, records: batch.records, rows, isWhole: (index: number) => isWhole(batch, from + index) };
  const found: ChildrenRead[] = [];
  for (const embed of ref.embeds) {
    const children = await readChildren(assembly, { embed, parents, parent: ref, signal });
    if (children === null) return null;
    found.push(children);
  }
  return found;
}

function isWhole({ ops }: Batch, index: number): boolean {
  return ops === null || ops[index] === OP.upsert;
}

function join({ batch, shape }: BatchWork, { from, rows: own }: Some, found: readonly ChildrenRead[]) {
  const { records } = batch;
  const position = embedPosition(batch.shape);
  const rows: Row[] = [];
  const ops: number[] = [];
  const rejected: Reject[] = [];
  let bytes = 0;
  own.forEach((row, index) => {
    const fault = found.map(({ faults }) => faults.get(index)).find((one) => one !== undefined);
    if (fault !== undefined) {
      rejected.push(rejectOf(batch, row, fault));
      return;
    }
    const children = found.map(({ cells }) => cells[index]);
    rows.push(row.toSpliced(position, 0, ...children));
    ops.push(opOf(batch, from + index));
    for (const one of found) bytes += one.bytes[index] ?? 0;
  });
  const ownBytes = records.count === 0 ? 0 : Math.ceil((records.bytes * own.length) / records.count);
  const decoders = batch.shape.fields.map((_field, index) => records.decoder(index)).toSpliced(position, 0, ...found.map(() => null));
  return {
    records: cellRecords({
      rows,
      bytes: ownBytes + bytes,
      textDialect: records.textDialect,
      decoders: shape.fields.map((_field, index) => decoders[index] ?? null),
    }),
    ops: batch.ops === null ? null : Uint8Array.from(ops),
    rejected,
  };
}

/** A partial change may be one of the fields that the children are found by: the record is looked up as a whole. */
function opOf({ ops }: Batch, index: number): number {
  const op = ops?.[index] ?? OP.upsert;
  return op === OP.patch ? OP.touch : op;
}

function rejectOf(
  { shape, records, position }: Batch,
  row: Row,
  { code, message }: { readonly code: ErrorCode; readonly message: string },
): Reject {
  return { key: keyOf({ shape, records }, row), position: position.text, code, message };
}

function keyOf({ shape, records }: Pick<Batch, 'shape' | 'records'>, row: Row): readonly Cell[] {
  return shape.key.map((field) => decodedCell(records, row, field));
}
