import { elementName } from '../bson/sink.ts';
import { ID } from './layout.ts';
import { isDotted, pathOf } from './path.ts';
import type { DocumentPlan } from './document.ts';

/** What a document holds under a name: a place of the plan, the mark of deleted documents (as null), or a sub-document of these. */
export type DocumentNode =
  | { readonly kind: 'place'; readonly name: Uint8Array; readonly place: number }
  | { readonly kind: 'mark'; readonly name: Uint8Array }
  | { readonly kind: 'document'; readonly name: Uint8Array; readonly nodes: readonly DocumentNode[] };

interface Branch {
  readonly names: Map<string, Branch | Exclude<DocumentNode, { kind: 'document' }>>;
}

/** All but `_id`, which comes first, in the order of the places. */
export function wholeTree(plan: DocumentPlan): readonly DocumentNode[] {
  const root: Branch = { names: new Map() };
  for (const [place, { path }] of plan.places.entries())
    if (isHeld(plan, place)) put(root, path, { kind: 'place', name: elementName(path.at(-1) as string), place });
  if (plan.mark !== null) {
    const path = pathOf(plan.mark);
    put(root, path, { kind: 'mark', name: elementName(path.at(-1) as string) });
  }
  return nodesOf(root);
}

/** The same values, each under the path that an update names it by; without those that none can name. */
export function updateNodes(plan: DocumentPlan): readonly DocumentNode[] {
  const nodes = plan.places.flatMap(({ name, path }, place): DocumentNode[] =>
    isHeld(plan, place) && name !== plan.mark && !isDotted(path) ? [{ kind: 'place', name: elementName(name), place }] : [],
  );
  return plan.mark === null ? nodes : [...nodes, { kind: 'mark', name: elementName(plan.mark) }];
}

function isHeld({ places, key, rest }: DocumentPlan, place: number): boolean {
  return place !== rest && !(key.length === 1 && places[place]?.name === ID);
}

function put(root: Branch, path: readonly string[], node: Exclude<DocumentNode, { kind: 'document' }>): void {
  let at = root;
  for (const name of path.slice(0, -1)) {
    const known = at.names.get(name);
    const next: Branch = known !== undefined && 'names' in known ? known : { names: new Map() };
    at.names.set(name, next);
    at = next;
  }
  at.names.set(path.at(-1) as string, node);
}

function nodesOf({ names }: Branch): DocumentNode[] {
  return [...names].map(([name, node]): DocumentNode =>
    'names' in node ? { kind: 'document', name: elementName(name), nodes: nodesOf(node) } : node,
  );
}
