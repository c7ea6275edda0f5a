import type { Cell, Row } from '../model/cell.ts';
import { fieldIndex } from '../model/shape.ts';
import type { Shape } from '../model/shape.ts';
import { INDEX } from './element-shape.ts';
import type { FieldPlan, UnwindPlan } from './plan.ts';

/*
 * Where an element stands, for people: `items[3].parts[0]`. What compiled fields say of it holds `[#]` for a position, which only the record at
 * hand knows.
 */

export interface ElementPlace {
  readonly target: string;
  /** The ways to the elements of this level and of those above, by the names of the elements: `items` → `items[#]`. */
  readonly ways: ReadonlyMap<string, string>;
  readonly element: string;
  /** Where the positions of the levels stand in the records, outermost first. */
  readonly positions: readonly number[];
}

/** @param over the level above */
export function elementPlace(over: ElementPlace | null, { element, target }: UnwindPlan, shape: Shape): ElementPlace {
  const above = over === null ? '' : (over.ways.get(over.element) as string);
  const way = `${above}${element.slice(over?.element.length ?? 0)}[#]`;
  const ways = new Map([...(over?.ways ?? []), [element, way]]);
  const names = [...ways.keys()].map((name) => (name === element ? INDEX : `${name}.${INDEX}`));
  return { target, ways, element, positions: names.map((name) => fieldIndex(shape, name)) };
}

/** What fields of the table are called in messages. */
export function placeNamer({ ways, element }: ElementPlace): (name: string, plan: FieldPlan) => string {
  return (name, plan) => {
    const of = 'from' in plan && typeof plan.from === 'string' ? plan.from : plan.kind === 'expr' ? element : '';
    const way = ways.get(of);
    if (way === undefined) return `field '${name}'`;
    const inner = 'path' in plan ? plan.path.map((part) => `.${part}`).join('') : '';
    return `field '${name}' (${way}${inner})`;
  };
}

/** A message with the positions of a record of the level in it, and the name of the table before it. */
export function filledPlace({ target, ways, element, positions }: ElementPlace, row: Row, message: string, named = true): string {
  const way = ways.get(element) as string;
  const whole = [...ways.values()].some((one) => message.includes(one))
    ? message
    : message.includes('[#]')
      ? message.replace('[#]', way)
      : `${way}: ${message}`;
  let at = 0;
  const cells: readonly Cell[] = positions.map((index) => row[index]);
  const text = whole.replaceAll('[#]', () => `[${String(cells[at++] as number)}]`);
  return named ? `${target}: ${text}` : text;
}
