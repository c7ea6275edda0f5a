import type { Layout, Node } from '../document/layout.ts';

/** What becomes of the values of one name of a document. */
export interface Step {
  readonly name: Buffer;
  /** Among the names of its level, in the order in which documents mostly have them. */
  readonly position: number;
  readonly kind: 'field' | 'branch' | 'skip';
  /** Of a field: where it stands in the shape, -1: it is not delivered. */
  readonly slot: number;
  /** Of a field: null there is a value like any other. */
  readonly keepsNull: boolean;
  /** Of a branch. */
  readonly level: Level | null;
}

/** The names of a document, or of the sub-documents at one path. */
export interface Level {
  /** With its dot; empty for the document itself. */
  readonly path: string;
  readonly steps: readonly Step[];
  readonly byName: ReadonlyMap<string, Step>;
}

/** @param slots where the fields stand in the shape, by name; @param except paths that are never delivered */
export function linePlan(layout: Layout, slots: ReadonlyMap<string, number>, except: ReadonlySet<string>): Level {
  return levelOf(layout.names, '', { slots, except });
}

interface Plan {
  readonly slots: ReadonlyMap<string, number>;
  readonly except: ReadonlySet<string>;
}

function levelOf(names: ReadonlyMap<string, Node>, path: string, plan: Plan): Level {
  const steps = [...names].map(([name, node], position): Step => {
    const step = { name: Buffer.from(name), position, kind: 'skip', slot: -1, keepsNull: false, level: null } as const;
    if (plan.except.has(path + name)) return step;
    if (node.kind === 'branch') return { ...step, kind: 'branch', level: levelOf(node.names, `${path}${name}.`, plan) };
    return { ...step, kind: 'field', slot: plan.slots.get(node.field) ?? -1, keepsNull: node.field !== '_id' };
  });
  return { path, steps, byName: new Map([...names.keys()].map((name, position) => [name, steps[position] as Step])) };
}
