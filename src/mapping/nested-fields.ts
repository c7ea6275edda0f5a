import type { Cell } from '../model/cell.ts';
import type { Field } from '../model/logical-type.ts';
import { splitPath } from './source-path.ts';

/** Fields whose names are paths (`customer.name`), as the fields of a document. */
export interface NestedFields {
  readonly fields: readonly Field[];
  /** The cells of the document from those of the flat fields. */
  nest(cells: readonly Cell[]): Cell[];
}

interface Branch {
  readonly names: Map<string, Leaf | Branch>;
}

interface Leaf {
  readonly index: number;
}

/** A text says which name cannot stand beside which. */
export function nestFields(flat: readonly Field[]): NestedFields | string {
  const root: Branch = { names: new Map() };
  for (const [index, { name }] of flat.entries()) {
    const path = splitPath(name);
    const last = path.pop() as string;
    const at = branchAt(root, path);
    if (at === null || at.names.has(last)) return name;
    at.names.set(last, { index });
  }
  return { fields: fieldsOf(root, flat), nest: nester(root) };
}

function nester({ names }: Branch): (cells: readonly Cell[]) => Cell[] {
  const nodes = [...names.values()].map((node) => ('index' in node ? node.index : nester(node)));
  const isFlat = nodes.every((node, index) => node === index);
  return (cells) =>
    isFlat && cells.length === nodes.length && !cells.includes(undefined)
      ? (cells as Cell[])
      : nodes.map((node) => (typeof node === 'number' ? (cells[node] ?? null) : node(cells)));
}

/** `null`: a field stands where the path leads through. */
function branchAt(root: Branch, path: readonly string[]): Branch | null {
  let at = root;
  for (const name of path) {
    const next = at.names.get(name) ?? { names: new Map<string, Leaf | Branch>() };
    if ('index' in next) return null;
    at.names.set(name, next);
    at = next;
  }
  return at;
}

function fieldsOf(branch: Branch, flat: readonly Field[]): Field[] {
  return [...branch.names].map(([name, node]) =>
    'index' in node ? { ...(flat[node.index] as Field), name } : { name, type: { struct: fieldsOf(node, flat) }, nullable: false },
  );
}
