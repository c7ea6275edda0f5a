import { TrueupError } from '../errors.ts';
import type { Batch } from '../model/contracts.ts';
import { sameType, typeText } from '../model/logical-type.ts';
import type { Shape } from '../model/shape.ts';
import { compileField, compileFilter, fieldNamed, indexOf } from './compile-field.ts';
import type { CompileContext } from './compile-field.ts';
import type { Column, CompiledMapping } from './compiled.ts';
import { mapBatch } from './map-batch.ts';
import { mapLate } from './map-late.ts';
import type { Mapper } from './mapped.ts';
import type { MappingPlan } from './plan.ts';

/**
 * Compiles a checked mapping for records of a shape, which may hold fewer fields than the one that was checked, in another order.
 *
 * @throws {TrueupError} `E_PLAN_CHANGED` when a field that the plan relies on is gone or has another type; `E_CONFIG_SECRET`
 */
export function compileMapping(
  plan: MappingPlan,
  source: Shape,
  secrets: (text: string) => string,
  placeOf?: CompileContext['placeOf'],
): Mapper {
  const context: CompileContext = { source, stream: plan.stream, secrets, ...(placeOf === undefined ? {} : { placeOf }) };
  const columns = plan.fields.map((_field, index) => compileColumn(context, plan, index));
  const filters = plan.where.map((filter) => compileFilter(context, filter));
  const conditions = plan.deletesWhen === null ? plan.where : [...plan.where, plan.deletesWhen];
  const compiled: CompiledMapping = {
    plan,
    columns,
    isIdentity: columns.length === source.fields.length && columns.every((column, index) => column.source === index),
    passes: filters.length === 0 ? null : (row) => filters.every((passes) => passes(row)),
    isDeleted: plan.deletesWhen === null ? null : compileFilter(context, plan.deletesWhen),
    conditionFields: conditions.flatMap((filter) => filter.reads.map((name) => indexOf(context, name))),
  };
  return {
    shape: plan.shape,
    map: (batch: Batch, { exits } = { exits: true }) => mapBatch(compiled, batch, exits),
    mapLate: (batch: Batch) => mapLate(compiled, batch),
  };
}

function compileColumn(context: CompileContext, plan: MappingPlan, index: number): Column {
  const field = plan.shape.fields[index] as MappingPlan['shape']['fields'][number];
  const fieldPlan = plan.fields[index] as MappingPlan['fields'][number];
  if (fieldPlan.kind !== 'copy') {
    const sources = (plan.sources[index] ?? []).map((name) => indexOf(context, name));
    return { source: null, compute: compileField(context, field.name, fieldPlan), sources, inKey: plan.shape.key.includes(index) };
  }
  const found = fieldNamed(context, fieldPlan.from);
  if (!sameType(found.field.type, field.type)) {
    throw new TrueupError(
      'E_PLAN_CHANGED',
      `stream '${plan.stream}': the field '${fieldPlan.from}' is ${typeText(found.field.type)} now, no longer ${typeText(field.type)}`,
    );
  }
  return { source: found.index, compute: null };
}
