import { cellFromText, cellToText } from '../model/cell-text.ts';
import { typeText } from '../model/logical-type.ts';
import type { LogicalType } from '../model/logical-type.ts';
import { finished, fitsType } from './checked-field.ts';
import type { CheckedField, SourceOfField } from './checked-field.ts';
import { namedType, report } from './check-context.ts';
import type { CheckContext } from './check-context.ts';
import { literalText, literalType } from './literal.ts';
import type { FieldPlan } from './plan.ts';

export function checkLookup(context: CheckContext, value: SourceOfField, lookup: Readonly<Record<string, unknown>>): CheckedField | null {
  const { name, form, path } = value;
  const hasDefault = Object.hasOwn(form, 'default');
  const named = namedType(context, form.type, [...path, 'type']);
  if (named === null) return null;
  const to = named ?? literalType([...Object.values(lookup), ...(hasDefault ? [form.default] : [])]);
  if (to === null)
    return report(context, {
      path: [...path, 'lookup'],
      message: `field '${name}': the values of the lookup have no type in common; name a 'type'`,
      code: 'E_MAPPING_TYPE',
    });
  const entries = Object.entries(lookup).map(([key, item]): readonly [string, string | null] => [
    keyText(context, value, key),
    resultText(context, value, to, item, ['lookup', key]),
  ]);
  const fallback = hasDefault ? { fallback: resultText(context, value, to, form.default, ['default']) } : {};
  const plan: FieldPlan = { kind: 'lookup', from: value.from, path: value.inner, to, entries, ...fallback };
  const nullable = entries.some(([, text]) => text === null) || (hasDefault ? fallback.fallback === null : value.nullable);
  return finished(value, plan, { type: to, onLoss: form.onLoss ?? context.onLoss, nullable });
}

/** Keys are compared by the canonical text of the source's type. */
function keyText(context: CheckContext, { name, path, type }: SourceOfField, key: string): string {
  if (type === 'json' || type === 'variant') return key;
  if (!fitsType(type, key)) {
    report(context, {
      path: [...path, 'lookup', key],
      part: 'key',
      message: `field '${name}': '${key}' is no ${typeText(type)}, so nothing is ever looked up there`,
      code: 'E_MAPPING_TYPE',
    });
    return key;
  }
  return cellToText(type, cellFromText(type, key)) as string;
}

function resultText(
  context: CheckContext,
  { name, path }: SourceOfField,
  to: LogicalType,
  item: unknown,
  inner: readonly string[],
): string | null {
  const at = [...path, ...inner];
  const text = literalText(context.mapping, item, at);
  if (text !== null && !fitsType(to, text))
    report(context, { path: at, message: `field '${name}': the value is no ${typeText(to)}`, code: 'E_MAPPING_TYPE' });
  return text;
}
