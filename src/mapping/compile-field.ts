import { TrueupError, isTrueupError } from '../errors.ts';
import { cellFromText, cellToText } from '../model/cell-text.ts';
import type { Cell, Variant } from '../model/cell.ts';
import { planConversion, planJsonPart } from '../model/conversion.ts';
import type { ConversionRequest } from '../model/conversion.ts';
import { isSpecialDecimal, shiftDecimalText } from '../model/decimal.ts';
import { typeText } from '../model/logical-type.ts';
import type { Field, LogicalType } from '../model/logical-type.ts';
import { fieldIndex } from '../model/shape.ts';
import type { Shape } from '../model/shape.ts';
import { openZone } from '../model/zone.ts';
import { compileExpression } from './expression/compile.ts';
import { ExpressionProblem } from './expression/fault.ts';
import { planResult } from './expression-result.ts';
import { documentMembers } from './document-members.ts';
import { maskOf } from './mask.ts';
import { namedType } from './named-type.ts';
import type { FieldPlan, FilterPlan, SourceValue } from './plan.ts';
import { cellReader } from './row-context.ts';
import type { RowContext } from './row-context.ts';
import { followSteps, insideType } from './source-path.ts';

export type Note = (kind: string) => void;
/** One mapped cell of a record. Throws record faults that name the field. */
export type ComputeCell = (context: RowContext, note: Note) => Cell;
type Convert = (cell: Cell, note: Note) => Cell;

export interface CompileContext {
  /** The shape of the records, which may have the fields in another order than the one that was checked. */
  readonly source: Shape;
  readonly stream: string;
  readonly secrets: (text: string) => string;
  /** How a field is called in messages. Absent: `field 'name'`. */
  readonly placeOf?: (name: string, plan: FieldPlan) => string;
}

export function compileField(context: CompileContext, name: string, plan: Exclude<FieldPlan, { kind: 'copy' }>): ComputeCell {
  const place = context.placeOf?.(name, plan) ?? `field '${name}'`;
  switch (plan.kind) {
    case 'const': {
      const cell =
        plan.text === null ? null : cellFromText(plan.type, plan.text.includes('${') ? context.secrets(plan.text) : plan.text, place);
      return () => cell;
    }
    case 'cast':
      return compileCast(context, plan, place);
    case 'shift':
      return compileShift(context, plan, place);
    case 'lookup':
      return applied(readValue(context, plan, 'text', place), lookupOf(plan, place));
    case 'mask': {
      const mask = maskOf(plan.mask, context.secrets);
      return applied(readValue(context, plan, 'text', place), (cell) => (cell === null ? null : mask(cell as string)));
    }
    case 'expr':
      return compileExpr(context, plan, place);
    case 'rest':
      return compileRest(context, plan);
    case 'others':
      return compileOthers(context, plan, place);
  }
}

/** Absent stays absent. */
function applied(read: ComputeCell, convert: Convert): ComputeCell {
  return (context, note) => {
    const cell = read(context, note);
    return cell === undefined ? undefined : convert(cell, note);
  };
}

/** The index of a field that the plan relies on. */
export function indexOf({ source, stream }: CompileContext, name: string): number {
  const index = fieldIndex(source, name);
  if (index < 0)
    throw new TrueupError('E_PLAN_CHANGED', `stream '${stream}': the field '${name}', which the mapping reads, is not there any more`);
  return index;
}

export function fieldNamed(context: CompileContext, name: string): { readonly field: Field; readonly index: number } {
  const index = indexOf(context, name);
  return { index, field: context.source.fields[index] as Field };
}

/** What lies at a source value: as canonical text, or as a cell of its type (`json` inside json). */
function readValue(context: CompileContext, value: SourceValue, as: 'text' | 'cell', place: string): ComputeCell {
  const { read, type } = valueReader(context, value, as === 'text' ? 'text' : 'json', place);
  if (as !== 'text' || type === 'text') return read;
  return applied(read, (cell) => (type === 'variant' ? variantText(cell) : cellToText(type, cell)));
}

/** The text of the value, without the type that it names. */
function variantText(cell: Cell): string | null {
  if (cell === null || cell === undefined) return null;
  const { variant, value } = cell as Variant;
  return cellToText(namedType(variant) ?? 'unknown', value);
}

/** `inJson`: the type that values inside json are read as. */
function valueReader(
  context: CompileContext,
  { from, path }: SourceValue,
  inJson: LogicalType,
  place: string,
): { readonly read: ComputeCell; readonly type: LogicalType } {
  const { field, index } = fieldNamed(context, from);
  const read = cellReader(field, index);
  if (path.length === 0) return { read, type: field.type };
  const inside = insideType(field.type, path);
  if (typeof inside === 'string') throw changed(context, `${place}: ${inside} field '${from}' any more`);
  const leadsIntoJson = inside.steps.some((step) => step.into === 'json');
  return { type: leadsIntoJson ? inJson : inside.type, read: (row) => followSteps(read(row), inside.steps, inJson, place) };
}

function changed({ stream }: CompileContext, message: string): TrueupError {
  return new TrueupError('E_PLAN_CHANGED', `stream '${stream}': ${message}`);
}

function conversion(context: CompileContext, request: ConversionRequest): Convert {
  const plan = planConversion(request);
  if (plan.kind === 'impossible')
    throw changed(context, `${request.place}: ${typeText(request.from)} does not convert to ${typeText(request.to)} (${plan.loss})`);
  return (cell, note) => plan.convert(cell, note);
}

function compileCast(context: CompileContext, plan: Extract<FieldPlan, { kind: 'cast' }>, place: string): ComputeCell {
  const { to, onLoss } = plan;
  const zone = plan.zone === null ? undefined : (openZone(plan.zone) ?? undefined);
  const { read, type } = valueReader(context, plan, plan.path.length > 0 && zone === undefined ? to : 'text', place);
  const policy = { onLoss, place, ...(zone === undefined ? {} : { zone }) };
  if (plan.path.length > 0 && zone === undefined)
    return forgiving(applied(read, conversion(context, { from: type, to, ...policy })), onLoss);
  if (zone === undefined || type !== 'text') return applied(read, conversion(context, { from: type, to, ...policy }));
  // A text is read as a civil time first: its zone is the one that the mapping names.
  const civil = conversion(context, { from: 'text', to: to === 'timestamptz' ? 'timestamp' : to, ...policy });
  const zoned = to === 'timestamptz' ? conversion(context, { from: 'timestamp', to, ...policy }) : null;
  return applied(read, (cell, note) => (zoned === null ? civil(cell, note) : zoned(civil(cell, note), note)));
}

/** What is inside json and does not fit the declared type follows the policy too. */
function forgiving(compute: ComputeCell, onLoss: string): ComputeCell {
  if (onLoss !== 'null') return compute;
  return (context, note) => {
    try {
      return compute(context, note);
    } catch (error) {
      if (!isTrueupError(error) || (error.code !== 'E_RECORD_VALUE' && error.code !== 'E_RECORD_LOSS')) throw error;
      note('null');
      return null;
    }
  };
}

function compileShift(context: CompileContext, plan: Extract<FieldPlan, { kind: 'shift' }>, place: string): ComputeCell {
  const { read, type } = valueReader(context, plan, 'decimal', place);
  const known = type === 'variant' ? conversion(context, { from: type, to: 'decimal', onLoss: plan.onLoss, place }) : null;
  const convert = plan.to === 'decimal' ? null : conversion(context, { from: 'decimal', to: plan.to, onLoss: plan.onLoss, place });
  return applied(read, (given, note) => {
    const cell = known === null ? given : known(given, note);
    if (cell === null) return null;
    const shifted = shiftedText(String(cell as number | bigint | string), plan.places, place);
    return convert === null ? shifted : convert(shifted, note);
  });
}

/** NaN and the infinities have no point to move. */
function shiftedText(text: string, places: number, place: string): string {
  if (isSpecialDecimal(text)) return text;
  const shifted = shiftDecimalText(text, places);
  if (shifted === null) throw new TrueupError('E_RECORD_VALUE', `${place}: 'shift' needs a decimal number`);
  return shifted;
}

function lookupOf(plan: Extract<FieldPlan, { kind: 'lookup' }>, place: string): Convert {
  const cellOf = (text: string | null): Cell => (text === null ? null : cellFromText(plan.to, text, place));
  const cells = new Map(plan.entries.map(([key, text]) => [key, cellOf(text)]));
  const hasFallback = plan.fallback !== undefined;
  const fallback = hasFallback ? cellOf(plan.fallback) : null;
  return (cell) => {
    if (cell === null) return fallback;
    const found = cells.get(cell as string);
    if (found !== undefined) return found;
    if (hasFallback) return fallback;
    throw new TrueupError(
      'E_RECORD_VALUE',
      `${place}: the value is none of the ${cells.size} that the lookup knows, and there is no default`,
    );
  };
}

function compileExpr(context: CompileContext, plan: Extract<FieldPlan, { kind: 'expr' }>, place: string): ComputeCell {
  const expression = expressionOf(context, plan.expr, place);
  const store = planResult({ type: expression.type, to: plan.to, onLoss: plan.onLoss, place });
  if (typeof store === 'string') throw changed(context, `${place}: ${store}`);
  return (row, note) => {
    try {
      return store(expression.run(row), note);
    } catch (error) {
      throw isTrueupError(error) && error.code === 'E_RECORD_EXPRESSION'
        ? new TrueupError(error.code, `${place}: ${error.message}`)
        : error;
    }
  };
}

export function expressionOf(context: CompileContext, text: string, place: string) {
  try {
    return compileExpression({ text, source: context.source, stream: context.stream });
  } catch (error) {
    throw error instanceof ExpressionProblem ? changed(context, `${place}: ${error.message}`) : error;
  }
}

/** `null` (unknown) does not pass. */
export function compileFilter(context: CompileContext, { expr, label }: FilterPlan): (row: RowContext) => boolean {
  const { run } = expressionOf(context, expr, `'${label}'`);
  return (row) => {
    try {
      const verdict = run(row);
      if (verdict === null || typeof verdict === 'boolean') return verdict === true;
    } catch (error) {
      throw isTrueupError(error) && error.code === 'E_RECORD_EXPRESSION'
        ? new TrueupError(error.code, `'${label}': ${error.message}`)
        : error;
    }
    throw new TrueupError('E_RECORD_EXPRESSION', `'${label}': the result is neither true nor false`);
  };
}

function compileRest(context: CompileContext, plan: Extract<FieldPlan, { kind: 'rest' }>): ComputeCell {
  const parts = plan.from.map((name) => {
    const { field, index } = fieldNamed(context, name);
    const part = planJsonPart({ from: field.type, onLoss: plan.onLoss, place: `field '${name}'` });
    return { name: JSON.stringify(name), compute: applied(cellReader(field, index), (cell, note) => part.convert(cell, note)) };
  });
  return (row, note) => {
    const texts: string[] = [];
    for (const { name, compute } of parts) {
      const cell = compute(row, note);
      if (cell !== undefined) texts.push(`${name}:${cell === null ? 'null' : (cell as string)}`);
    }
    return `{${texts.join(',')}}`;
  };
}

/** What a document holds beside the names that are taken, as one JSON object in its own order. */
function compileOthers(context: CompileContext, plan: Extract<FieldPlan, { kind: 'others' }>, place: string): ComputeCell {
  const { field, index } = fieldNamed(context, plan.from);
  const read = cellReader(field, index);
  const without = new Set(plan.without);
  return (row, note) => {
    const members = documentMembers(field.type, read(row), place) ?? [];
    const texts = members.flatMap(({ name, json }) => (without.has(name) ? [] : [`${JSON.stringify(name)}:${json(plan.onLoss, note)}`]));
    return `{${texts.join(',')}}`;
  };
}
