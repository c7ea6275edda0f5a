import { knownNames } from '../model/suggest.ts';
import { report } from './check-context.ts';
import type { CheckContext } from './check-context.ts';
import { distinctness, reasonOf } from './check-key.ts';
import type { CheckedField } from './checked-field.ts';
import { INDEX } from './element-shape.ts';

/*
 * The rows of a child table are replaced within their record, and a delete carries the key of the record alone. So the key of the table holds all of
 * the source's key, in fields that are made of nothing else; what remains of it tells the elements of one record apart.
 */

export interface ChildKey {
  /** Indices of the fields that make the key, in key order. */
  readonly key: readonly number[];
  /** Those of them that carry the key of the source. */
  readonly parent: readonly number[];
}

export interface ChildKeyLevel {
  readonly element: string;
  readonly sourceKey: readonly string[];
  /** Names of the positions of the levels above. */
  readonly positions: readonly string[];
}

const NOTHING: ChildKey = { key: [], parent: [] };

export function checkChildKey(context: CheckContext, fields: readonly CheckedField[], level: ChildKeyLevel): ChildKey {
  const key = context.mapping.key === null ? carriedKey(fields, level) : namedKey(context, fields, context.mapping.key);
  if (key === null) return NOTHING;
  const parent = key.filter((index) => carriesParent(fields[index], level));
  const missing = level.sourceKey.filter((name) => !parent.some((index) => fields[index]?.sources.includes(name) === true));
  const at = { path: ['key'], code: 'E_MAPPING_KEY' } as const;
  if (missing.length > 0) {
    const names = missing.map((name) => `'${name}'`).join(', ');
    const example = `record_${(missing[0] ?? '').replaceAll(/\W|^_/g, '')}`;
    report(context, {
      ...at,
      message: `the key has no field that carries ${names}, the key of source stream '${context.stream}', so the rows of a record cannot be found again. Add for example '${example}: ${missing[0]}' to the fields${context.mapping.key === null ? '' : ' and to the key'}`,
    });
    return NOTHING;
  }
  for (const index of parent) checkDistinct(context, fields[index] as CheckedField);
  if (parent.length === key.length) {
    report(context, {
      ...at,
      message: `the key holds nothing that tells the elements of one array apart, so there could be but one row a record. Add for example 'line_no: "${INDEX}"' to the fields${context.mapping.key === null ? '' : ' and to the key'}`,
    });
    return NOTHING;
  }
  checkPositions(context, fields, { key, parent, level });
  return { key, parent };
}

function carriesParent(checked: CheckedField | undefined, { sourceKey, element }: ChildKeyLevel): boolean {
  return (
    checked !== undefined &&
    checked.sources.length > 0 &&
    checked.sources.every((name) => sourceKey.includes(name) && name !== element && name !== INDEX)
  );
}

/** Fields that carry the key of the source, and every position. */
function carriedKey(fields: readonly CheckedField[], level: ChildKeyLevel): number[] {
  const carriers = level.sourceKey.flatMap((name) => {
    const found = fields.findIndex((one) => carriesParent(one, level) && one.sources.includes(name) && distinctness(one) === 'yes');
    return found < 0 ? [] : [found];
  });
  return [...new Set(carriers), ...fields.keys().filter((index) => isPosition(fields[index]))];
}

function isPosition(checked: CheckedField | undefined): boolean {
  return checked?.sources.length === 1 && (checked.sources[0] as string).endsWith(INDEX) && distinctness(checked) !== 'no';
}

function namedKey(context: CheckContext, fields: readonly CheckedField[], key: readonly string[]): number[] | null {
  const indices = key.map((name, index) => {
    const found = fields.findIndex((one) => one.field.name === name);
    if (found < 0) {
      const names = fields.map((one) => one.field.name);
      const message = `'${name}' is not a field of the child table.${knownNames(name, names, 'Fields')}`;
      report(context, { path: ['key', index], message, code: 'E_MAPPING_KEY' });
    }
    return found;
  });
  return indices.includes(-1) ? null : indices;
}

function checkDistinct(context: CheckContext, checked: CheckedField): void {
  const distinct = distinctness(checked);
  if (distinct === 'yes') return;
  const { name } = checked.field;
  const message =
    distinct === 'no'
      ? `key field '${name}': ${reasonOf(checked)}, so the rows of different records would become one`
      : `key field '${name}' is computed: make sure that different keys of the source never give the same value`;
  report(context, {
    path: ['fields', name],
    message,
    code: 'E_MAPPING_KEY',
    ...(distinct === 'no' ? {} : { severity: 'warning' as const }),
  });
}

/** Positions alone tell elements apart only with those of all levels. */
function checkPositions(
  context: CheckContext,
  fields: readonly CheckedField[],
  { key, parent, level }: ChildKey & { readonly level: ChildKeyLevel },
): void {
  const rest = key.filter((index) => !parent.includes(index));
  if (!rest.every((index) => isPosition(fields[index]))) return;
  const used = rest.map((index) => fields[index]?.sources[0]);
  const missing = [...level.positions, INDEX].filter((name) => !used.includes(name));
  if (missing.length === 0) return;
  report(context, {
    path: ['key'],
    message: `the key leaves out ${missing.map((name) => `'${name}'`).join(', ')}, so elements of different arrays of one record would become one row`,
    code: 'E_MAPPING_KEY',
  });
}
