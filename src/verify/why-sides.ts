import { isTrueupError } from '../errors.ts';
import type { Cell, Row } from '../model/cell.ts';
import type { Batch, StoredField, TargetStream } from '../model/contracts.ts';
import type { Field } from '../model/logical-type.ts';
import { fieldIndex, keyNames } from '../model/shape.ts';
import type { Shape } from '../model/shape.ts';
import type { JobContext } from '../pipeline/job-context.ts';
import type { PlannedStream } from '../pipeline/plan/plan.ts';
import { expectation, expectedRecords } from '../reconcile/expected.ts';
import type { Expectation } from '../reconcile/expected.ts';
import { actualCells, comparedCells, expectedRecord, keyRecord } from './why-expected.ts';
import type { ExpectedRecord } from './why-expected.ts';
import { unreadableOnTarget } from './refuse.ts';
import type { Becomes } from './why-facts.ts';
import type { WhyField } from './why-report.ts';
import { oneRecord, readSource } from './why-source.ts';

/** One record on both sides. */
export interface Sides {
  /** Of the source, in key order; `null`: it has no such record, and its key cannot be told from the target's. */
  readonly key: readonly Cell[] | null;
  /** Of the target; `null`: the mapping cannot make it. */
  readonly targetKey: readonly Cell[] | null;
  /** Records of the source with this key. */
  readonly count: number;
  /** The record of the source that is compared; `null`: there is none that can be read. */
  readonly source: Batch | null;
  readonly becomes: Becomes | null;
  readonly actual: Batch | null;
  readonly fields: readonly WhyField[];
  /** Cells of both by field, for whoever has to look closer; `null`: no record that the target is to hold. */
  readonly cells: { readonly expected: Row; readonly actual: Row } | null;
  readonly expected: Expectation;
  /** Of a row of a child table: whether the record that it is a part of is in the source. */
  readonly isRecordThere?: boolean;
}

/** What is looked at in the target: what a stream is written to, or a child table. */
type InTarget = Pick<PlannedStream, 'target' | 'targetPlan'>;

export async function readSides(context: JobContext, planned: PlannedStream, key: readonly Cell[], signal: AbortSignal): Promise<Sides> {
  const { count, records, reject } = await readSource(context, planned, key, signal);
  const rough = await targetExpectation(context, planned, signal);
  const targetKey = targetKeyOf(planned, rough, records[0] ?? null, key);
  const actual = targetKey === null ? null : await readTarget(context, planned, targetKey, signal);
  const expected = actual === null ? rough : await targetExpectation(context, planned, signal, actual.shape);
  const found = closest(
    expected,
    records.map((batch) => ({ batch, is: expectedRecord(context, planned, expected, batch) })),
    actual,
  );
  const refused: Becomes | null = reject === null ? null : { kind: 'fault', code: reject.code, message: reject.message };
  return { key, targetKey, count, becomes: found.is?.becomes ?? refused, expected, ...found };
}

/** A record that the source does not have, and of which no key of the source is known. */
export function onlyInTarget(expected: Expectation, targetKey: readonly Cell[], actual: Batch): Sides {
  return { key: null, targetKey, count: 0, becomes: null, expected, ...closest(expected, [], actual) };
}

/**
 * What the target should hold of a record.
 *
 * @param scanned the shape in which the target gives records back; `null`: it has none, or has not been asked yet
 */
export async function targetExpectation(
  context: JobContext,
  planned: PlannedStream,
  signal: AbortSignal,
  scanned: Shape | null = null,
): Promise<Expectation> {
  const { mapping, target } = planned;
  const stored = await storedFields(context, planned, signal, scanned);
  return expectation({ mapping, target, stored, scanned, secrets: (text) => context.secrets(text) });
}

/** How the target holds the fields. What it is yet to get (a column that the next run adds) it holds as it comes. */
export async function storedFields(
  context: JobContext,
  { target }: Pick<InTarget, 'target'>,
  signal: AbortSignal,
  scanned: Shape | null,
): Promise<readonly (StoredField | null)[] | null> {
  const system = context.target;
  if (system.storedAs === undefined) return null;
  try {
    return await system.storedAs(target, signal);
  } catch (error) {
    if (!isTrueupError(error) || error.code !== 'E_PLAN_CHANGED') throw error;
  }
  const asItIs = ({ type }: Field): StoredField => ({ type, convert: (cell) => cell });
  if (scanned === null) return target.shape.fields.map(asItIs);
  const has = target.shape.fields.map(({ name }) => fieldIndex(scanned, name) >= 0);
  const places = has.flatMap((isThere, index) => (isThere ? [index] : []));
  const known: TargetStream = {
    ...target,
    shape: {
      ...target.shape,
      fields: target.shape.fields.filter((_, index) => has[index]),
      key: target.shape.key.map((index) => places.indexOf(index)),
    },
    onLoss: target.onLoss.filter((_, index) => has[index]),
  };
  const stored = await system.storedAs(known, signal);
  return target.shape.fields.map((field, index) => (has[index] === true ? (stored[places.indexOf(index)] ?? null) : asItIs(field)));
}

/** Reads what the target has under a key of its own. */
export async function readTarget({ target }: JobContext, held: InTarget, key: readonly Cell[], signal: AbortSignal): Promise<Batch | null> {
  if (target.fetchBy === undefined) throw unreadableOnTarget(held);
  if (held.targetPlan.creates) return null;
  for await (const batch of target.fetchBy(held.target, keyNames(held.target.shape), [key], signal))
    if (batch.records.count > 0) return oneRecord(batch, 0);
  return null;
}

function targetKeyOf(planned: PlannedStream, expected: Expectation, record: Batch | null, key: readonly Cell[]): readonly Cell[] | null {
  const batch = record ?? keyRecord(planned.sourcePlan.shape, planned.name, key);
  return expectedRecords(expected, batch)[0]?.key ?? null;
}

interface Candidate {
  readonly batch: Batch;
  readonly is: ExpectedRecord;
}

/** Of several records with one key, the one that the target's record is most like. */
function closest(
  expected: Expectation,
  candidates: readonly Candidate[],
  actual: Batch | null,
): Pick<Sides, 'source' | 'actual' | 'fields' | 'cells'> & { readonly is: ExpectedRecord | null } {
  const theirs = actual === null ? null : actualCells(expected, actual);
  const compared = candidates.map(({ batch, is }) => ({ batch, is, fields: comparedCells(expected, is.cells, theirs) }));
  const differing = (fields: readonly WhyField[]): number => fields.filter((field) => !field.equal).length;
  const [best] = compared.toSorted((a, b) => differing(a.fields) - differing(b.fields));
  const ours = best?.is.cells ?? null;
  const cells = ours === null || theirs === null ? null : { expected: ours, actual: theirs };
  return {
    source: best?.batch ?? null,
    actual,
    fields: best?.fields ?? comparedCells(expected, null, theirs),
    cells,
    is: best?.is ?? null,
  };
}
