import type { Diagnostic } from '../model/diagnostic.ts';
import { knownNames } from '../model/suggest.ts';
import { parseYaml } from '../model/yaml.ts';
import type { TextPosition } from '../model/yaml.ts';
import { checkValue, isObject } from './check-value.ts';
import type { Path, Report } from './check-value.ts';
import { kindOf } from './issue-text.ts';
import { parseEmbeds } from './parse-embed.ts';
import type { ParsedEmbed } from './parse-embed.ts';
import { parseFields } from './parse-fields.ts';
import { mappingSchema, unwindSchema } from './schema.ts';
import type { FieldForm } from './schema.ts';

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
  readonly unwind: readonly ParsedUnwind[];
  /** Children of other streams. */
  readonly embeds: readonly ParsedEmbed[];
  /** As written, for the plan hash. */
  readonly data: Readonly<Record<string, unknown>>;
  at(path: Path, part?: 'key' | 'value'): TextPosition;
}

/** One child table. What stands in it is read like a mapping of its own, whose places are below `unwind`. */
export interface ParsedUnwind {
  readonly target: string;
  readonly path: string;
  readonly mapping: ParsedMapping;
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
  const source = { file, text, at: yaml.at };
  const unwind = parseUnwind(data['unwind'], [], source, report);
  const embeds = parseEmbeds(data['embed'], report);
  if (diagnostics.length > 0) return { mapping: null, diagnostics: diagnostics.toSorted((a, b) => a.line - b.line || a.column - b.column) };
  const { drop } = data as { drop?: string[] };
  return { mapping: { ...written(data, fields), drop: drop ?? [], unwind, embeds, data, ...source }, diagnostics };
}

/** The parts that a mapping and a child table have alike. */
function written(
  data: Record<string, unknown>,
  fields: ParsedMapping['fields'],
): Pick<ParsedMapping, 'where' | 'fields' | 'key' | 'otherFields'> {
  const { where, key, otherFields } = data as { where?: string; key?: string[]; otherFields?: ParsedMapping['otherFields'] };
  return { where: where ?? null, fields, key: key ?? null, otherFields: otherFields ?? null };
}

/** Every key but those that are parsed by themselves. */
function checkKeys(data: Record<string, unknown>, report: Report): void {
  const { shape } = mappingSchema();
  for (const [key, value] of Object.entries(data)) {
    if (!Object.hasOwn(shape, key)) report([key], `'${key}' is not a key of a mapping.${knownNames(key, Object.keys(shape))}`, 'key');
    else if (!['fields', 'embed', 'unwind'].includes(key)) checkValue(shape[key as 'where'], value, [key], report);
  }
}

function parseUnwind(data: unknown, at: Path, source: Pick<ParsedMapping, 'file' | 'text' | 'at'>, report: Report): ParsedUnwind[] {
  if (data === undefined) return [];
  const path = [...at, 'unwind'];
  if (!isObject(data)) {
    report(path, `'unwind' must be child tables by name, not ${kindOf(data)}`);
    return [];
  }
  return Object.entries(data).flatMap(([target, value]) => {
    const inside = [...path, target];
    if (!isObject(value)) {
      report(inside, `'${target}' must be { path: …, fields: … }, not ${kindOf(value)}`);
      return [];
    }
    const { fields: _fields, unwind: _unwind, ...rest } = value;
    const fine = checkValue(unwindSchema(), rest, inside, report);
    const fields = parseFields(value['fields'], (place, message, part) => report([...inside, ...place], message, part));
    const unwind = parseUnwind(value['unwind'], inside, source, report);
    if (!fine) return [];
    const places: ParsedMapping['at'] = (place, part) => source.at([...inside, ...place], part);
    const mapping: ParsedMapping = { ...written(value, fields), drop: [], unwind, embeds: [], data: {}, ...source, at: places };
    return [{ target, path: value['path'] as string, mapping }];
  });
}
