import type { Field, LogicalType } from '../model/logical-type.ts';
import type { Shape } from '../model/shape.ts';
import { fieldIndex } from '../model/shape.ts';
import { insideType } from './source-path.ts';
import type { UnwindPlan } from './plan.ts';

/** The position of the element at hand in its array, from 0. Those of the levels above: `items.@index`. */
export const INDEX = '@index';

/** What an array is unwound from: records of a stream, or elements of the level above. */
export interface Level {
  readonly shape: Shape;
  /** What the element is called whose array is unwound; `null`: the records of the stream. */
  readonly element: string | null;
}

/** The type of the elements; `null`: it is no array. */
export function elementType(type: LogicalType): LogicalType | null {
  if (type === 'variant' || type === 'json') return type;
  return typeof type !== 'string' && 'list' in type ? type.list : null;
}

/** The elements of an array as records: what they need of the records above, the element, and its position. A text says why there is no array. */
export function elementLevel(above: Level, { array, element, carries }: Pick<UnwindPlan, 'array' | 'element' | 'carries'>): Level | string {
  const field = above.shape.fields[fieldIndex(above.shape, array.from)];
  if (field === undefined) return `'${array.from}' is not there`;
  const inside = insideType(field.type, array.path);
  if (typeof inside === 'string') return inside;
  const type = elementType(inside.type);
  if (type === null) return 'it is no array';
  const carried = carriedFields(above, { element, carries }).map(({ name, field: of }): Field => ({ ...of, name }));
  const fields = [...carried, { name: element, type, nullable: true }, { name: INDEX, type: 'int32' as const, nullable: false }];
  return { shape: { fields, key: [], open: false }, element };
}

/** What is carried from the records above, with the names that it has beside the element. */
export function carriedFields(
  { shape, element: above }: Level,
  { element, carries }: Pick<UnwindPlan, 'element' | 'carries'>,
): { readonly name: string; readonly index: number; readonly field: Field }[] {
  return shape.fields.flatMap((field, index) =>
    carries.includes(field.name) && field.name !== element ? [{ name: nameBelow(above, field.name), index, field }] : [],
  );
}

function nameBelow(above: string | null, name: string): string {
  return name === INDEX && above !== null ? `${above}.${INDEX}` : name;
}

/** The name that a carried field has in the records above. */
export function nameAbove(above: string | null, name: string): string {
  return above !== null && name === `${above}.${INDEX}` ? INDEX : name;
}
