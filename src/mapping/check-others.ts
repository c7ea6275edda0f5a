import { planJsonPart } from '../model/conversion.ts';
import type { Field } from '../model/logical-type.ts';
import { didYouMean } from '../model/suggest.ts';
import type { CheckedField } from './checked-field.ts';
import { report, unknownField } from './check-context.ts';
import type { CheckContext } from './check-context.ts';
import { sourceValue } from './source-path.ts';

export interface Others {
  readonly fields: readonly CheckedField[];
  /** Fields that come later are read as well. */
  readonly readsAll: boolean;
}

/** What `otherFields` makes of the source fields that no field is made `from` and that are not dropped. */
export function checkOthers(context: CheckContext, fields: readonly CheckedField[]): Others {
  const { mapping } = context;
  const policy = mapping.otherFields ?? (mapping.fields === null ? 'keep' : 'drop');
  const others = otherFields(context, fields);
  if (policy === 'drop') return { fields: [], readsAll: false };
  if (policy === 'error') {
    if (others.length > 0)
      report(context, {
        path: ['otherFields'],
        message: `source stream '${context.stream}' has fields that the mapping does not name: ${others.map((field) => field.name).join(', ')}. Map them, or list them under 'drop'`,
      });
    return { fields: [], readsAll: true };
  }
  if (policy !== 'keep') return { fields: intoField(context, { into: policy.into, fields, others }), readsAll: true };
  const names = new Set(fields.map((one) => one.field.name));
  const kept = others.filter((field) => !names.has(field.name));
  return {
    fields: kept.map((field) => ({ field, plan: { kind: 'copy', from: field.name }, sources: [field.name], onLoss: context.onLoss })),
    readsAll: true,
  };
}

/** A field that only an expression looks at is still another field: it is not carried by that. */
function otherFields({ source, mapping }: CheckContext, fields: readonly CheckedField[]): readonly Field[] {
  const unwound = mapping.unwind.map(({ path }) => sourceValue(path, source)).filter(({ path }) => path.length === 0);
  const taken = new Set([
    ...unwound.map(({ from }) => from),
    ...fields.flatMap(({ plan }) => ('from' in plan && typeof plan.from === 'string' ? [plan.from] : [])),
  ]);
  return source.fields.filter((field) => !taken.has(field.name) && !mapping.drop.includes(field.name));
}

function intoField(
  context: CheckContext,
  { into, fields, others }: { readonly into: string; readonly fields: readonly CheckedField[]; readonly others: readonly Field[] },
): CheckedField[] {
  if (fields.some((one) => one.field.name === into)) {
    report(context, { path: ['otherFields', 'into'], message: `'${into}' is a field of the mapping already` });
    return [];
  }
  const impossible = others.find((field) => planJsonPart({ from: field.type, onLoss: 'error' }).kind === 'impossible');
  if (impossible !== undefined) {
    report(context, {
      path: ['otherFields', 'into'],
      message: `field '${impossible.name}' cannot stand in json; list it under 'drop' or map it`,
      code: 'E_MAPPING_TYPE',
    });
    return [];
  }
  const from = others.map((field) => field.name);
  return [
    {
      field: { name: into, type: 'json', nullable: false },
      plan: { kind: 'rest', from, onLoss: context.onLoss },
      sources: from,
      onLoss: context.onLoss,
    },
  ];
}

/** A dropped name that is near one of the source is a slip that would let a value through, so it is an error; one that is like none is a warning. */
export function checkDrop(context: CheckContext, reads: ReadonlySet<string>): void {
  const names = context.source.fields.map((field) => field.name);
  for (const [index, name] of context.mapping.drop.entries()) {
    if (reads.has(name)) report(context, { path: ['drop', index], message: `'${name}' is dropped, but the mapping reads it` });
    else if (!names.includes(name))
      report(context, {
        path: ['drop', index],
        message: unknownField(name, context),
        severity: didYouMean(name, names) === null ? 'warning' : 'error',
      });
    else if (context.source.key.some((key) => names[key] === name))
      report(context, {
        path: ['drop', index],
        message: `'${name}' is in the key of the source and cannot be dropped`,
        code: 'E_MAPPING_KEY',
      });
  }
}
