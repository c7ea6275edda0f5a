import { compileMapping } from '../mapping/compile.ts';
import type { Cell, Row } from '../model/cell.ts';
import { cellToText } from '../model/cell-text.ts';
import { OP } from '../model/change.ts';
import type { Batch } from '../model/contracts.ts';
import type { LogicalType } from '../model/logical-type.ts';
import { cellRecords } from '../model/records.ts';
import { fieldIndex } from '../model/shape.ts';
import type { Shape } from '../model/shape.ts';
import type { JobContext } from '../pipeline/job-context.ts';
import type { PlannedStream } from '../pipeline/plan/plan.ts';
import { sameCanonical } from '../reconcile/canonical.ts';
import { storedCell } from '../reconcile/compared-fields.ts';
import { expectedRecords } from '../reconcile/expected.ts';
import type { Expectation } from '../reconcile/expected.ts';
import type { Becomes, LeftOutBy } from './why-facts.ts';
import type { WhyField } from './why-report.ts';

/** What the job makes of one record of the source. */
export interface ExpectedRecord {
  readonly becomes: Becomes;
  /** Of the target, as it holds it; `null`: the mapping cannot make it. */
  readonly key: readonly Cell[] | null;
  /** As the target is to hold them, aligned to the fields that are compared; `null`: it is to hold no such record. */
  readonly cells: Row | null;
}

/** What becomes of a record of the source; `batch` holds it alone. */
export function expectedRecord(context: JobContext, planned: PlannedStream, expected: Expectation, batch: Batch): ExpectedRecord {
  const [found] = expectedRecords(expected, batch);
  switch (found?.kind) {
    case 'unlisted':
    case undefined:
      return { becomes: { kind: 'fault', code: 'E_BUG', message: 'the mapping made nothing of the record' }, key: null, cells: null };
    case 'record':
      return { becomes: { kind: 'record' }, key: found.key, cells: found.cells };
    case 'deleted':
    case 'filtered':
      return { becomes: { kind: found.kind, by: leftOutBy(context, planned, batch, found.kind) }, key: found.key, cells: null };
    case 'fault':
      return { becomes: { kind: 'fault', code: found.code, message: found.message }, key: found.key, cells: null };
  }
}

/** A record of which the key alone is known, which is all that the key of the target is made of. */
export function keyRecord(shape: Shape, stream: string, key: readonly Cell[]): Batch {
  const row: Cell[] = shape.fields.map(() => undefined);
  shape.key.forEach((field, index) => (row[field] = key[index]));
  return {
    stream,
    shape,
    records: cellRecords({ rows: [row], bytes: 0 }),
    ops: Uint8Array.of(OP.delete),
    distinctKeys: true,
    cursor: null,
    position: { text: '' },
  };
}

/** A record of the target, aligned to the fields that are compared; `batch` holds it alone. */
export function actualCells({ fields }: Expectation, { records, shape }: Batch): Row {
  const row = records.rows()[0] as Row;
  return fields.map(({ name }) => {
    const index = fieldIndex(shape, name);
    // What the target is yet to get is NULL once it has it.
    return index < 0 ? null : storedCell(records, row, { index, convert: null });
  });
}

/** Field by field, by value; the key's fields first. */
export function comparedCells({ fields }: Expectation, expected: Row | null, actual: Row | null): WhyField[] {
  if (expected === null && actual === null) return [];
  return fields.map(({ name, type, canonical }, index) => ({
    field: name,
    ...(expected === null ? {} : { expected: textOf(type, expected[index]) }),
    ...(actual === null ? {} : { actual: textOf(type, actual[index]) }),
    equal: expected !== null && actual !== null && sameCanonical(canonical(expected[index]), canonical(actual[index])),
  }));
}

/** A record as it is, field by name, in canonical texts. */
export function recordTexts({ shape, records }: Pick<Batch, 'shape' | 'records'>): Record<string, string | null> {
  const row = records.rows()[0] as Row;
  return Object.fromEntries(
    shape.fields.map(({ name, type }, index) => [name, textOf(type, storedCell(records, row, { index, convert: null }))]),
  );
}

/** Text that no carrier of its type can hold came as it stands in the source, and is shown so. */
function textOf(type: LogicalType, cell: Cell): string | null {
  return typeof cell === 'string' && typeof type !== 'string' ? cell : cellToText(type, cell);
}

/** The condition that keeps a record out, the first of several. */
export function leftOutBy(context: JobContext, { mapping }: PlannedStream, batch: Batch, kind: 'deleted' | 'filtered'): LeftOutBy {
  const isFailed = (filter: (typeof mapping.where)[number]): boolean => {
    const alone = { ...mapping, where: [filter], deletesWhen: null, onExit: 'keep' } as const;
    return compileMapping(alone, batch.shape, (text) => context.secrets(text)).map(batch, { exits: false }).filtered > 0;
  };
  const by = kind === 'deleted' ? mapping.deletesWhen : mapping.where.find(isFailed);
  return { label: by?.label ?? 'where', expression: by?.expr ?? '' };
}
