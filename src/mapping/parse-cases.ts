import { z } from 'zod';
import { ERROR_CODES, isTrueupError } from '../errors.ts';
import { jsonToCell } from '../model/cell-json.ts';
import { cellFromText } from '../model/cell-text.ts';
import type { Cell } from '../model/cell.ts';
import type { OnLoss } from '../model/contracts.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import { parseExactJson } from '../model/exact-json.ts';
import type { Field, LogicalType } from '../model/logical-type.ts';
import { typeText } from '../model/logical-type.ts';
import type { Shape } from '../model/shape.ts';
import { knownNames } from '../model/suggest.ts';
import { parseType } from '../model/type-text.ts';
import { parseYaml } from '../model/yaml.ts';
import type { ParsedYaml } from '../model/yaml.ts';
import { issueText } from './issue-text.ts';
import { literalText } from './literal.ts';
import type { Path } from './check-value.ts';

/** One case: a record of the source and what must become of it. */
export interface MappingCase {
  readonly name: string;
  readonly op: 'upsert' | 'patch' | 'delete';
  readonly input: ReadonlyMap<string, Cell>;
  readonly expect: Expectation;
}

/** Expected cells are kept as written: their types are those of the mapped fields. */
export type Expectation =
  | { readonly kind: 'row'; readonly row: ReadonlyMap<string, string | null> }
  | { readonly kind: 'filtered' | 'delete' | 'look-up' }
  | { readonly kind: 'fault'; readonly code: string };

export interface CaseFile {
  readonly stream: string;
  readonly source: Shape;
  readonly secrets: ReadonlyMap<string, string>;
  readonly onLoss: OnLoss;
  readonly where: string | null;
  readonly deletesWhen: string | null;
  readonly onExit: 'delete' | 'keep';
  readonly cases: readonly MappingCase[];
}

const record = z.record(z.string(), z.unknown());

export const caseFileSchema = z
  .strictObject({
    stream: z.string().min(1).meta({ description: 'The stream that messages name. Default: source.' }).optional(),
    source: z.record(z.string().min(1), z.string()).meta({ description: 'The fields of the source and their types.' }),
    key: z.array(z.string().min(1)).min(1).meta({ description: 'The key of the source. Default: its first field.' }).optional(),
    secrets: z.record(z.string(), z.string()).meta({ description: 'What `${NAME}` stands for in these cases.' }).optional(),
    onLoss: z.enum(['error', 'text', 'truncate', 'null']).optional(),
    where: z.string().meta({ description: 'The `where` of the stream in the config.' }).optional(),
    deletes: z.strictObject({ when: z.string() }).optional(),
    onExit: z.enum(['delete', 'keep']).optional(),
    cases: z
      .array(
        z.strictObject({
          name: z.string().min(1),
          op: z.enum(['upsert', 'patch', 'delete']).optional(),
          input: record.meta({
            description:
              'The cells of the record: text in canonical form, or JSON. Fields that are left out are NULL, in a patch or delete absent.',
          }),
          expect: z.union([z.enum(['filtered', 'delete', 'look-up']), z.string().regex(/^E_[A-Z_]+$/), record]).meta({
            description:
              'The mapped record (fields that are left out must be NULL), or `filtered`, `delete`, `look-up`, or the code of a fault.',
          }),
        }),
      )
      .min(1),
  })
  .meta({ title: 'trueup mapping cases', description: 'Cases of a mapping, run by `trueup test`.' });

/** `file` is `null` when there are errors. */
export function parseCases({ file, text }: { readonly file: string; readonly text: string }): {
  readonly file: CaseFile | null;
  readonly diagnostics: readonly Diagnostic[];
} {
  const yaml = parseYaml(text, file, 'E_MAPPING_INVALID');
  if (yaml.diagnostics.length > 0) return { file: null, diagnostics: yaml.diagnostics };
  const reader: Reader = { yaml, text, file, diagnostics: [] };
  const parsed = caseFileSchema.safeParse(yaml.data);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) reportIssue(reader, issue);
    return { file: null, diagnostics: reader.diagnostics };
  }
  const cases = readFile(reader, parsed.data);
  return { file: reader.diagnostics.length > 0 ? null : cases, diagnostics: reader.diagnostics };
}

interface Reader {
  readonly yaml: ParsedYaml;
  readonly text: string;
  readonly file: string;
  readonly diagnostics: Diagnostic[];
}

function report({ yaml, file, diagnostics }: Reader, path: Path, message: string, part: 'key' | 'value' = 'value'): null {
  diagnostics.push({ file, ...yaml.at(path, part), code: 'E_MAPPING_INVALID', message, severity: 'error' });
  return null;
}

function reportIssue(reader: Reader, issue: z.core.$ZodIssue): void {
  const path = issue.path as (string | number)[];
  if (issue.code !== 'unrecognized_keys') {
    const value = path.reduce<unknown>(
      (inside, key) => (typeof inside === 'object' && inside !== null ? (inside as Record<string, unknown>)[key] : undefined),
      reader.yaml.data,
    );
    report(reader, path, issueText(issue, path, value));
    return;
  }
  const known =
    path[0] === 'cases' ? ['name', 'op', 'input', 'expect'] : path[0] === 'deletes' ? ['when'] : Object.keys(caseFileSchema.shape);
  for (const key of issue.keys) report(reader, [...path, key], `'${key}' is not a key here.${knownNames(key, known)}`, 'key');
}

type FileData = z.output<typeof caseFileSchema>;

function readFile(reader: Reader, data: FileData): CaseFile {
  const source = readSource(reader, data);
  return {
    stream: data.stream ?? 'source',
    source,
    secrets: new Map(Object.entries(data.secrets ?? {})),
    onLoss: data.onLoss ?? 'error',
    where: data.where ?? null,
    deletesWhen: data.deletes?.when ?? null,
    onExit: data.onExit ?? 'delete',
    cases: data.cases.map((one, index) => readCase(reader, source, { data: one, path: ['cases', index] })),
  };
}

function readSource(reader: Reader, data: FileData): Shape {
  const fields = Object.entries(data.source).flatMap(([name, text]): Field[] => {
    const type = parseType(text);
    if (type === null) report(reader, ['source', name], `'${text}' is not a type`);
    return type === null ? [] : [{ name, type, nullable: true }];
  });
  const names = data.key ?? Object.keys(data.source).slice(0, 1);
  const key = names.map((name, position) => {
    const index = fields.findIndex((field) => field.name === name);
    if (index < 0 && !Object.hasOwn(data.source, name))
      report(
        reader,
        ['key', position],
        `'${name}' is not a field of 'source'.${knownNames(
          name,
          fields.map((field) => field.name),
          'Fields',
        )}`,
      );
    return index;
  });
  return { fields, key, open: false };
}

function readCase(
  reader: Reader,
  source: Shape,
  { data, path }: { readonly data: FileData['cases'][number]; readonly path: Path },
): MappingCase {
  const input = new Map<string, Cell>();
  for (const [name, value] of Object.entries(data.input)) {
    const field = source.fields.find((one) => one.name === name);
    const at = [...path, 'input', name];
    if (field === undefined)
      report(
        reader,
        at,
        `'${name}' is not a field of 'source'.${knownNames(
          name,
          source.fields.map((one) => one.name),
          'Fields',
        )}`,
        'key',
      );
    else input.set(name, readCell(reader, field.type, value, at));
  }
  return { name: data.name, op: data.op ?? 'upsert', input, expect: readExpectation(reader, data.expect, [...path, 'expect']) };
}

function readExpectation(reader: Reader, expect: FileData['cases'][number]['expect'], path: Path): Expectation {
  if (expect === 'filtered' || expect === 'delete' || expect === 'look-up') return { kind: expect };
  if (typeof expect !== 'string')
    return { kind: 'row', row: new Map(Object.entries(expect).map(([name, value]) => [name, written(reader, value, [...path, name])])) };
  if (!Object.hasOwn(ERROR_CODES, expect))
    report(
      reader,
      path,
      `'${expect}' is not an error code.${knownNames(
        expect,
        Object.keys(ERROR_CODES).filter((code) => code.startsWith('E_RECORD')),
      )}`,
    );
  return { kind: 'fault', code: expect };
}

function written(reader: Reader, value: unknown, path: Path): string | null {
  return literalText({ text: reader.text, at: reader.yaml.at }, value, path);
}

function readCell(reader: Reader, type: LogicalType, value: unknown, path: Path): Cell {
  const text = written(reader, value, path);
  try {
    return text === null
      ? null
      : typeof value === 'object'
        ? jsonToCell(type, parseExactJson(text), 'the value')
        : cellFromText(type, text);
  } catch (error) {
    if (!isTrueupError(error)) throw error;
    report(reader, path, `the value is no ${typeText(type)} (${error.message})`);
    return null;
  }
}
