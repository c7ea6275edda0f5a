import { TrueupError, isTrueupError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { compileMapping } from '../mapping/compile.ts';
import type { Mapper } from '../mapping/mapped.ts';
import type { MappingPlan } from '../mapping/plan.ts';
import type { Cell, Row } from '../model/cell.ts';
import { OP } from '../model/change.ts';
import type { Batch, StoredField, TargetStream } from '../model/contracts.ts';
import { planConversion } from '../model/conversion.ts';
import { decodedCell } from '../model/records.ts';
import type { Records } from '../model/records.ts';
import { fieldIndex } from '../model/shape.ts';
import type { Shape } from '../model/shape.ts';
import { comparedField, storedCell } from './compared-fields.ts';
import type { CellSource, ComparedField } from './compared-fields.ts';

export interface ExpectationInit {
  readonly mapping: MappingPlan;
  readonly target: TargetStream;
  /** `Target.storedAs`; `null`: the target does not say, and `scanned` decides. */
  readonly stored: readonly (StoredField | null)[] | null;
  /** The shape in which the target gives records back; `null`: it holds none, so its types are those of the mapping. */
  readonly scanned: Shape | null;
  secrets(text: string): string;
}

/** What the target should hold, field by field. */
export interface Expectation {
  /** The fields that the target stores; those of its key first, in key order. */
  readonly fields: readonly ComparedField[];
  readonly keyCount: number;
  /** Per field, where its cell stands in the mapped records and what the target makes of it. */
  readonly sources: readonly CellSource[];
  /** The mapping for records of a source shape. Everything that is filtered or deleted comes out of it as a delete with the target's key. */
  mapper(source: Shape): Mapper;
  /** The same, for records that `where` would let pass or not: what comes out as a delete counts as deleted by `deletes.when`. */
  unfiltered(source: Shape): Mapper;
  /** Child tables: what `expectedRecords` gives, as a record has any number of rows. */
  rowsOf?(batch: Batch): Expected[];
}

/** A record of the source, and what becomes of it. Cells are carriers; `key` is that of the target, in key order, as the target holds it. */
export type Expected = { readonly source: readonly Cell[] } & (
  | { readonly kind: 'record'; readonly key: readonly Cell[]; /** Aligned to `Expectation.fields`. */ readonly cells: Row }
  /** `filtered`: the mapping's `where` keeps it out. `deleted`: it counts as deleted. `key` is `null` when the mapping cannot make it. */
  | { readonly kind: 'filtered' | 'deleted'; readonly key: readonly Cell[] | null }
  /** Child tables: the record is there, and has no other rows than those that are listed. */
  | { readonly kind: 'unlisted'; readonly key: null }
  /** The mapping or the target does not take it: it would become a dead letter. */
  | { readonly kind: 'fault'; readonly key: readonly Cell[] | null; readonly code: ErrorCode; readonly message: string }
);

/** @throws {TrueupError} `E_MAPPING_TYPE` when there is no conversion to the type that the target holds */
export function expectation(init: ExpectationInit): Expectation {
  const { mapping, target } = init;
  const order = [...target.shape.key, ...target.shape.fields.keys().filter((index) => !target.shape.key.includes(index))];
  const stored = order.flatMap((index) => {
    const as = storedField(init, index);
    return as === null ? [] : [{ index, name: (target.shape.fields[index] as Shape['fields'][number]).name, ...as }];
  });
  const missing = target.shape.key.find((index) => !stored.some((one) => one.index === index));
  if (missing !== undefined)
    throw new TrueupError(
      'E_PLAN_CHANGED',
      `target '${target.target}' does not hold the key field '${target.shape.fields[missing]?.name}' of stream '${target.stream}', so its records cannot be told apart`,
    );
  const compiled = (plan: MappingPlan) => {
    const mappers = new WeakMap<Shape, Mapper>();
    return (shape: Shape): Mapper => {
      const known = mappers.get(shape) ?? compileMapping(plan, shape, (text) => init.secrets(text));
      mappers.set(shape, known);
      return known;
    };
  };
  return {
    fields: stored.map(({ name, type }) => comparedField(name, type)),
    keyCount: target.shape.key.length,
    sources: stored.map(({ index, convert }) => ({ index, convert })),
    mapper: compiled({ ...mapping, onExit: 'delete' }),
    unfiltered: compiled({ ...mapping, where: [] }),
  };
}

type Stored = Pick<ComparedField, 'type'> & Pick<CellSource, 'convert'>;

function storedField({ mapping, target, stored, scanned }: ExpectationInit, index: number): Stored | null {
  const field = target.shape.fields[index] as Shape['fields'][number];
  if (stored !== null) {
    const as = stored[index] ?? null;
    return as === null ? null : { type: as.type, convert: (cell) => as.convert(cell) };
  }
  if (scanned === null) return { type: field.type, convert: null };
  const found = scanned.fields[fieldIndex(scanned, field.name)];
  if (found === undefined) return null;
  const plan = planConversion({
    from: field.type,
    to: found.type,
    onLoss: mapping.onLoss[index] ?? 'error',
    place: `field '${field.name}'`,
  });
  if (plan.kind === 'same') return { type: found.type, convert: null };
  if (plan.kind === 'impossible')
    throw new TrueupError(
      'E_MAPPING_TYPE',
      `field '${field.name}' of stream '${target.stream}': what target '${target.target}' holds cannot be compared: ${plan.loss ?? ''}`,
    );
  return { type: found.type, convert: (cell) => plan.convert(cell, () => undefined) };
}

/**
 * What the target should hold of every record of a source batch, in the order of the batch: record by record, for few of them. Whatever the source
 * itself could not read is not in it.
 */
export function expectedRecords(expected: Expectation, batch: Batch): Expected[] {
  if (expected.rowsOf !== undefined) return expected.rowsOf(batch);
  const { batch: mapped, origin, rejected } = expected.mapper(batch.shape).map(batch);
  const found: Expected[] = [];
  const source = (index: number) => keyCells(batch, batch.records.rows()[index] as Row);
  const isDeleted = deletedRecords(expected, batch);
  mapped.records.rows().forEach((row, place) => {
    const index = origin?.[place] ?? place;
    const op = mapped.ops?.[place] ?? OP.upsert;
    found[index] =
      op === OP.delete
        ? { kind: isDeleted(index) ? 'deleted' : 'filtered', source: source(index), key: targetKey(expected, mapped.records, row) }
        : { source: source(index), ...recordOf(expected, mapped.records, row) };
  });
  for (const { index, code, message } of rejected)
    found[index] = { kind: 'fault', source: source(index), key: keyOfFaulty(expected, batch, index), code, message };
  return found.filter((one) => one !== undefined);
}

/** Which records of a batch count as deleted by themselves, whether `where` lets them pass or not. */
function deletedRecords({ unfiltered }: Expectation, batch: Batch): (index: number) => boolean {
  let deleted: Set<number> | null = null;
  return (index) => {
    if (deleted === null) {
      const { batch: mapped, origin } = unfiltered(batch.shape).map(batch);
      deleted = new Set();
      for (let place = 0; place < mapped.records.count; place++)
        if (mapped.ops?.[place] === OP.delete) deleted.add(origin?.[place] ?? place);
    }
    return deleted.has(index);
  };
}

export function recordOf(
  expected: Expectation,
  records: Records,
  row: Row,
): { readonly kind: 'record'; readonly key: readonly Cell[]; readonly cells: Row } | Omit<Extract<Expected, { kind: 'fault' }>, 'source'> {
  try {
    const cells = expected.sources.map((source) => storedCell(records, row, source));
    return { kind: 'record', key: cells.slice(0, expected.keyCount), cells };
  } catch (error) {
    if (!isTrueupError(error) || error.fault !== 'record') throw error;
    return { kind: 'fault', key: targetKey(expected, records, row), code: error.code, message: error.message };
  }
}

/** The target's key of a mapped record; `null` when one of its cells does not fit. */
export function targetKey({ sources, keyCount }: Expectation, records: Records, row: Row): Cell[] | null {
  try {
    return sources.slice(0, keyCount).map((source) => storedCell(records, row, source));
  } catch (error) {
    if (isTrueupError(error) && error.fault === 'record') return null;
    throw error;
  }
}

/** The target's key of a record that the mapping refuses, which may be good all the same: a delete of it needs the key alone. */
export function keyOfFaulty(expected: Expectation, batch: Batch, index: number): Cell[] | null {
  const mapped = mappedKey(expected, batch, index);
  return mapped === null ? null : targetKey(expected, mapped.records, mapped.row);
}

/** The key fields of one record, mapped as its delete would be. `null`: they are at fault. */
export function mappedKey(expected: Expectation, batch: Batch, index: number): { readonly records: Records; readonly row: Row } | null {
  const one: Batch = { ...batch, records: batch.records.slice(index, index + 1), ops: Uint8Array.of(OP.delete) };
  const { records } = expected.mapper(batch.shape).map(one).batch;
  const [row] = records.rows();
  return row === undefined ? null : { records, row };
}

export function keyCells({ shape, records }: Pick<Batch, 'shape' | 'records'>, row: Row): Cell[] {
  return shape.key.map((field) => decodedCell(records, row, field));
}
