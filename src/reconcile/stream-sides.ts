import { TrueupError } from '../errors.ts';
import type { MappingPlan } from '../mapping/plan.ts';
import type { Cell } from '../model/cell.ts';
import { OP } from '../model/change.ts';
import type { Batch, Source, StoredField, StreamRef, Target, TargetStream } from '../model/contracts.ts';
import type { DigestFields } from '../model/digests.ts';
import { sameType } from '../model/logical-type.ts';
import { cellRecords } from '../model/records.ts';
import { fieldIndex } from '../model/shape.ts';
import type { Shape } from '../model/shape.ts';
import { digestSide } from './digest-side.ts';
import type { Expectation } from './expected.ts';
import { readSource } from './read-source.ts';
import { readTarget } from './read-target.ts';
import { recordSide } from './record-side.ts';
import type { Side } from './side.ts';

/** One stream, as both sides of it are read. */
export interface ComparedStream {
  readonly source: Source;
  readonly target: Target;
  readonly ref: StreamRef;
  readonly mapping: MappingPlan;
  readonly targetStream: TargetStream;
}

export interface BothSides {
  readonly source: Side;
  readonly target: Side;
}

const WHOLE = { batchRows: 10_000, batchBytes: 8 * 1024 * 1024, until: 'drain' } as const;

/**
 * Every record of a stream as it is now. A source that cannot scan is read as for a first load; one that has no first load is read from the beginning
 * of its changes, where a record may come more than once and one that was deleted since may still come.
 *
 * @param withOps hands over deletes, patches and touches as well, for who can tell by them that a record needs a closer look
 * @throws {TrueupError} `E_COMPARE_UNSUPPORTED` with `withOps`, when the changes hold a truncate: what came before it is nobody's any more
 */
export async function* readWhole(source: Source, ref: StreamRef, signal: AbortSignal, withOps = false): AsyncGenerator<Batch> {
  if (source.scan !== undefined) {
    yield* source.scan(ref, signal);
    return;
  }
  const feeds = (await source.splitBackfill?.(ref, 1, signal)) ?? source.feeds([ref]);
  for (const feed of feeds)
    for await (const batch of source.fetchChanges({ feed, streams: [ref], after: null, forms: new Map(), ...WHOLE, signal }))
      if (batch.stream === ref.name) yield withOps ? untruncated(batch) : upserts(batch);
}

function untruncated(batch: Batch): Batch {
  if (batch.ops?.includes(OP.truncate) !== true) return batch;
  throw new TrueupError(
    'E_COMPARE_UNSUPPORTED',
    `stream '${batch.stream ?? ''}': the source can only be read from the beginning of its changes, and they hold a truncate`,
  );
}

function upserts(batch: Batch): Batch {
  const { ops, records, shape } = batch;
  if (ops === null) return batch;
  const rows = records.rows().filter((_row, index) => ops[index] === OP.upsert);
  const decoders = shape.fields.map((_field, index) => records.decoder(index));
  return { ...batch, ops: null, records: cellRecords({ rows, bytes: records.bytes, textDialect: records.textDialect, decoders }) };
}

/** Some records of the target, for the types and the notation of what it gives back. `null`: it holds none. @param stored `Target.storedAs` */
export async function firstRecords(
  { target, targetStream }: ComparedStream,
  stored: readonly (StoredField | null)[] | null,
  signal: AbortSignal,
): Promise<Batch | null> {
  const fields = targetStream.shape.fields.map((field) => field.name);
  const held = stored === null ? fields : fields.filter((_name, index) => stored[index] !== null);
  for await (const batch of target.scan?.({ stream: targetStream, fields: held, signal }) ?? []) return batch;
  return null;
}

export interface RecordSidesInit {
  readonly stream: ComparedStream;
  readonly expected: Expectation;
  /** Per compared field the dialect whose text is hashed unread; absent: every cell is decoded. */
  readonly unread?: readonly (string | null)[];
  /** The source's side also has what the mapping leaves out, as records that equal none. */
  readonly withFiltered?: boolean;
  onFiltered?(records: number): void;
}

/** Both sides, read and hashed here. */
export function recordSides({ stream, expected, ...reading }: RecordSidesInit): BothSides {
  const { source, target, ref, targetStream } = stream;
  const fields = expected.fields.map((field) => field.name);
  return {
    source: recordSide({ batches: (signal) => readWhole(source, ref, signal, true), each: readSource({ expected, ...reading }) }),
    target: recordSide({
      batches: (signal) => target.scan?.({ stream: targetStream, fields, signal }) ?? nothing(),
      each: readTarget({ expected, ...reading }),
    }),
  };
}

async function* nothing(): AsyncGenerator<Batch> {}

/** Both sides hashed where they are, where they do it alike and the mapping is nothing but a projection. */
export async function databaseSides(
  { source, target, ref, mapping, targetStream }: ComparedStream,
  expected: Expectation,
  signal: AbortSignal,
): Promise<BothSides | null> {
  if (!mapping.projection || mapping.where.length > 0 || mapping.deletesWhen !== null) return null;
  const { keyCount } = expected;
  const names = sourceFields(mapping, expected);
  const ofTarget: DigestFields = { fields: expected.fields.map((field) => field.name), keyCount };
  const ofSource = await source.digests?.(ref, { fields: names, keyCount }, signal);
  if (ofSource === undefined || ofSource === null) return null;
  const held = await target.digests?.(targetStream, ofTarget, signal);
  if (held === undefined || held === null) return null;
  if (ofSource.notation.length !== held.notation.length || ofSource.notation.some((text, index) => text !== held.notation[index]))
    return null;
  const key = expected.fields.slice(0, keyCount);
  const order = ref.key.map((name) => names.slice(0, keyCount).indexOf(name));
  return { source: inKeyOrder(digestSide(ofSource, key), order), target: digestSide(held, key) };
}

/** Of a projection: the source's field behind each compared one. */
function sourceFields(mapping: MappingPlan, { sources }: Expectation): string[] {
  return sources.map(({ index }) => mapping.fields[index]).map((plan) => (plan?.kind === 'copy' ? plan.from : ''));
}

/** Keys of the source in its own order, from keys in the order of the target. One that the target's does not hold is unknown. */
function inKeyOrder(side: Side, order: readonly number[]): Side {
  const known = !order.includes(-1);
  const reordered = (cells: readonly Cell[]): readonly Cell[] | null => (known ? order.map((at) => cells[at]) : null);
  return {
    digest: (sums, reading) => side.digest(sums, reading),
    async *list(wanted, reading) {
      for await (const records of side.list(wanted, reading))
        yield records.map((record) => ({ ...record, cells: record.cells === null ? null : reordered(record.cells) }));
    },
  };
}

/** Types of key cells whose text is the same for equal values, in whatever dialect: the bucket of a record must not depend on notation. */
const PLAIN_KEYS: ReadonlySet<unknown> = new Set(['bool', 'int32', 'int64', 'text', 'uuid', 'date', 'timestamp', 'timestamptz']);

/**
 * The compared fields whose text both sides write in the same dialect for the same native type, so that it can be hashed unread: another text may
 * still be an equal value, which is for a closer look to tell.
 *
 * @param sourceShape what reads of the source hand over; @param held records of the target
 */
export function unreadFields(
  { mapping }: Pick<ComparedStream, 'mapping'>,
  { expected, sourceShape, held }: { readonly expected: Expectation; readonly sourceShape: Shape; readonly held: Batch | null },
): (string | null)[] {
  const dialect = held?.records.textDialect ?? null;
  return expected.fields.map(({ name, type }, position) => {
    if (held === null || dialect === null) return null;
    const plan = mapping.fields[expected.sources[position]?.index ?? -1];
    const ofTarget = held.shape.fields[fieldIndex(held.shape, name)];
    const ofSource = plan?.kind === 'copy' ? sourceShape.fields[fieldIndex(sourceShape, plan.from)] : undefined;
    if (ofSource?.native === undefined || ofTarget?.native === undefined) return null;
    if (ofSource.native.system !== ofTarget.native.system || ofSource.native.type !== ofTarget.native.type) return null;
    if (!sameType(ofSource.type, type) || (position < expected.keyCount && !PLAIN_KEYS.has(type))) return null;
    return dialect;
  });
}
