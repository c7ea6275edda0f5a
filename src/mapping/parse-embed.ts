import { knownNames } from '../model/suggest.ts';
import { checkValue, isObject } from './check-value.ts';
import type { Path, Report } from './check-value.ts';
import { kindOf } from './issue-text.ts';
import { parseFields } from './parse-fields.ts';
import type { ParsedField } from './parse-fields.ts';
import { embedSchema } from './schema.ts';
import type { EmbedForm } from './schema.ts';

/** Children of another stream, whose form is right. */
export interface ParsedEmbed {
  /** The field of the target that holds them. */
  readonly name: string;
  /** Where the entry stands in the mapping. */
  readonly path: Path;
  readonly from: string;
  /** Fields of the child and what they equal in the parent, in the order of the file. */
  readonly on: readonly { readonly child: string; readonly parent: string }[];
  readonly orderBy: readonly { readonly field: string; readonly descending: boolean }[];
  readonly one: boolean;
  readonly key: readonly string[] | null;
  readonly changes: NonNullable<EmbedForm['changes']> | null;
  readonly where: string | null;
  readonly fields: readonly ParsedField[] | null;
  readonly otherFields: EmbedForm['otherFields'] | null;
  readonly drop: readonly string[];
  readonly embeds: readonly ParsedEmbed[];
}

/** @param path where `data` stands in the mapping */
export function parseEmbeds(data: unknown, report: Report, path: Path = ['embed']): ParsedEmbed[] {
  if (data === undefined) return [];
  if (!isObject(data)) {
    report(path, `'embed' must be keys and values, not ${kindOf(data)}`);
    return [];
  }
  return Object.entries(data).flatMap(([name, value]) => parseEmbed(name, value, { report, path: [...path, name] }) ?? []);
}

function parseEmbed(name: string, value: unknown, { report, path }: { readonly report: Report; readonly path: Path }): ParsedEmbed | null {
  if (!isObject(value)) {
    report(path, `'${name}' must say where its records come from: { from: …, on: { … }, fields: { … } }, not ${kindOf(value)}`);
    return null;
  }
  const within: Report = (inner, message, part) => report([...path, ...inner], message, part);
  const isGood = checkKeys(value, within);
  const fields = parseFields(value['fields'], within);
  const embeds = parseEmbeds(value['embed'], report, [...path, 'embed']);
  if (!isGood) return null;
  const form = value as unknown as EmbedForm;
  return {
    name,
    path,
    from: form.from,
    on: Object.entries(form.on).map(([child, parent]) => ({ child, parent })),
    orderBy: (form.orderBy ?? []).map(orderOf),
    one: form.one ?? false,
    key: form.key ?? null,
    changes: form.changes ?? null,
    where: form.where ?? null,
    fields,
    otherFields: form.otherFields ?? null,
    drop: form.drop ?? [],
    embeds,
  };
}

function orderOf(order: NonNullable<EmbedForm['orderBy']>[number]): ParsedEmbed['orderBy'][number] {
  if (typeof order === 'string') return { field: order, descending: false };
  const [field = ''] = Object.keys(order);
  return { field, descending: order[field] === 'desc' };
}

/** Every key but `fields` and `embed`, which are parsed by themselves. */
function checkKeys(value: Record<string, unknown>, report: Report): boolean {
  const { shape } = embedSchema();
  let isGood = true;
  for (const [key, member] of Object.entries(value)) {
    if (!Object.hasOwn(shape, key)) {
      report([key], `'${key}' is not a key of an embed.${knownNames(key, Object.keys(shape))}`, 'key');
      isGood = false;
    } else if (key !== 'fields' && key !== 'embed') isGood = checkValue(shape[key as 'where'], member, [key], report) && isGood;
  }
  for (const key of ['from', 'on'])
    if (value[key] === undefined) {
      report(
        [],
        `'${key}' is missing: ${key === 'from' ? 'the stream that the records come from' : "which field of theirs equals which of the parent, as in 'on: { order_id: id }'"}`,
      );
      isGood = false;
    }
  return isGood;
}
