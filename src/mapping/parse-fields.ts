import { checkValue, isObject } from './check-value.ts';
import type { Path, Report } from './check-value.ts';
import { kindOf } from './issue-text.ts';
import { constSchema, exprSchema, fromSchema } from './schema.ts';
import type { FieldForm, FromForm } from './schema.ts';

export interface ParsedField {
  readonly name: string;
  readonly form: FieldForm;
}

/** In the order of the file; `null`: there are none, or they are no keys and values. */
export function parseFields(data: unknown, report: Report): readonly ParsedField[] | null {
  if (data === undefined) return null;
  if (!isObject(data)) {
    report(['fields'], `'fields' must be keys and values, not ${kindOf(data)}`);
    return null;
  }
  return Object.entries(data).flatMap(([name, value]) => {
    const form = parseForm(value, ['fields', name], report);
    return form === null ? [] : [{ name, form }];
  });
}

function parseForm(value: unknown, path: Path, report: Report): FieldForm | null {
  if (typeof value === 'string' && value !== '') return { form: 'from', data: { from: value }, short: true };
  const form = isObject(value) ? (['expr', 'const', 'from'] as const).find((one) => Object.hasOwn(value, one)) : undefined;
  if (form === undefined) {
    report(
      path,
      `field '${path[1]}' must be the name of a source field, or one of { from: … }, { const: … }, { expr: … }${isObject(value) ? '' : `, not ${kindOf(value)}`}`,
    );
    return null;
  }
  const schema = { from: fromSchema, const: constSchema, expr: exprSchema }[form]();
  if (!checkValue(schema, value, path, report)) return null;
  if (form === 'from' && !checkCombination(value as FromForm, path, report)) return null;
  return { form, data: value } as unknown as FieldForm;
}

/** What cannot stand together. */
function checkCombination(form: FromForm, path: Path, report: Report): boolean {
  const changes = (['shift', 'lookup', 'mask', 'zone'] as const).filter((one) => form[one] !== undefined);
  if (changes.length > 1)
    report(
      [...path, changes[1] as string],
      `'${changes.join("' and '")}' cannot stand together; make one of them a field of its own`,
      'key',
    );
  else if (Object.hasOwn(form, 'default') && form.lookup === undefined)
    report([...path, 'default'], `'default' belongs to 'lookup'`, 'key');
  else if (form.mask !== undefined && form.type !== undefined && form.type !== 'text')
    report([...path, 'type'], `a masked value is text, so 'type' must be text`);
  else return true;
  return false;
}
