import { typeText } from '../../../src/sdk.ts';
import type { Cell, LogicalType, Variant } from '../../../src/sdk.ts';
import { BSON, rawElements } from '../bson/read.ts';
import type { RawValue } from '../bson/read.ts';
import { ID } from './layout.ts';
import { typedCell } from '../native.ts';

/** Where documents of a target hold their fields: names that are fields, and sub-documents on the way to fields. `mark`: of deleted documents. */
export type FieldTree = ReadonlyMap<string, FieldNode>;
type FieldNode = FieldTree | 'field' | 'mark';

export function fieldTree(paths: readonly (readonly string[])[], mark: readonly string[] | null = null): FieldTree {
  const root = new Map<string, FieldNode>();
  for (const path of paths) place(root, path, 'field');
  if (mark !== null) place(root, mark, 'mark');
  return root;
}

function place(root: Map<string, FieldNode>, path: readonly string[], node: FieldNode): void {
  let at = root;
  for (const name of path.slice(0, -1)) {
    const inner = at.get(name);
    const next = new Map<string, FieldNode>(inner instanceof Map ? (inner as FieldTree) : []);
    at.set(name, next);
    at = next;
  }
  at.set(path.at(-1) as string, node);
}

interface Part {
  readonly name: string;
  readonly type: LogicalType;
  readonly cell: Cell;
}

/**
 * What `*` holds of a document: names that are no field, sub-documents of fields that are empty, and fields that are there and null. Where fields are taken out of
 * a document the order of its names is not kept, so there they come in an order of their own; everywhere else in the order of the document.
 *
 * @throws {TrueupError} `E_RECORD_VALUE` for what is no BSON
 */
export function restCell(document: RawValue, tree: FieldTree): Variant | null {
  const parts = partsOf(document, tree);
  return parts.length === 0 ? null : { variant: typeText(structOf(parts)), value: parts.map(({ cell }) => cell) };
}

function partsOf(document: RawValue, tree: FieldTree): Part[] {
  const parts = rawElements(document).flatMap(({ name, value }) => partOf(name, value, tree.get(name)) ?? []);
  const isApart = [...tree.keys()].some((name) => name !== ID);
  return isApart ? parts.sort((a, b) => (a.name < b.name ? -1 : 1)) : parts;
}

function partOf(name: string, value: RawValue, node: FieldNode | undefined): Part | null {
  if (node === 'mark') return null;
  if (node === 'field') return value.type === BSON.null && name !== ID ? wholePart(name, value) : null;
  if (node === undefined || value.type !== BSON.document) return wholePart(name, value);
  const inner = partsOf(value, node);
  return inner.length === 0 && rawElements(value).length > 0 ? null : { name, type: structOf(inner), cell: inner.map(({ cell }) => cell) };
}

function wholePart(name: string, value: RawValue): Part {
  const typed = typedCell(value);
  return { name, type: typed?.type ?? 'variant', cell: typed?.cell ?? null };
}

function structOf(parts: readonly Part[]): LogicalType {
  return { struct: parts.map(({ name, type }) => ({ name, type, nullable: true })) };
}
