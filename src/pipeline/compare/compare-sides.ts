import { compileScope } from '../../mapping/scope.ts';
import type { InScope, ScopePlan } from '../../mapping/scope.ts';
import type { Row } from '../../model/cell.ts';
import type { Batch, Reject } from '../../model/contracts.ts';
import { fieldIndex } from '../../model/shape.ts';
import type { Shape } from '../../model/shape.ts';
import { cellRecords, scanRows } from '../../model/records.ts';
import { expectation } from '../../reconcile/expected.ts';
import type { Expectation } from '../../reconcile/expected.ts';
import { keyMapping, keyRef, keyTarget } from '../../reconcile/key-part.ts';
import { readSource } from '../../reconcile/read-source.ts';
import { readTarget } from '../../reconcile/read-target.ts';
import { recordSide } from '../../reconcile/record-side.ts';
import type { Side } from '../../reconcile/side.ts';
import { databaseSides, firstRecords, readWhole, unreadFields } from '../../reconcile/stream-sides.ts';
import type { ComparedStream } from '../../reconcile/stream-sides.ts';
import type { ComparePlan } from './compare-plan.ts';
import type { FeedRun, StreamRun } from '../feed-run.ts';
import type { PlannedStream } from '../plan/plan.ts';

/** Both sides of one stream, ready to be compared. */
export interface StreamSides {
  readonly source: Side;
  readonly target: Side;
  /** What the target should hold, as far as it is compared: the key alone, or everything. */
  readonly expected: Expectation;
  /** The source's side once more, with what the mapping's `where` keeps out of the target. */
  readonly sourceWithFiltered: Side;
}

/**
 * Inside of the systems where both can hash these fields alike; else record by record here.
 *
 * @param onRejected told of records that the source could not read, at every reading of it
 */
export async function openSides(
  run: FeedRun,
  { planned }: StreamRun,
  plan: ComparePlan,
  onRejected: (rejects: readonly Reject[]) => void = () => {},
): Promise<StreamSides> {
  const { source, target } = run.context;
  const { abort } = run.signals;
  const whole: ComparedStream = { source, target, ref: planned.ref, mapping: planned.mapping, targetStream: planned.target };
  const compared = plan.what === 'keys' ? keysOf(whole) : whole;
  const stored = (await target.storedAs?.(planned.target, abort)) ?? null;
  const held = await firstRecords(whole, stored, abort);
  const expected = expectation({
    mapping: compared.mapping,
    target: compared.targetStream,
    stored: stored === null || plan.what === 'records' ? stored : planned.target.shape.key.map((index) => stored[index] ?? null),
    scanned: held?.shape ?? null,
    secrets: (text) => run.context.secrets(text),
  });
  // Text of the same system and type is compared unread: another text is written even where it stands for the same value.
  const unread = unreadFields(compared, { expected, sourceShape: planned.sourcePlan.shape, held });
  const bySource = (withFiltered: boolean): Side =>
    recordSide({
      batches: (signal) => withRejects(readWhole(source, compared.ref, signal), onRejected),
      each: readSource({ expected, unread, withFiltered }),
    });
  const byTarget = (): Side =>
    recordSide({ batches: (signal) => scanTarget(whole, { plan, expected, signal }), each: readTarget({ expected, unread }) });
  const hashed = mayHash(planned, plan) ? await databaseSides({ ...compared, targetStream: planned.target }, expected, abort) : null;
  return { ...(hashed ?? { source: bySource(false), target: byTarget() }), expected, sourceWithFiltered: bySource(true) };
}

function keysOf(whole: ComparedStream): ComparedStream {
  const { ref, mapping, targetStream } = whole;
  return { ...whole, ref: keyRef(ref), mapping: keyMapping(mapping), targetStream: keyTarget(targetStream) };
}

/**
 * Filters leave so much out of one side that most buckets would differ, and then hashes tell nothing. A row without a key, which hashes pass over, must
 * not go unnoticed where the comparison is all that looks at the source.
 */
function mayHash({ mapping, info, ref }: PlannedStream, { what, scope }: ComparePlan): boolean {
  if (scope !== null || mapping.where.length > 0 || mapping.deletesWhen !== null) return false;
  return what === 'keys' || ref.key.every((name) => info.shape.fields[fieldIndex(info.shape, name)]?.nullable === false);
}

async function* withRejects(batches: AsyncIterable<Batch>, onRejected: (rejects: readonly Reject[]) => void): AsyncGenerator<Batch> {
  for await (const batch of batches) {
    if (batch.rejected !== undefined) onRejected(batch.rejected);
    yield batch;
  }
}

interface TargetScan {
  readonly plan: ComparePlan;
  readonly expected: Expectation;
  readonly signal: AbortSignal;
}

/** The records of the target that are within the scope. */
async function* scanTarget(
  { target, targetStream: stream }: ComparedStream,
  { plan, expected, signal }: TargetScan,
): AsyncGenerator<Batch> {
  const { scope } = plan;
  const fields = [...new Set([...expected.fields.map((field) => field.name), ...(scope?.target ?? [])])];
  const isIn = scope === null ? null : scopeFilter(scope);
  for await (const batch of target.scan?.({ stream, fields, signal }) ?? []) yield isIn === null ? batch : within(isIn(batch.shape), batch);
}

/** Compiled once for every shape. */
function scopeFilter(scope: ScopePlan): (shape: Shape) => InScope {
  const known = new WeakMap<Shape, InScope>();
  return (shape) => {
    const isIn = known.get(shape) ?? compileScope(scope, shape);
    known.set(shape, isIn);
    return isIn;
  };
}

function within(isIn: InScope, batch: Batch): Batch {
  const { records, shape } = batch;
  const rows: Row[] = [];
  for (const row of scanRows(records)) if (isIn(records, row) === true) rows.push(row);
  const decoders = shape.fields.map((_field, index) => records.decoder(index));
  return { ...batch, records: cellRecords({ rows, bytes: records.bytes, textDialect: records.textDialect, decoders }) };
}

/** The types in which the target gives its key back, in key order. */
export function storedKeyTypes({ fields, keyCount }: Expectation) {
  return fields.slice(0, keyCount).map((field) => field.type);
}
