import type { ErrorCode } from '../errors.ts';
import type { ChangeSpec, OnLoss } from '../model/contracts.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import { typeText } from '../model/logical-type.ts';
import type { Field, LogicalType } from '../model/logical-type.ts';
import { fieldIndex, keyNames } from '../model/shape.ts';
import type { Shape } from '../model/shape.ts';
import { knownNames } from '../model/suggest.ts';
import type { TextPosition } from '../model/yaml.ts';
import { checkMapping } from './check.ts';
import type { Path } from './check-value.ts';
import { unknownField } from './check-context.ts';
import type { CheckedField } from './checked-field.ts';
import { nestFields } from './nested-fields.ts';
import { orders } from './order-cells.ts';
import type { ParsedMapping } from './parse.ts';
import type { ParsedEmbed } from './parse-embed.ts';
import type { MappingPlan } from './plan.ts';

/** Children of another stream, checked against its fields and those of the parent. */
export interface CheckedEmbed {
  /** The field of the target that holds them, as written. */
  readonly name: string;
  readonly stream: string;
  readonly key: readonly string[];
  readonly on: readonly { readonly child: string; readonly parent: string }[];
  readonly orderBy: ParsedEmbed['orderBy'];
  readonly one: boolean;
  /** `null`: by the method of the parent. */
  readonly changes: ChangeSpec | null;
  /** Of one child, its fields flat: names may be paths. */
  readonly mapping: MappingPlan;
  /** How records of the parent carry the children. */
  readonly field: Field;
  readonly embeds: readonly CheckedEmbed[];
  readonly at: TextPosition & { readonly file: string };
}

export interface EmbedRequest {
  readonly mapping: ParsedMapping;
  readonly embeds: readonly ParsedEmbed[];
  readonly parent: { readonly stream: string; readonly shape: Shape };
  /** Every stream of the source, by name. */
  readonly streams: ReadonlyMap<string, Shape>;
  readonly secrets: (text: string) => string;
  readonly timezone: string;
  readonly onLoss: OnLoss;
}

export interface EmbedsChecked {
  /** Without those that have errors. */
  readonly embeds: readonly CheckedEmbed[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Before the name of a field that is read beside those of the stream itself. */
const EMBEDDED = 'embed:';

export function checkEmbeds(request: EmbedRequest): EmbedsChecked {
  const diagnostics: Diagnostic[] = [];
  const embeds = request.embeds.flatMap((parsed) => checkEmbed({ request, parsed, diagnostics }) ?? []);
  return { embeds, diagnostics };
}

/** What `checkMapping` of the parent needs to know of its children. */
export function embeddedFields(embeds: readonly CheckedEmbed[], onLoss: OnLoss): { fields: CheckedField[]; reads: string[] } {
  return {
    fields: embeds.map(({ name, field }) => ({
      field: { ...field, name },
      plan: { kind: 'copy', from: field.name },
      sources: [field.name],
      onLoss,
    })),
    reads: embeds.flatMap(({ on }) => on.map(({ parent }) => parent)),
  };
}

interface EmbedCheck {
  readonly request: EmbedRequest;
  readonly parsed: ParsedEmbed;
  readonly diagnostics: Diagnostic[];
}

function checkEmbed(check: EmbedCheck): CheckedEmbed | null {
  const { request, parsed, diagnostics } = check;
  const { name, from, path } = parsed;
  const before = diagnostics.length;
  const shape = request.streams.get(from);
  if (shape === undefined) {
    report(check, ['from'], `'${from}' is not a stream of the source.${knownNames(from, request.streams.keys(), 'Streams')}`);
    return null;
  }
  const key = checkKey(check, shape);
  checkOn(check, shape);
  checkOrder(check, shape);
  const nested = checkEmbeds({ ...request, embeds: parsed.embeds, parent: { stream: from, shape } });
  diagnostics.push(...nested.diagnostics);
  if (diagnostics.slice(before).some(({ severity }) => severity === 'error')) return null;
  const mapping = checkChild(check, { shape, key, nested: nested.embeds });
  if (mapping === null) return null;
  const document = nestFields(mapping.shape.fields.map((field, index) => ({ ...field, onLoss: mapping.onLoss[index] ?? request.onLoss })));
  if (typeof document === 'string') {
    report(check, ['fields'], `'${document}' stands where another field of '${name}' is, or lies inside of one`, { part: 'key' });
    return null;
  }
  const struct: LogicalType = { struct: document.fields };
  return {
    name,
    stream: from,
    key,
    on: parsed.on,
    orderBy: parsed.orderBy,
    one: parsed.one,
    changes: parsed.changes === null ? null : changeSpec(parsed.changes),
    mapping,
    field: { name: EMBEDDED + name, type: parsed.one ? struct : { list: struct }, nullable: parsed.one },
    embeds: nested.embeds,
    at: { file: request.mapping.file, ...request.mapping.at(path) },
  };
}

function changeSpec({ by, field }: NonNullable<ParsedEmbed['changes']>): ChangeSpec {
  return field === undefined ? { by } : { by, field };
}

function checkKey(check: EmbedCheck, shape: Shape): readonly string[] {
  const { parsed } = check;
  if (parsed.key === null) {
    if (shape.key.length === 0)
      report(check, ['from'], `'${parsed.from}' has no key, so its records cannot be told apart. Name unique fields with 'key: [...]'`, {
        code: 'E_STREAM_KEY',
      });
    return keyNames(shape);
  }
  for (const [index, name] of parsed.key.entries())
    if (fieldIndex(shape, name) < 0) report(check, ['key', index], unknown(parsed, shape, name));
  return parsed.key;
}

function unknown({ from }: ParsedEmbed, source: Shape, name: string): string {
  return unknownField(name, { stream: from, source });
}

const NUMBERS: ReadonlySet<LogicalType> = new Set(['int32', 'int64', 'decimal']);
const UNEQUAL: ReadonlySet<LogicalType> = new Set(['json']);

function checkOn(check: EmbedCheck, shape: Shape): void {
  const { parsed, request } = check;
  for (const { child, parent } of parsed.on) {
    const ofChild = shape.fields[fieldIndex(shape, child)];
    const ofParent = request.parent.shape.fields[fieldIndex(request.parent.shape, parent)];
    if (ofChild === undefined) report(check, ['on', child], unknown(parsed, shape, child), { part: 'key' });
    if (ofParent === undefined)
      report(check, ['on', child], unknownField(parent, { stream: request.parent.stream, source: request.parent.shape }));
    if (ofChild === undefined || ofParent === undefined || areComparable(ofChild.type, ofParent.type)) continue;
    const types = `'${child}' of '${parsed.from}' is ${typeText(ofChild.type)}, '${parent}' of '${request.parent.stream}' is ${typeText(ofParent.type)}`;
    report(check, ['on', child], `${types}: such values are not looked up by each other`, { code: 'E_MAPPING_TYPE' });
  }
}

function areComparable(a: LogicalType, b: LogicalType): boolean {
  if (NUMBERS.has(a) && NUMBERS.has(b)) return true;
  return typeof a === 'string' && a === b && !UNEQUAL.has(a);
}

function checkOrder(check: EmbedCheck, shape: Shape): void {
  const { parsed } = check;
  for (const [index, { field }] of parsed.orderBy.entries()) {
    const found = shape.fields[fieldIndex(shape, field)];
    if (found === undefined) report(check, ['orderBy', index], unknown(parsed, shape, field));
    else if (!orders(found.type))
      report(check, ['orderBy', index], `'${field}' is ${typeText(found.type)}, which has no order that every system shares`, {
        code: 'E_MAPPING_TYPE',
      });
  }
}

/** The mapping of one child. Nothing looks for it by a key in the target, so it needs none there. */
function checkChild(
  { request, parsed, diagnostics }: EmbedCheck,
  { shape, key, nested }: { readonly shape: Shape; readonly key: readonly string[]; readonly nested: readonly CheckedEmbed[] },
): MappingPlan | null {
  const { mapping, secrets, timezone, onLoss } = request;
  const embedded = embeddedFields(nested, onLoss);
  const own = [...parsed.on.map(({ child }) => child), ...parsed.orderBy.map(({ field }) => field), ...key];
  const start = mapping.at(parsed.path);
  const checked = checkMapping({
    mapping: {
      file: mapping.file,
      text: mapping.text,
      where: parsed.where,
      fields: parsed.fields,
      key: null,
      otherFields: parsed.otherFields ?? null,
      drop: parsed.drop,
      embeds: [],
      unwind: [],
      data: {},
      at: (path, part) => mapping.at([...parsed.path, ...path], part),
    },
    stream: parsed.from,
    source: { ...shape, key: [] },
    secrets,
    timezone,
    onLoss,
    onExit: 'delete',
    embedded: { fields: embedded.fields, reads: [...embedded.reads, ...own] },
    at: { file: mapping.file, ...start },
  });
  diagnostics.push(...checked.diagnostics);
  return checked.plan;
}

function report(
  { request: { mapping }, parsed, diagnostics }: EmbedCheck,
  path: Path,
  message: string,
  { part = 'value', code = 'E_MAPPING_INVALID' }: { readonly part?: 'key' | 'value'; readonly code?: ErrorCode } = {},
): void {
  diagnostics.push({ file: mapping.file, ...mapping.at([...parsed.path, ...path], part), code, message, severity: 'error' });
}
