import { isTrueupError, TrueupError } from '../errors.ts';
import type { MappingPlan, UnwindPlan } from '../mapping/plan.ts';
import type { Cell, Row } from '../model/cell.ts';
import type { Batch } from '../model/contracts.ts';
import { keyFromText } from '../model/key-text.ts';
import { keyNames } from '../model/shape.ts';
import type { Shape } from '../model/shape.ts';
import type { ChildTable } from '../pipeline/plan/child-tables.ts';
import type { JobContext } from '../pipeline/job-context.ts';
import type { PlannedStream } from '../pipeline/plan/plan.ts';
import { childExpectation } from '../reconcile/child-expectation.ts';
import { canonicalKey } from '../reconcile/compared-fields.ts';
import { expectedRecords } from '../reconcile/expected.ts';
import type { Expectation } from '../reconcile/expected.ts';
import { sourceKeys } from '../reconcile/source-key.ts';
import { actualCells, comparedCells, leftOutBy } from './why-expected.ts';
import type { Becomes } from './why-facts.ts';
import type { Sides } from './why-sides.ts';
import { readTarget, storedFields } from './why-sides.ts';
import { readSource, sourceKeyOf } from './why-source.ts';

/** A row of a child table, which is a part of a record of the stream. */
interface Asked {
  readonly context: JobContext;
  readonly planned: PlannedStream;
  readonly child: ChildTable;
}

/**
 * Both sides of a row of a child table, by its key in the target. What the source has is the record that the row is a part of: `key` is that record's.
 *
 * @throws {TrueupError} `E_USAGE` when the text is no key of the table
 */
export async function childSides(asked: Asked, text: string, signal: AbortSignal): Promise<Sides> {
  const { context, planned, child } = asked;
  const key = childKey(child, text);
  const rough = await expectationOf(asked, child.plan, null, signal);
  const held = key.map((cell, index) => rough.sources[index]?.convert?.(cell) ?? cell);
  const actual = await readTarget(context, child, held, signal);
  const expected = actual === null ? rough : await expectationOf(asked, child.plan, actual.shape, signal);
  const back = sourceKeys({
    mapping: child.plan.mapping,
    source: planned.sourcePlan.shape,
    stored: keyFields(expected).map(({ type }) => type),
  });
  const record = back?.(held) ?? (await sourceKeyOf(context, planned, { expected, key: held }, signal));
  const found = record === null ? NOTHING : await rowOf(asked, { expected, key: held, record }, signal);
  const theirs = actual === null ? null : actualCells(expected, actual);
  return {
    key: record,
    targetKey: held,
    ...found,
    actual,
    fields: comparedCells(expected, found.row, theirs),
    cells: null,
    expected,
  };
}

function childKey({ target }: ChildTable, text: string): Cell[] {
  try {
    return keyFromText(target.shape, text);
  } catch (error) {
    if (!isTrueupError(error) || (error.fault !== 'record' && error.code !== 'E_USAGE')) throw error;
    throw new TrueupError('E_USAGE', `this is no key of child table '${target.target}': ${error.message}`, {
      cause: error,
      hint: `Its key is ${keyNames(target.shape).join(', ')}.`,
    });
  }
}

async function expectationOf(
  { context, planned, child }: Asked,
  plan: UnwindPlan,
  scanned: Shape | null,
  signal: AbortSignal,
  mapping: MappingPlan = planned.mapping,
): Promise<Expectation> {
  const stored = await storedFields(context, child, signal, scanned);
  return childExpectation({ mapping, child: plan, target: child.target, stored, scanned, secrets: (text) => context.secrets(text) });
}

function keyFields({ fields, keyCount }: Expectation): Expectation['fields'] {
  return fields.slice(0, keyCount);
}

interface Found extends Pick<Sides, 'count' | 'source' | 'becomes' | 'isRecordThere'> {
  /** As the target is to hold it; `null`: it is to hold none. */
  readonly row: Row | null;
}

const NOTHING: Found = { count: 0, source: null, becomes: null, row: null, isRecordThere: false };

interface Wanted {
  readonly expected: Expectation;
  /** Of the row, as the target holds it. */
  readonly key: readonly Cell[];
  /** The key of its record. */
  readonly record: readonly Cell[];
}

async function rowOf(asked: Asked, { expected, key, record }: Wanted, signal: AbortSignal): Promise<Found> {
  const { context, planned } = asked;
  const { count, records, reject } = await readSource(context, planned, record, signal);
  const [source] = records;
  if (source === undefined)
    return { ...NOTHING, count, becomes: reject === null ? null : { kind: 'fault', code: reject.code, message: reject.message } };
  const there = { count, source, isRecordThere: true };
  const rows = expectedRecords(expected, source);
  for (const one of rows) {
    // One row that cannot be carried keeps all of its record from being written.
    if (one.kind === 'fault') return { ...there, becomes: { kind: 'fault', code: one.code, message: one.message }, row: null };
    if (one.kind === 'deleted' || one.kind === 'filtered')
      return { ...there, becomes: { kind: one.kind, by: leftOutBy(context, planned, source, one.kind) }, row: null };
  }
  const found = rowWith(expected, source, key);
  if (found !== null) return { ...there, becomes: { kind: 'record' }, row: found };
  return { ...there, becomes: await leftOutElement(asked, { key, source }, signal), row: null };
}

function rowWith(expected: Expectation, source: Batch, key: readonly Cell[]): Row | null {
  const fields = keyFields(expected);
  const wanted = canonicalKey(fields, key);
  for (const one of expectedRecords(expected, source))
    if (one.kind === 'record' && canonicalKey(fields, one.key) === wanted) return one.cells;
  return null;
}

/** The `where` of the table, when the element is there and does not pass it. `null`: there is no such element. */
async function leftOutElement(
  asked: Asked,
  { key, source }: { readonly key: readonly Cell[]; readonly source: Batch },
  signal: AbortSignal,
): Promise<Becomes | null> {
  const { planned, child } = asked;
  const [where] = child.plan.mapping.where;
  if (where === undefined) return null;
  const all: UnwindPlan = { ...child.plan, mapping: { ...child.plan.mapping, where: [] } };
  const mapping = { ...planned.mapping, unwind: replaced(planned.mapping.unwind, child.plan, all) };
  const expected = await expectationOf(asked, all, null, signal, mapping);
  return rowWith(expected, source, key) === null
    ? null
    : { kind: 'filtered', by: { label: `where of ${child.target.target}`, expression: where.expr }, isElement: true };
}

function replaced(plans: readonly UnwindPlan[], old: UnwindPlan, by: UnwindPlan): UnwindPlan[] {
  return plans.map((plan) => (plan === old ? by : { ...plan, unwind: replaced(plan.unwind, old, by) }));
}
