import type { ComputeCell } from './compile-field.ts';
import type { MappingPlan } from './plan.ts';
import type { RowContext } from './row-context.ts';

/** A plan bound to the shape of the records, ready to run. */
export interface CompiledMapping {
  readonly plan: MappingPlan;
  readonly columns: readonly Column[];
  /** Every column is the same field at the same place, so a row is its own mapping. */
  readonly isIdentity: boolean;
  readonly passes: ((context: RowContext) => boolean) | null;
  readonly isDeleted: ((context: RowContext) => boolean) | null;
  /** Source fields that the two conditions look at. */
  readonly conditionFields: readonly number[];
}

/** `source`: what a copy copies. `compute`: everything else; `sources`: the fields that it looks at. */
export type Column =
  | { readonly source: number; readonly compute: null }
  | { readonly source: null; readonly compute: ComputeCell; readonly sources: readonly number[]; readonly inKey: boolean };
