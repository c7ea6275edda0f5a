import type { Field, LogicalType } from '../../src/sdk.ts';

/*
 * Types of sub-documents and lists, each made once, so that its text is made once and two of them are compared by identity. Documents of a collection
 * repeat few types; where names are data there are as many types as documents, and then those that were made are forgotten.
 */

/** The type of a sub-document that holds these names so far. */
export interface StructNode {
  readonly type: { readonly struct: readonly Field[] };
  readonly next: Map<string, Map<LogicalType, StructNode>>;
}

const MAX_KNOWN = 4_000;

let root = emptyStruct();
let known = 0;
let lists = new Map<LogicalType, LogicalType>();

function emptyStruct(): StructNode {
  return { type: { struct: [] }, next: new Map() };
}

/** Of a sub-document without names. */
export function structRoot(): StructNode {
  if (known < MAX_KNOWN) return root;
  known = 0;
  root = emptyStruct();
  lists = new Map();
  return root;
}

/** With one name more. */
export function withName(node: StructNode, name: string, type: LogicalType): StructNode {
  const found = node.next.get(name)?.get(type);
  if (found !== undefined) return found;
  const made: StructNode = { type: { struct: [...node.type.struct, { name, type, nullable: true }] }, next: new Map() };
  const byType = node.next.get(name) ?? new Map<LogicalType, StructNode>();
  byType.set(type, made);
  node.next.set(name, byType);
  known++;
  return made;
}

export function listType(list: LogicalType): LogicalType {
  const found = lists.get(list);
  if (found !== undefined) return found;
  const made: LogicalType = { list };
  lists.set(list, made);
  return made;
}
