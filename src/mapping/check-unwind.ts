import { typeText } from '../model/logical-type.ts';
import { knownNames } from '../model/suggest.ts';
import { checkFilter } from './check-filter.ts';
import { checkField } from './check-field.ts';
import { report, sourceField } from './check-context.ts';
import type { CheckContext } from './check-context.ts';
import { checkElementOthers } from './check-element-others.ts';
import type { CheckedField } from './checked-field.ts';
import { checkChildKey } from './check-child-key.ts';
import { INDEX, elementLevel, elementType, nameAbove } from './element-shape.ts';
import type { Level } from './element-shape.ts';
import type { ParsedUnwind } from './parse.ts';
import type { FilterPlan, MappingPlan, SourceValue, UnwindPlan } from './plan.ts';
import { insideType, sourceValue } from './source-path.ts';

/** Where an unwind stands: below the stream itself, or inside of the elements of another. */
export interface UnwindLevel extends Level {
  /** The key of the stream, by the names of its fields. */
  readonly sourceKey: readonly string[];
  /** Names of the positions of the levels above, outermost first. */
  readonly positions: readonly string[];
}

/** The child tables of a mapping. Problems are reported; what is returned is whole only where there were none. */
export function checkUnwind(context: CheckContext, unwind: readonly ParsedUnwind[], above: UnwindLevel): UnwindPlan[] {
  return unwind.flatMap((one) => checkOne({ ...context, mapping: one.mapping, source: above.shape }, one, above) ?? []);
}

/** What a child table is called among the streams of a lane. */
export function childStream(stream: string, target: string): string {
  return `${stream}/${target}`;
}

function checkOne(context: CheckContext, { target, path, mapping }: ParsedUnwind, above: UnwindLevel): UnwindPlan | null {
  const array = checkedArray(context, path, above);
  if (array === null) return null;
  const everything = above.shape.fields.map((field) => field.name);
  const level = elementLevel(above, { array, element: path, carries: everything });
  if (typeof level === 'string') return report(context, { path: ['path'], message: `'${path}': ${level}`, code: 'E_MAPPING_TYPE' });
  const inside: CheckContext = { ...context, source: level.shape };
  const forms = mapping.fields ?? [];
  const named = forms.flatMap(({ name, form }) => checkField(inside, name, form) ?? []);
  const below = { ...level, sourceKey: above.sourceKey, positions: belowPositions(above) };
  const unwind = checkUnwind(inside, mapping.unwind, below);
  const others = checkElementOthers(inside, { element: path, named, unwind });
  const fields = [...named, ...others.fields];
  if (fields.length === 0 && forms.length === 0 && mapping.fields !== null)
    report(inside, { path: ['fields'], part: 'key', message: "'fields' names no field" });
  const where = checkFilter(inside, mapping.where, { path: ['where'], label: 'where' });
  const key = named.length === forms.length ? checkChildKey(inside, fields, { ...below, element: path }) : { key: [], parent: [] };
  const documents = others.documents || unwind.length > 0 || named.some(({ plan }) => looksInside(plan, path));
  return {
    target,
    array,
    element: path,
    carries: carriedNames({ above: above.element, array, element: path, fields, where, unwind, everything }),
    mapping: childMapping(context, { target, fields, key: key.key, where }),
    parent: key.parent,
    documents,
    names: others.names,
    unwind,
  };
}

function looksInside(plan: CheckedField['plan'], element: string): boolean {
  return 'path' in plan && plan.from === element && plan.path.length > 0;
}

function belowPositions({ positions, element }: UnwindLevel): string[] {
  return element === null ? [] : [...positions, `${element}.${INDEX}`];
}

function checkedArray(context: CheckContext, path: string, above: UnwindLevel): SourceValue | null {
  const array = sourceValue(path, above.shape);
  if (above.element !== null && (array.from !== above.element || array.path.length === 0))
    return report(context, {
      path: ['path'],
      message: `'${path}' does not lead into the elements of '${above.element}': an array inside of them is written '${above.element}.…'`,
    });
  const field = sourceField(context, array.from, ['path']);
  if (field === null) return null;
  const inside = insideType(field.type, array.path);
  if (typeof inside === 'string')
    return report(context, {
      path: ['path'],
      message: `'${path}': ${inside} field '${array.from}' (${typeText(field.type)})`,
      code: 'E_MAPPING_TYPE',
    });
  if (elementType(inside.type) !== null) return array;
  const arrays = above.shape.fields.filter(({ type }) => elementType(type) !== null).map(({ name }) => name);
  return report(context, {
    path: ['path'],
    message: `'${path}' is ${typeText(inside.type)}, and only an array can be unwound.${knownNames(path, arrays, 'Fields that may hold one')}`,
    code: 'E_MAPPING_TYPE',
  });
}

/** What the table and those below it need of the records above, by the names there. */
function carriedNames(needs: {
  readonly above: string | null;
  readonly array: SourceValue;
  readonly element: string;
  readonly fields: readonly CheckedField[];
  readonly where: FilterPlan | null;
  readonly unwind: readonly UnwindPlan[];
  readonly everything: readonly string[];
}): string[] {
  const { above, array, element, fields, where, unwind, everything } = needs;
  const here = [...fields.flatMap(({ sources }) => sources), ...(where?.reads ?? []), ...unwind.flatMap(({ carries }) => carries)];
  const names = here.filter((name) => name !== element && name !== INDEX).map((name) => nameAbove(above, name));
  // Messages tell where an element stands by the positions of all levels.
  const wanted = new Set([...names, array.from, ...everything.filter((name) => name.endsWith(INDEX))]);
  return everything.filter((name) => wanted.has(name));
}

function childMapping(
  { stream }: CheckContext,
  parts: {
    readonly target: string;
    readonly fields: readonly CheckedField[];
    readonly key: readonly number[];
    readonly where: FilterPlan | null;
  },
): MappingPlan {
  const { target, fields, key, where } = parts;
  return {
    stream: childStream(stream, target),
    shape: { fields: fields.map(({ field }, index) => (key.includes(index) ? { ...field, nullable: false } : field)), key, open: false },
    fields: fields.map(({ plan }) => plan),
    sources: fields.map(({ sources }) => sources),
    onLoss: fields.map(({ onLoss }) => onLoss),
    reads: null,
    except: [],
    where: where === null ? [] : [where],
    deletesWhen: null,
    onExit: 'keep',
    projection: false,
    unwind: [],
    hashInput: null,
  };
}
