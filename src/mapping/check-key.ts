import { keyNames } from '../model/shape.ts';
import { knownNames } from '../model/suggest.ts';
import type { CheckedField } from './checked-field.ts';
import { report } from './check-context.ts';
import type { CheckContext } from './check-context.ts';
import type { Path } from './check-value.ts';

/*
 * Two records of the source must never become one record of the target, and a delete, which carries only the key, must find the record. So the
 * key of the target is computed from key fields of the source alone, uses all of them, and gives different keys for different ones.
 */

/** Whether different values of the source always give different values. */
export type Distinct = 'yes' | 'no' | 'unknown';

export function distinctness({ plan, onLoss }: CheckedField): Distinct {
  switch (plan.kind) {
    case 'copy':
    case 'shift':
      return 'yes';
    case 'cast':
      if (plan.path.length > 0) return 'no';
      return onLoss === 'error' ? 'yes' : 'no';
    case 'mask':
      return plan.path.length === 0 && (plan.mask.by === 'hmac' || plan.mask.by === 'sha256') ? 'yes' : 'no';
    case 'lookup': {
      const results = plan.entries.map(([, text]) => text);
      return plan.path.length === 0 && plan.fallback === undefined && !results.includes(null) && new Set(results).size === results.length
        ? 'yes'
        : 'no';
    }
    case 'expr':
      return /^\s*string\(\s*[A-Za-z_]\w*\s*\)\s*$/.test(plan.expr) ? 'yes' : 'unknown';
    case 'const':
    case 'rest':
    case 'others':
      return 'no';
  }
}

/** Indices of the fields that make the key of the target, in key order. Problems are reported. */
export function checkKey(context: CheckContext, fields: readonly CheckedField[]): number[] {
  const sourceKey = keyNames(context.source);
  if (sourceKey.length === 0) return [];
  const { key } = context.mapping;
  return key === null ? carriedKey(context, fields, sourceKey) : namedKey(context, fields, { key, sourceKey });
}

function carriedKey(context: CheckContext, fields: readonly CheckedField[], sourceKey: readonly string[]): number[] {
  const carriers = sourceKey.map((name) => carrierOf(fields, name));
  if (!carriers.includes(-1)) return carriers;
  const computed = fields.findIndex(
    ({ plan, sources }) =>
      plan.kind === 'expr' &&
      sources.length > 0 &&
      sourceKey.every((name) => sources.includes(name)) &&
      sources.every((name) => sourceKey.includes(name)),
  );
  if (computed >= 0) return namedKey(context, fields, { key: [(fields[computed] as CheckedField).field.name], sourceKey });
  const missing = sourceKey.filter((_name, index) => carriers[index] === -1);
  const message = `no field carries the key field${missing.length > 1 ? 's' : ''} '${missing.join("', '")}' of source stream '${context.stream}', so records cannot be told apart and deletes cannot be found. Add for example '${missing[0]}: ${missing[0]}'${nearMiss(fields, missing)}`;
  report(context, { path: ['fields'], part: 'key', message, code: 'E_MAPPING_KEY' });
  return [];
}

function nearMiss(fields: readonly CheckedField[], missing: readonly string[]): string {
  const near = fields.find((one) => distinctness(one) === 'no' && one.sources.some((name) => missing.includes(name)));
  return near === undefined ? '' : `. ('${near.field.name}' does not serve: ${reasonOf(near)})`;
}

export function reasonOf({ plan }: CheckedField): string {
  if (plan.kind === 'mask') return `the mask ${plan.mask.by} makes different keys equal`;
  if (plan.kind === 'lookup') return 'its lookup makes different keys equal, or has a default';
  return 'different keys may become equal';
}

/** The field that holds the value of one key field: a copy first. */
function carrierOf(fields: readonly CheckedField[], name: string): number {
  const carries = ({ sources }: CheckedField) => sources.length === 1 && sources[0] === name;
  const copy = fields.findIndex((one) => carries(one) && one.plan.kind === 'copy');
  return copy >= 0 ? copy : fields.findIndex((one) => carries(one) && distinctness(one) === 'yes');
}

function namedKey(
  context: CheckContext,
  fields: readonly CheckedField[],
  { key, sourceKey }: { readonly key: readonly string[]; readonly sourceKey: readonly string[] },
): number[] {
  const indices = key.map((name, index) => {
    const at: Path = context.mapping.key === null ? ['fields', name] : ['key', index];
    const found = fields.findIndex((one) => one.field.name === name);
    const checked = fields[found];
    if (checked === undefined)
      report(context, {
        path: at,
        message: `'${name}' is not a field of the mapping.${knownNames(
          name,
          fields.map((one) => one.field.name),
          'Fields',
        )}`,
        code: 'E_MAPPING_KEY',
      });
    else checkKeyField(context, checked, { at, sourceKey });
    return found;
  });
  const used = new Set(indices.flatMap((index) => fields[index]?.sources ?? []));
  const unused = sourceKey.filter((name) => !used.has(name));
  if (unused.length > 0 && !indices.includes(-1)) {
    report(context, {
      path: ['key'],
      message: `the key leaves out the key field${unused.length > 1 ? 's' : ''} '${unused.join("', '")}' of the source, so different records would become one`,
      code: 'E_MAPPING_KEY',
    });
  }
  return indices.filter((index) => index >= 0);
}

function checkKeyField(
  context: CheckContext,
  checked: CheckedField,
  { at, sourceKey }: { readonly at: Path; readonly sourceKey: readonly string[] },
): void {
  const { name } = checked.field;
  const foreign = checked.sources.find((source) => !sourceKey.includes(source));
  if (foreign !== undefined) {
    report(context, {
      path: at,
      message: `key field '${name}' is computed from '${foreign}', which is not in the key of the source (${sourceKey.join(', ')}): a delete carries the key alone, so its record could not be found`,
      code: 'E_MAPPING_KEY',
    });
    return;
  }
  const distinct = distinctness(checked);
  if (distinct === 'no' && checked.plan.kind !== 'const')
    report(context, {
      path: at,
      message: `key field '${name}': ${reasonOf(checked)}, so different records would become one`,
      code: 'E_MAPPING_KEY',
    });
  if (distinct === 'unknown') {
    report(context, {
      path: at,
      message: `key field '${name}' is computed: make sure that different keys of the source never give the same value`,
      code: 'E_MAPPING_KEY',
      severity: 'warning',
    });
  }
}
