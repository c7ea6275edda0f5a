import type { z } from 'zod';
import type { Diagnostic } from '../model/diagnostic.ts';
import { diagnose } from './document.ts';
import type { ConfigDocument, Finding } from './document.ts';
import { expectedText, issueText } from './issue-text.ts';
import { knownNames } from '../model/suggest.ts';
import { isRecord, kindOf, pathKey, valueAt } from './plain-data.ts';
import type { Path } from './plain-data.ts';
import { isSecret, keysAt, memberSchemas } from './schema-walk.ts';

export interface Decoded<T> {
  /** With diagnostics: what is left when the wrong members are taken out, for checks that look further; `null` when nothing can be made of it. */
  readonly value: T | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** The value at a path of the document, checked against a schema with its defaults filled in; or every problem at its place. */
export function decode<S extends z.ZodType>(schema: S, document: ConfigDocument, path: Path): Decoded<z.output<S>> {
  return decodeValue(schema, document, { path, value: valueAt(document.data, path) });
}

/** The same for a value that stands at `path` but is not quite what is written there (a connection without `connector`). */
export function decodeValue<S extends z.ZodType>(
  schema: S,
  document: ConfigDocument,
  place: { readonly path: Path; readonly value: unknown },
): Decoded<z.output<S>> {
  const { path } = place;
  const first = schema.safeParse(place.value);
  const result = first.success ? first : schema.safeParse(withNumbersFromText(place.value, first.error.issues, document, path));
  if (result.success) return { value: result.data, diagnostics: [] };
  const issues = result.error.issues.flatMap(flattened);
  const findings = issues.flatMap((issue) => findingsOf(issue, { schema, document, path }));
  const known = findings.filter((finding) => !document.unresolved.has(pathKey(finding.path)));
  return { value: salvaged(schema, place.value, issues), diagnostics: known.map((finding) => diagnose(document, finding)) };
}

/** The value without the members that have issues, if the schema takes it so. */
function salvaged<S extends z.ZodType>(schema: S, value: unknown, issues: readonly z.core.$ZodIssue[]): z.output<S> | null {
  if (!isRecord(value)) return null;
  const wrong = new Set(
    issues.flatMap((issue): readonly PropertyKey[] =>
      issue.path.length > 0 ? issue.path.slice(0, 1) : issue.code === 'unrecognized_keys' ? issue.keys : [],
    ),
  );
  const rest = Object.fromEntries(Object.entries(value).filter(([key]) => !wrong.has(key)));
  const result = schema.safeParse(rest);
  return result.success ? result.data : null;
}

/** An environment variable is always text: where a number or a switch is wanted, its text counts as one. */
function withNumbersFromText(value: unknown, issues: readonly z.core.$ZodIssue[], document: ConfigDocument, path: Path): unknown {
  const copy: unknown = structuredClone(value);
  for (const issue of issues) {
    if (issue.code !== 'invalid_type' || !document.replaced.has(pathKey([...path, ...issue.path]))) continue;
    const parent = valueAt(copy, issue.path.slice(0, -1));
    const last = issue.path.at(-1);
    if (last === undefined || typeof parent !== 'object' || parent === null) continue;
    const members = parent as Record<PropertyKey, unknown>;
    const text = String(members[last]);
    if (issue.expected === 'boolean' && /^(?:true|false)$/.test(text)) members[last] = text === 'true';
    if ((issue.expected === 'number' || issue.expected === 'int') && /^-?\d+(?:\.\d+)?$/.test(text)) members[last] = Number(text);
  }
  return copy;
}

/** Of a union the alternative that was meant: the one whose root fits. When none fits, the union itself stays. */
function flattened(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const meant = issue.errors.find((issues) => issues.length > 0 && !issues.some(isRootMismatch));
  if (meant === undefined) return [issue];
  return meant.flatMap((inner) => flattened({ ...inner, path: [...issue.path, ...inner.path] }));
}

function isRootMismatch(issue: z.core.$ZodIssue): boolean {
  return (
    issue.path.length === 0 &&
    (issue.code === 'invalid_type' ||
      issue.code === 'invalid_value' ||
      (issue.code === 'invalid_union' && issue.errors.every((one) => one.some(isRootMismatch))))
  );
}

interface Place {
  readonly schema: z.ZodType;
  readonly document: ConfigDocument;
  readonly path: Path;
}

function findingsOf(issue: z.core.$ZodIssue, place: Place): readonly Finding[] {
  const path = [...place.path, ...(issue.path as Path)];
  const subject = subjectOf(path);
  const written = valueAt(place.document.written, path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...path, key],
      part: 'key',
      message: `unknown key '${key}'.${knownNames(key, keysAt(place.schema, issue.path))}`,
    }));
  }
  if (issue.code === 'invalid_union') return [{ path, part: 'value', message: unionText(issue, subject, written) }];
  if (isMissing(issue, written, place, path)) return [{ path: path.slice(0, -1), part: 'key', message: `${subject} is missing` }];
  const part = issue.code === 'invalid_type' && issue.expected === 'never' ? 'key' : 'value';
  return [{ path, part, message: issueText(issue, { name: subject, written, secret: isSecretPlace(place.schema, issue.path) }) }];
}

function isMissing(issue: z.core.$ZodIssue, written: unknown, place: Place, path: Path): boolean {
  if (issue.path.length === 0 || written !== undefined) return false;
  return (issue.code === 'invalid_type' || issue.code === 'invalid_value') && isRecord(valueAt(place.document.written, path.slice(0, -1)));
}

function unionText(issue: z.core.$ZodIssueInvalidUnion, subject: string, written: unknown): string {
  if (written === undefined) return `${subject} is missing`;
  const expected = new Set(issue.errors.flatMap((issues) => issues.filter((one) => one.path.length === 0)).map(expectedText));
  return `${subject} must be ${[...expected].join(' or ')}, not ${kindOf(written)}`;
}

function isSecretPlace(schema: z.ZodType, path: readonly PropertyKey[]): boolean {
  let schemas: readonly z.core.$ZodType[] = [schema];
  for (const key of path) {
    schemas = schemas.flatMap((one) => memberSchemas(one, key));
    if (schemas.some(isSecret)) return true;
  }
  return false;
}

function subjectOf(path: Path): string {
  const last = path.at(-1);
  if (last === undefined) return 'the config';
  if (typeof last === 'string') return `'${last}'`;
  const list = path.at(-2);
  return list === undefined ? `entry ${last + 1}` : `entry ${last + 1} of '${list}'`;
}
