import type { z } from 'zod';
import { knownNames } from '../model/suggest.ts';
import { issueText } from './issue-text.ts';

export type Path = readonly (string | number)[];

export type Report = (path: Path, message: string, part?: 'key' | 'value') => void;

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Checks a value against its schema. Every problem is reported at its place. */
export function checkValue(schema: z.ZodType, value: unknown, path: Path, report: Report): boolean {
  const result = schema.safeParse(asNumbers(value));
  if (result.success) return true;
  const issues = flattened(result.error.issues);
  const misspelt = issues.filter((issue) => issue.code === 'unrecognized_keys').map((issue) => issue.path.join('.'));
  for (const issue of issues) {
    const at = [...path, ...(issue.path as (string | number)[])];
    if (issue.code === 'unrecognized_keys') {
      const known = keysAt(schema, issue.path);
      for (const key of issue.keys) report([...at, key], `'${key}' is not a key here.${knownNames(key, known)}`, 'key');
      continue;
    }
    const inside = valueAt(value, issue.path);
    // A key that is missing beside one that is unknown is the unknown one.
    if (inside === undefined && misspelt.includes(issue.path.slice(0, -1).join('.'))) continue;
    report(at, issueText(issue, at, inside));
  }
  return false;
}

/** JSON Schema knows no bigint: large integers are checked as the numbers that they are near to. What is kept is what was written. */
function asNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(asNumbers);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, asNumbers(item)]));
}

/** Of a union whose options all fail: the issues of the option that was most likely meant. */
function flattened(issues: readonly z.core.$ZodIssue[]): readonly z.core.$ZodIssue[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'invalid_union') return [issue];
    const meant = issue.errors.find((option) => option.some((inner) => inner.code === 'unrecognized_keys' || inner.path.length > 0));
    return meant === undefined ? [issue] : flattened(meant.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })));
  });
}

/** The keys that an object at a path may have. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let schemas = variants(schema);
  for (const key of path) schemas = schemas.flatMap((one) => variants(one.shape?.[String(key)]));
  return schemas.flatMap((one) => Object.keys(one.shape ?? {}));
}

/** The objects that a schema may stand for: itself, what it makes optional, the options of a union. */
function variants(schema: unknown): { readonly shape?: Readonly<Record<string, unknown>> }[] {
  if (schema === undefined) return [];
  const { shape, options, unwrap } = schema as { shape?: Record<string, unknown>; options?: readonly unknown[]; unwrap?: () => unknown };
  if (shape !== undefined) return [{ shape }];
  if (options !== undefined) return options.flatMap(variants);
  return typeof unwrap === 'function' ? variants(unwrap.call(schema)) : [];
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inside, key) => (typeof inside === 'object' && inside !== null ? (inside as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );
}
