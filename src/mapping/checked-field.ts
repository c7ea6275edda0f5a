import { isTrueupError } from '../errors.ts';
import { cellFromText } from '../model/cell-text.ts';
import type { OnLoss } from '../model/contracts.ts';
import type { Field, LogicalType } from '../model/logical-type.ts';
import type { Path } from './check-value.ts';
import type { FieldPlan } from './plan.ts';
import type { FromForm } from './schema.ts';

/** A field of the mapped shape, and how it comes about. */
export interface CheckedField {
  readonly field: Field;
  readonly plan: FieldPlan;
  readonly sources: readonly string[];
  readonly onLoss: OnLoss;
}

/** What a field of the mapping is made from. */
export interface SourceOfField {
  readonly name: string;
  readonly form: FromForm;
  /** Where the field stands in the file. */
  readonly path: Path;
  readonly from: string;
  readonly inner: readonly string[];
  /** Of what lies at `inner`. */
  readonly type: LogicalType;
  readonly nullable: boolean;
}

export function finished(
  value: SourceOfField,
  plan: FieldPlan,
  { type, onLoss, nullable = value.nullable }: { readonly type: LogicalType; readonly onLoss: OnLoss; readonly nullable?: boolean },
): CheckedField {
  return { field: { name: value.name, type, nullable: nullable || onLoss === 'null' }, plan, sources: [value.from], onLoss };
}

/** Whether a text stands for a value of a type. */
export function fitsType(type: LogicalType, text: string): boolean {
  try {
    cellFromText(type, text);
    return true;
  } catch (error) {
    if (!isTrueupError(error)) throw error;
    return false;
  }
}
