import { jsonToCell, parsedJson } from '../model/cell-json.ts';
import type { Cell, Variant } from '../model/cell.ts';
import type { ExactJson } from '../model/exact-json.ts';
import { typeText } from '../model/logical-type.ts';
import type { LogicalType } from '../model/logical-type.ts';
import { namedType } from './named-type.ts';
import { fieldIndex } from '../model/shape.ts';
import type { Shape } from '../model/shape.ts';

/** `a.b\.c` → `['a', 'b.c']`: dots part the names, a dot inside a name is written `\.`. */
export function splitPath(text: string): string[] {
  return text.split(/(?<!\\)\./).map((part) => part.replaceAll('\\.', '.'));
}

/** The field and the way into it. Names of fields may have dots (`customer.address`): the longest one that the text begins with is meant. */
export function sourceValue(text: string, source: Shape): { readonly from: string; readonly path: readonly string[] } {
  const parts = splitPath(text);
  for (let length = parts.length; length > 1; length--) {
    const from = parts.slice(0, length).join('.');
    if (fieldIndex(source, from) >= 0) return { from, path: parts.slice(length) };
  }
  const [from = '', ...path] = parts;
  return { from, path };
}

/** One step into a struct or a list, or all the rest of the way into json or a value that names its own type. */
type Step =
  | { readonly into: 'cell'; readonly index: number }
  | { readonly into: 'json'; readonly names: readonly string[] }
  | { readonly into: 'variant'; readonly names: readonly string[] };

export interface Inside {
  /** The type of what is there: `json` from the first step into json on, and `variant` likewise. */
  readonly type: LogicalType;
  readonly steps: readonly Step[];
}

/** Follows a path through a type. A text says why it cannot be followed. */
export function insideType(type: LogicalType, path: readonly string[]): Inside | string {
  const steps: Step[] = [];
  let current = type;
  for (const [depth, name] of path.entries()) {
    if (current === 'json' || current === 'variant')
      return { type: current, steps: [...steps, { into: current, names: path.slice(depth) }] };
    const next = stepInto(current, name);
    if (next === null) return `there is nothing named '${name}' inside`;
    steps.push({ into: 'cell', index: next.index });
    current = next.type;
  }
  return { type: current, steps };
}

function stepInto(type: LogicalType, name: string): { readonly index: number; readonly type: LogicalType } | null {
  if (typeof type === 'string') return null;
  if ('list' in type) return /^\d{1,9}$/.test(name) ? { index: Number(name), type: type.list } : null;
  const index = type.struct.findIndex((field) => field.name === name);
  return index < 0 ? null : { index, type: (type.struct[index] as { type: LogicalType }).type };
}

/**
 * What lies at the steps, as a cell of `as` where they lead into json, else of the type that is there. What is not there is NULL.
 *
 * @throws {TrueupError} `E_RECORD_VALUE` or `E_RECORD_LOSS`
 */
export function followSteps(cell: Cell, steps: readonly Step[], as: LogicalType, place: string): Cell {
  let current = cell;
  for (const step of steps) {
    if (current === null || current === undefined) return current;
    if (step.into === 'json') return jsonToCell(as, jsonAt(parsedJson(current as string, place), step.names), place);
    if (step.into === 'variant') return variantAt(current as Variant, step.names);
    current = (current as readonly Cell[])[step.index] ?? null;
  }
  return current;
}

function jsonAt(json: ExactJson, names: readonly string[]): ExactJson {
  let current = json;
  for (const name of names) {
    if (current instanceof Map) current = (current as ReadonlyMap<string, ExactJson>).get(name) ?? null;
    else if (Array.isArray(current) && /^\d{1,9}$/.test(name)) current = (current as readonly ExactJson[])[Number(name)] ?? null;
    else return null;
  }
  return current;
}

/** A list position or the name of a field at each step. */
function variantAt(variant: Variant, names: readonly string[]): Variant | null {
  let current: Variant | null = variant;
  for (const name of names) {
    if (current === null) return null;
    const inside = namedStep(current.variant, name);
    if (inside === null) return null;
    const cell: Cell = (current.value as readonly Cell[])[inside.index];
    if (cell === null || cell === undefined) return null;
    current = inside.text === 'variant' ? (cell as Variant) : { variant: inside.text, value: cell };
  }
  return current;
}

interface NamedStep {
  readonly index: number;
  /** Of the type that is there. */
  readonly text: string;
}

/** Documents of a collection repeat few types, and are asked for the same names again and again. */
const MAX_KNOWN = 2_000;
const steps = new Map<string, Map<string, NamedStep | null>>();

function namedStep(type: string, name: string): NamedStep | null {
  const known = steps.get(type);
  const found = known?.get(name);
  if (found !== undefined) return found;
  const named = namedType(type);
  const inside = named === null ? null : stepInto(named, name);
  const step = inside === null ? null : { index: inside.index, text: typeText(inside.type) };
  if (steps.size >= MAX_KNOWN || (known !== undefined && known.size >= MAX_KNOWN)) steps.clear();
  const byName = steps.get(type) ?? new Map<string, NamedStep | null>();
  byName.set(name, step);
  steps.set(type, byName);
  return step;
}
