import { planConversion } from '../model/conversion.ts';
import type { ConversionPlan } from '../model/conversion.ts';
import { typeText } from '../model/logical-type.ts';
import type { LogicalType } from '../model/logical-type.ts';
import { didYouMean } from '../model/suggest.ts';
import { openZone } from '../model/zone.ts';
import type { Zone } from '../model/zone.ts';
import { checkConst } from './check-const.ts';
import { checkedExpression, namedType, report, sourceField } from './check-context.ts';
import type { CheckContext } from './check-context.ts';
import { checkLookup } from './check-lookup.ts';
import { checkMask } from './check-mask.ts';
import { finished } from './checked-field.ts';
import type { CheckedField, SourceOfField } from './checked-field.ts';
import { naturalType } from './expression/load.ts';
import { planResult } from './expression-result.ts';
import type { Path } from './check-value.ts';
import type { ExprForm, FieldForm } from './schema.ts';
import { insideType, sourceValue } from './source-path.ts';

/** One field of `fields`, or `null` with its problems reported. */
export function checkField(context: CheckContext, name: string, form: FieldForm): CheckedField | null {
  switch (form.form) {
    case 'const':
      return checkConst(context, name, form.data);
    case 'expr':
      return checkExpr(context, name, form.data);
    case 'from':
      return checkFrom(context, name, form);
  }
}

function checkExpr(context: CheckContext, name: string, { expr, type, onLoss = context.onLoss }: ExprForm): CheckedField | null {
  const path: Path = ['fields', name];
  const expression = checkedExpression(context, expr, [...path, 'expr']);
  const named = namedType(context, type, [...path, 'type']);
  if (expression === null || named === null) return null;
  const to = named ?? naturalType(expression.type);
  const store = planResult({ type: expression.type, to, onLoss, place: `field '${name}'` });
  if (typeof store === 'string')
    return report(context, {
      path: [...path, named === undefined ? 'expr' : 'type'],
      message: `field '${name}': ${store}`,
      code: 'E_MAPPING_TYPE',
    });
  return {
    field: { name, type: to, nullable: true },
    plan: { kind: 'expr', expr, reads: expression.reads, to, onLoss },
    sources: expression.reads,
    onLoss,
  };
}

function checkFrom(context: CheckContext, name: string, { data: form, short }: Extract<FieldForm, { form: 'from' }>): CheckedField | null {
  const path: Path = ['fields', name];
  const fromPath: Path = short === true ? path : [...path, 'from'];
  const { from, path: inner } = sourceValue(form.from, context.source);
  const source = sourceField(context, from, fromPath);
  if (source === null) return null;
  const inside = insideType(source.type, inner);
  if (typeof inside === 'string')
    return report(context, {
      path: fromPath,
      message: `'${form.from}': ${inside} field '${from}' (${typeText(source.type)})`,
      code: 'E_MAPPING_TYPE',
    });
  const value: SourceOfField = { name, form, path, from, inner, type: inside.type, nullable: source.nullable || inner.length > 0 };
  if (form.mask !== undefined) return checkMask(context, value, form.mask);
  if (form.lookup !== undefined) return checkLookup(context, value, form.lookup);
  if (form.shift !== undefined) return checkShift(context, value, form.shift);
  if (form.zone === undefined && form.type === undefined && inner.length === 0) {
    return { field: { ...source, name }, plan: { kind: 'copy', from }, sources: [from], onLoss: form.onLoss ?? context.onLoss };
  }
  return checkCast(context, value);
}

function checkShift(context: CheckContext, value: SourceOfField, places: number): CheckedField | null {
  const { name, form, path, type } = value;
  if (!['int32', 'int64', 'decimal', 'json', 'variant'].includes(type as string)) {
    return report(context, {
      path: [...path, 'shift'],
      message: `field '${name}': 'shift' moves the point of whole numbers and decimals, not of ${typeText(type)}`,
      code: 'E_MAPPING_TYPE',
    });
  }
  const to = namedType(context, form.type, [...path, 'type']);
  if (to === null) return null;
  const cast = { from: 'decimal', to: to ?? 'decimal' } as const;
  if (!checkConversion(context, value, cast)) return null;
  const onLoss = form.onLoss ?? context.onLoss;
  return finished(value, { kind: 'shift', from: value.from, path: value.inner, places, to: cast.to, onLoss }, { type: cast.to, onLoss });
}

function checkCast(context: CheckContext, value: SourceOfField): CheckedField | null {
  const { name, form, path, type } = value;
  const named = namedType(context, form.type, [...path, 'type']);
  const zone = form.zone === undefined ? undefined : checkedZone(context, form.zone, [...path, 'zone']);
  if (named === null || zone === null) return null;
  const to = named ?? (zone === undefined ? type : zonedType(type));
  if (to === null) {
    return report(context, {
      path: [...path, 'zone'],
      message: `field '${name}': 'zone' makes an instant of a civil time or a civil time of an instant, and ${typeText(type)} is neither; name a 'type'`,
      code: 'E_MAPPING_TYPE',
    });
  }
  const viaText = zone !== undefined && type === 'text' && to === 'timestamptz';
  if (value.inner.length === 0 || type !== 'json') {
    if (!checkConversion(context, value, { from: viaText ? 'timestamp' : type, to, ...(zone === undefined ? {} : { zone }) })) return null;
  }
  const onLoss = form.onLoss ?? context.onLoss;
  return finished(value, { kind: 'cast', from: value.from, path: value.inner, to, onLoss, zone: zone?.name ?? null }, { type: to, onLoss });
}

/** What a zone alone asks for. */
function zonedType(type: LogicalType): LogicalType | null {
  if (type === 'timestamp' || type === 'date' || type === 'text') return 'timestamptz';
  return type === 'timestamptz' ? 'timestamp' : null;
}

function checkedZone(context: CheckContext, name: string, path: Path): Zone | null {
  const zone = openZone(name);
  if (zone !== null) return zone;
  const meant = didYouMean(name, Intl.supportedValuesOf('timeZone'));
  return report(context, { path, message: `there is no time zone '${name}'${meant === null ? '' : `. Did you mean '${meant}'?`}` });
}

/** Reports what cannot be converted, and warns of what mostly loses something. */
function checkConversion(
  context: CheckContext,
  { name, form, path }: SourceOfField,
  cast: { readonly from: LogicalType; readonly to: LogicalType; readonly zone?: Zone },
): boolean {
  const onLoss = form.onLoss ?? context.onLoss;
  const plan = planConversion({ ...cast, onLoss });
  const at: Path = form.type === undefined ? path : [...path, 'type'];
  const pair = `${typeText(cast.from)} to ${typeText(cast.to)}`;
  if (plan.kind === 'impossible') {
    const zoneAdvice = plan.loss?.includes('zone') === true ? `, for example zone: ${context.timezone}` : '';
    report(context, {
      path: at,
      message: `field '${name}': there is no conversion from ${pair}: ${plan.loss}${zoneAdvice}`,
      code: 'E_MAPPING_TYPE',
    });
    return false;
  }
  if (form.onLoss === 'text' && losesAnything(plan) && !['text', 'unknown', 'json', 'variant'].includes(cast.to as string)) {
    report(context, {
      path: [...path, 'onLoss'],
      message: `field '${name}': a ${typeText(cast.to)} cannot hold the text of what is lost; use type: text, or another policy`,
      code: 'E_MAPPING_TYPE',
    });
    return false;
  }
  if (plan.kind === 'lossy' && onLoss === 'error') {
    report(context, {
      path: at,
      message: `field '${name}': ${pair} loses ${plan.loss}, and such values become dead letters; add onLoss: truncate or null if the loss is meant`,
      code: 'E_MAPPING_TYPE',
      severity: 'warning',
    });
  }
  return true;
}

function losesAnything({ kind }: ConversionPlan): boolean {
  return kind === 'checked' || kind === 'lossy';
}
