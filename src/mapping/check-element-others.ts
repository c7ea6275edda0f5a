import { fieldIndex } from '../model/shape.ts';
import { report } from './check-context.ts';
import type { CheckContext } from './check-context.ts';
import type { CheckedField } from './checked-field.ts';
import type { UnwindPlan } from './plan.ts';

export interface ElementOthers {
  readonly fields: readonly CheckedField[];
  /** Whether the elements must be documents for it. */
  readonly documents: boolean;
  /** The names that an element may have; `null`: any. */
  readonly names: readonly string[] | null;
}

interface Element {
  readonly element: string;
  readonly named: readonly CheckedField[];
  readonly unwind: readonly UnwindPlan[];
}

const NONE: ElementOthers = { fields: [], documents: false, names: null };

/** What `otherFields` makes of the fields of an element that no field is made `from`. */
export function checkElementOthers(context: CheckContext, of: Element): ElementOthers {
  const { mapping } = context;
  const policy = mapping.otherFields ?? (mapping.fields === null ? 'keep' : 'drop');
  if (policy === 'drop') return NONE;
  const { type } = context.source.fields[fieldIndex(context.source, of.element)] as (typeof context.source.fields)[number];
  const taken = takenNames(of);
  const members = typeof type !== 'string' && 'struct' in type ? type.struct : null;
  const path = mapping.otherFields === null ? [] : ['otherFields'];
  if (policy === 'error') {
    const others = members?.filter(({ name }) => !taken.includes(name)) ?? [];
    if (others.length > 0)
      report(context, {
        path,
        message: `elements of '${of.element}' have fields that the mapping does not name: ${others.map(({ name }) => name).join(', ')}`,
      });
    return { fields: [], documents: true, names: taken };
  }
  if (policy !== 'keep') return { fields: intoField(context, { into: policy.into, taken, of }), documents: true, names: null };
  if (members === null) {
    report(context, {
      path,
      message: `what elements of '${of.element}' hold is only known once they are read, so their fields cannot become columns by themselves. Name them under 'fields', and take the rest with 'otherFields: { into: … }'`,
      code: 'E_MAPPING_TYPE',
    });
    return NONE;
  }
  const kept = members.filter(({ name }) => !taken.includes(name) && !of.named.some(({ field }) => field.name === name));
  const { onLoss } = context;
  const fields = kept.map(({ name, type: to }): CheckedField => ({
    field: { name, type: to, nullable: true },
    plan: { kind: 'cast', from: of.element, path: [name], to, onLoss, zone: null },
    sources: [of.element],
    onLoss,
  }));
  return { fields, documents: true, names: null };
}

/** Names inside of the element that a field is made from, or that are unwound themselves. */
function takenNames({ element, named, unwind }: Element): string[] {
  const values = [...named.map(({ plan }) => plan), ...unwind.map(({ array }) => array)];
  return values.flatMap((value) => ('path' in value && value.from === element ? value.path.slice(0, 1) : []));
}

function intoField(
  context: CheckContext,
  { into, taken, of }: { readonly into: string; readonly taken: readonly string[]; readonly of: Element },
): CheckedField[] {
  if (of.named.some(({ field }) => field.name === into)) {
    report(context, { path: ['otherFields', 'into'], message: `'${into}' is a field of the child table already` });
    return [];
  }
  const { onLoss } = context;
  return [
    {
      field: { name: into, type: 'json', nullable: false },
      plan: { kind: 'others', from: of.element, without: taken, onLoss },
      sources: [of.element],
      onLoss,
    },
  ];
}
