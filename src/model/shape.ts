import { sameType } from './logical-type.ts';
import type { Field } from './logical-type.ts';

/**
 * The fields of a stream and its key. A new shape object stands for changed fields, so readers compare
 * identity first (`===`) and content only when it differs.
 */
export interface Shape {
  readonly fields: readonly Field[];
  /** Indices into `fields`, in key order. Empty: no key. */
  readonly key: readonly number[];
  /** Documents: fields that are not listed travel in a last field named `*`. */
  readonly open: boolean;
}

/** The index of a field, or -1. */
export function fieldIndex(shape: Shape, name: string): number {
  return shape.fields.findIndex((field) => field.name === name);
}

export function keyNames(shape: Shape): string[] {
  return shape.key.map((index) => (shape.fields[index] as Field).name);
}

/** Whether two shapes describe the same records: names, order, logical and native types, nullability and key. */
export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.open !== b.open || a.fields.length !== b.fields.length || a.key.join() !== b.key.join()) return false;
  return a.fields.every((field, index) => {
    const other = b.fields[index] as Field;
    return (
      field.name === other.name &&
      field.nullable === other.nullable &&
      field.native?.type === other.native?.type &&
      sameType(field.type, other.type)
    );
  });
}
