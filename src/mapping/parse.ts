import type { z } from 'zod';
import type { Diagnostic } from '../model/diagnostic.ts';
import { knownNames } from '../model/suggest.ts';
import { parseYaml } from '../model/yaml.ts';
import type { TextPosition } from '../model/yaml.ts';
import { issueText, kindOf } from './issue-text.ts';
import { constSchema, exprSchema, fromSchema, mappingSchema } from './schema.ts';
import type { FieldForm, FromForm } from './schema.ts';

export type Path = readonly (string | number)[];

/** A mapping whose form is right. Whether it fits a stream is for `checkMapping` to say. */
export interface ParsedMapping {
  readonly file: string;
  readonly text: string;
  readonly where: string | null;
  /** In the order of the file. */
  readonly fields: readonly { readonly name: string; readonly form: FieldForm }[] | null;
  readonly key: readonly string[] | null;
  readonly otherFields: 'drop' | 'keep' | 'error' | { readonly into: string } | null;
  readonly drop: readonly string[];
  /** As written, for the plan hash. */
  readonly data: Readonly<Record<string, unknown>>;
  at(path: Path, part?: 'key' | 'value'): TextPosition;
}

export interface ParseResult {
  /** `null`: there are errors. */
  readonly mapping: ParsedMapping | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** Parses a mapping file. All problems at once, each at its place. */
export function parseMapping({ file, text }: { readonly file: string; readonly text: string }): ParseResult {
  const yaml = parseYaml(text, file, 'E_MAPPING_INVALID');
  if (yaml.diagnostics.length > 0) return { mapping: null, diagnostics: yaml.diagnostics };
  const diagnostics: Diagnostic[] = [];
  const report: Report = (path, message, part = 'value') =>
    diagnostics.push({ file, ...yaml.at(path, part), code: 'E_MAPPING_INVALID', message, severity: 'error' });
  const data = yaml.data ?? {};
  if (!isObject(data)) {
    report([], `a mapping must be keys and values, not ${kindOf(data)}`);
    return { mapping: null, diagnostics };
  }
  checkKeys(data, report);
  const fields = parseFields(data['fields'], report);
  if (diagnostics.length > 0) return { mapping: null, diagnostics: diagnostics.toSorted((a, b) => a.line - b.line || a.column - b.column) };
  const { where, key, otherFields, drop } = data as {
    where?: string;
    key?: string[];
    otherFields?: ParsedMapping['otherFields'];
    drop?: string[];
  };
  const mapping: ParsedMapping = {
    file,
    text,
    where: where ?? null,
    fields,
    key: key ?? null,
    otherFields: otherFields ?? null,
    drop: drop ?? [],
    data,
    at: yaml.at,
  };
  return { mapping, diagnostics };
}

type Report = (path: Path, message: string, part?: 'key' | 'value') => void;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Every key but `fields`, whose values are of several forms. */
function checkKeys(data: Record<string, unknown>, report: Report): void {
  const { shape } = mappingSchema;
  for (const [key, value] of Object.entries(data)) {
    if (!Object.hasOwn(shape, key)) report([key], `'${key}' is not a key of a mapping.${knownNames(key, Object.keys(shape))}`, 'key');
    else if (key === 'embed' || key === 'unwind') {
      if (!isObject(value) || Object.keys(value).length > 0) report([key], `'${key}' is not available for this target yet`, 'key');
    } else if (key !== 'fields') checkValue(shape[key as 'where'], value, [key], report);
  }
}

function parseFields(data: unknown, report: Report): ParsedMapping['fields'] {
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
  const schema = { from: fromSchema, const: constSchema, expr: exprSchema }[form];
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

function checkValue(schema: z.ZodType, value: unknown, path: Path, report: Report): boolean {
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
