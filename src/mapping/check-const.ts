import { isTrueupError } from '../errors.ts';
import { typeText } from '../model/logical-type.ts';
import { fitsType } from './checked-field.ts';
import type { CheckedField } from './checked-field.ts';
import { namedType, report } from './check-context.ts';
import type { CheckContext } from './check-context.ts';
import { literalText, literalType } from './literal.ts';
import type { Path } from './check-value.ts';
import type { ConstForm } from './schema.ts';

export function checkConst(context: CheckContext, name: string, form: ConstForm): CheckedField | null {
  const path: Path = ['fields', name, 'const'];
  const named = namedType(context, form.type, ['fields', name, 'type']);
  const type = named ?? literalType([form.const]);
  if (named === null) return null;
  if (type === null) return report(context, { path, message: `field '${name}': a const of null needs a 'type'` });
  const text = literalText(context.mapping, form.const, path);
  if (text !== null) {
    const resolved = resolvedText(context, text, path);
    if (resolved === null) return null;
    if (!fitsType(type, resolved))
      return report(context, { path, message: `field '${name}': the const is no ${typeText(type)}`, code: 'E_MAPPING_TYPE' });
  }
  return { field: { name, type, nullable: text === null }, plan: { kind: 'const', type, text }, sources: [], onLoss: context.onLoss };
}

/** With its references to secrets replaced; `null` with the problem reported when one has no value. */
export function resolvedText(context: CheckContext, text: string, path: Path): string | null {
  if (!text.includes('${')) return text;
  try {
    return context.secrets(text);
  } catch (error) {
    if (!isTrueupError(error)) throw error;
    return report(context, { path, message: error.message, code: error.code });
  }
}
