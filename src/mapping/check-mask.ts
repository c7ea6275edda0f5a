import { resolvedText } from './check-const.ts';
import { report } from './check-context.ts';
import type { CheckContext } from './check-context.ts';
import { finished } from './checked-field.ts';
import type { CheckedField, SourceOfField } from './checked-field.ts';
import type { MaskPlan } from './plan.ts';
import type { FromForm } from './schema.ts';

export function checkMask(context: CheckContext, value: SourceOfField, mask: NonNullable<FromForm['mask']>): CheckedField | null {
  const plan = typeof mask === 'string' ? ({ by: mask } as const) : checkKey(context, value, mask.hmac);
  if (plan === null) return null;
  return finished(
    value,
    { kind: 'mask', from: value.from, path: value.inner, mask: plan },
    { type: 'text', onLoss: value.form.onLoss ?? context.onLoss },
  );
}

function checkKey(context: CheckContext, { name, path }: SourceOfField, key: string): MaskPlan | null {
  const at = [...path, 'mask', 'hmac'];
  if (!key.replaceAll('$${', '').includes('${')) {
    return report(context, {
      path: at,
      message: `field '${name}': a key does not belong in the file; name it as \${NAME} or \${file:PATH}`,
      code: 'E_MAPPING_INVALID',
    });
  }
  return resolvedText(context, key, at) === null ? null : { by: 'hmac', key };
}
