import { TrueupError, isTrueupError } from '../errors.ts';
import type { Row } from '../model/cell.ts';
import { planConversion } from '../model/conversion.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import { decodedCell } from '../model/records.ts';
import type { Records } from '../model/records.ts';
import { fieldIndex } from '../model/shape.ts';
import type { Shape } from '../model/shape.ts';
import { compileFilter } from './compile-field.ts';
import { compileExpression } from './expression/compile.ts';
import { ExpressionProblem } from './expression/fault.ts';
import { celTypeText } from './expression/value.ts';
import type { FilterPlan, MappingPlan } from './plan.ts';

/*
 * A condition over fields of the source that is asked of records of the target. Only fields that reach the target as plain copies can be read back
 * there, so it may look at nothing else.
 */

export interface ScopePlan {
  readonly filter: FilterPlan;
  /** The fields that it looks at, as the source has them. */
  readonly source: Shape;
  /** Where each of them stands in the target. */
  readonly target: readonly string[];
}

export interface ScopeRequest {
  readonly expr: string;
  readonly source: Shape;
  readonly mapping: MappingPlan;
  readonly at: { readonly file: string; readonly line: number; readonly column: number };
}

const LABEL = 'deletes.compare.scope';

export function checkScope({ expr, source, mapping, at }: ScopeRequest): {
  readonly plan: ScopePlan | null;
  readonly diagnostics: readonly Diagnostic[];
} {
  const refused = (code: Diagnostic['code'], message: string) => ({
    plan: null,
    diagnostics: [{ severity: 'error' as const, code, message: `'${LABEL}': ${message}`, ...at }],
  });
  let expression: ReturnType<typeof compileExpression>;
  try {
    expression = compileExpression({ text: expr, source, stream: mapping.stream });
  } catch (error) {
    if (error instanceof ExpressionProblem) return refused(error.code, error.message);
    throw error;
  }
  if (expression.type !== 'bool' && expression.type !== 'dyn')
    return refused('E_MAPPING_TYPE', `it must give true or false, not ${celTypeText(expression.type)}`);
  const copies = expression.reads.map((name) => mapping.fields.findIndex((field) => field.kind === 'copy' && field.from === name));
  const lost = expression.reads[copies.indexOf(-1)];
  if (lost !== undefined)
    return refused(
      'E_CONFIG_INVALID',
      `the mapping does not carry '${lost}' to the target unchanged, so records of the target cannot be told apart by it. Map it under any name, or leave it out of the scope`,
    );
  const fields = source.fields.filter((field) => expression.reads.includes(field.name));
  return {
    plan: {
      filter: { expr, reads: expression.reads, label: LABEL },
      source: { fields, key: [], open: false },
      target: fields.map(({ name }) => mapping.shape.fields[copies[expression.reads.indexOf(name)] as number]?.name ?? name),
    },
    diagnostics: [],
  };
}

/** Whether a record of the target is within the scope. `undefined`: what it holds there does not stand for values of the source. */
export type InScope = (records: Records, row: Row) => boolean | undefined;

/** @param scanned the shape of the records, in which the target gives the fields of the scope back */
export function compileScope(plan: ScopePlan, scanned: Shape): InScope {
  const passes = compileFilter({ source: plan.source, stream: LABEL, secrets: (text) => text }, plan.filter);
  const columns = plan.source.fields.map((field, position) => {
    const name = plan.target[position] as string;
    const index = fieldIndex(scanned, name);
    const stored = scanned.fields[index];
    if (stored === undefined)
      throw new TrueupError('E_PLAN_CHANGED', `'${LABEL}' looks at field '${name}' of the target, which is not there any more`);
    return { index, back: planConversion({ from: stored.type, to: field.type, onLoss: 'error', place: `field '${name}'` }) };
  });
  return (records, row) => {
    try {
      const cells = columns.map(({ index, back }) => back.convert(decodedCell(records, row, index), () => undefined));
      return passes({ row: cells, decoders: [] });
    } catch (error) {
      if (isTrueupError(error) && (error.fault === 'record' || error.code === 'E_MAPPING_TYPE')) return undefined;
      throw error;
    }
  };
}
