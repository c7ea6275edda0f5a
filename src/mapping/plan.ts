import type { Json } from '../model/json.ts';
import type { LogicalType } from '../model/logical-type.ts';
import type { OnLoss } from '../model/contracts.ts';
import type { Shape } from '../model/shape.ts';

/** A checked mapping: frozen plain data that survives JSON. Secrets stand in it as the references that were written, never as values. */
export interface MappingPlan {
  readonly stream: string;
  /** What it yields; its key is the key of the target. */
  readonly shape: Shape;
  /** How each field of `shape` comes about. */
  readonly fields: readonly FieldPlan[];
  /** Per field of `shape`: the source fields that it is made of. */
  readonly sources: readonly (readonly string[])[];
  /** Per field of `shape`. */
  readonly onLoss: readonly OnLoss[];
  /** The source fields that it needs; `null`: all of them, those that are added later included. */
  readonly reads: readonly string[] | null;
  /** Source fields that are never read. */
  readonly except: readonly string[];
  /** All must pass. */
  readonly where: readonly FilterPlan[];
  /** Where it is true the record counts as deleted. */
  readonly deletesWhen: FilterPlan | null;
  /** What becomes of a record that does not pass `where`. */
  readonly onExit: 'delete' | 'keep';
  /** Nothing but renaming, reordering and leaving out: the cells travel as they are. */
  readonly projection: boolean;
  /** Child tables that are written together with the records. */
  readonly unwind: readonly UnwindPlan[];
  /** What the plan hash covers: what was written, without shapes and without secrets. */
  readonly hashInput: Json;
}

/** An array whose elements become rows of a child table. */
export interface UnwindPlan {
  /** The child table. */
  readonly target: string;
  /** Where the array is in the records that hold it: those of the stream, or the elements of the level above. */
  readonly array: SourceValue;
  /** What the element is called in `mapping`: the path as written. */
  readonly element: string;
  /** Fields of the records above that the table or a deeper one needs. */
  readonly carries: readonly string[];
  /** What an element becomes: a mapping whose source is `elementShape`. */
  readonly mapping: MappingPlan;
  /** Fields of the child table that carry the key of the record, and nothing else. */
  readonly parent: readonly number[];
  /** Whether something looks inside of the elements, so that they must be documents. */
  readonly documents: boolean;
  /** The names that a document may have. `null`: any. */
  readonly names: readonly string[] | null;
  /** Arrays inside of the elements. */
  readonly unwind: readonly UnwindPlan[];
}

/** Whether every record of this source shape passes and is its own mapping, names apart. */
export function leavesAsItIs({ fields, where, deletesWhen, unwind }: MappingPlan, source: Shape): boolean {
  if (where.length > 0 || unwind.length > 0 || deletesWhen !== null || fields.length !== source.fields.length) return false;
  return fields.every((field, index) => field.kind === 'copy' && field.from === source.fields[index]?.name);
}

export interface FilterPlan {
  readonly expr: string;
  readonly reads: readonly string[];
  /** For messages: `where`. */
  readonly label: string;
}

/** A value of the source: a field, or what lies inside it. */
export interface SourceValue {
  readonly from: string;
  /** Names and list positions inside the field; empty: the field itself. */
  readonly path: readonly string[];
}

export type FieldPlan =
  | { readonly kind: 'copy'; readonly from: string }
  /** `text`: the canonical text, references to secrets included; `null`: NULL. */
  | { readonly kind: 'const'; readonly type: LogicalType; readonly text: string | null }
  | ({ readonly kind: 'cast'; readonly to: LogicalType; readonly onLoss: OnLoss; readonly zone: string | null } & SourceValue)
  /** Moves the decimal point by `places`, exactly. */
  | ({ readonly kind: 'shift'; readonly places: number; readonly to: LogicalType; readonly onLoss: OnLoss } & SourceValue)
  /** Texts of values and what stands for them. `fallback`: for every other value, NULL included; absent: another value is a record fault. */
  | ({
      readonly kind: 'lookup';
      readonly to: LogicalType;
      readonly entries: readonly (readonly [string, string | null])[];
      readonly fallback?: string | null;
    } & SourceValue)
  | ({ readonly kind: 'mask'; readonly mask: MaskPlan } & SourceValue)
  | { readonly kind: 'expr'; readonly expr: string; readonly reads: readonly string[]; readonly to: LogicalType; readonly onLoss: OnLoss }
  /** The other fields as one JSON object. */
  | { readonly kind: 'rest'; readonly from: readonly string[]; readonly onLoss: OnLoss }
  /** What the document in a field holds beside some names, as one JSON object. */
  | { readonly kind: 'others'; readonly from: string; readonly without: readonly string[]; readonly onLoss: OnLoss };

export type MaskPlan =
  | { readonly by: 'sha256' | 'redact' | 'last4' }
  | { readonly by: 'hmac'; /** As written: a reference to a secret. */ readonly key: string };
