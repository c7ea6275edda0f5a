import { BSON, rawElements } from '../bson/read.ts';
import type { RawValue } from '../bson/read.ts';

/** Where a document holds the values of some paths, aligned to them. `null`: nothing is there. Of a name that stands twice the first one counts. */
export type FindValues = (document: RawValue) => (RawValue | null)[];

interface Branch {
  /** Indices of the paths that end here. */
  readonly ends: number[];
  readonly names: Map<string, Branch>;
}

/**
 * Looks at every name of a document once, however many paths there are.
 *
 * The function throws `E_RECORD_VALUE` for what is no BSON.
 */
export function valueFinder(paths: readonly (readonly string[])[]): FindValues {
  const root: Branch = { ends: [], names: new Map() };
  for (const [index, path] of paths.entries()) branchAt(root, path).ends.push(index);
  return (document) => {
    const found: (RawValue | null)[] = paths.map(() => null);
    fill(found, root, document);
    return found;
  };
}

function branchAt(root: Branch, path: readonly string[]): Branch {
  let at = root;
  for (const name of path) {
    const next: Branch = at.names.get(name) ?? { ends: [], names: new Map() };
    at.names.set(name, next);
    at = next;
  }
  return at;
}

/** From the last name to the first, so that the first one has the last word. */
function fill(found: (RawValue | null)[], { names }: Branch, document: RawValue): void {
  const elements = rawElements(document);
  for (let index = elements.length - 1; index >= 0; index--) {
    const { name, value } = elements[index] as (typeof elements)[number];
    const node = names.get(name);
    if (node === undefined) continue;
    for (const end of node.ends) found[end] = value;
    if (node.names.size === 0) continue;
    clear(found, node);
    if (value.type === BSON.document) fill(found, node, value);
  }
}

function clear(found: (RawValue | null)[], { names }: Branch): void {
  for (const node of names.values()) {
    for (const end of node.ends) found[end] = null;
    clear(found, node);
  }
}
