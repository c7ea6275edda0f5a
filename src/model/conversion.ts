import { TrueupError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { cellToJsonText, jsonTextToCell } from './cell-json.ts';
import type { Cell, Variant } from './cell.ts';
import type { OnLoss } from './contracts.ts';
import { attempted, isLoss } from './conversion-loss.ts';
import type { Attempt, Note, Step } from './conversion-loss.ts';
import { scalarStep } from './conversion-scalar.ts';
import { sameType, typeText } from './logical-type.ts';
import type { LogicalType } from './logical-type.ts';
import { parseType } from './type-text.ts';
import type { Zone } from './zone.ts';

/**
 * - `same`: the cell as it is.
 * - `exact`: every value has its counterpart, and converting back gives the value again.
 * - `checked`: values that fit are carried exactly; others are losses.
 * - `lossy`: most values lose something (a date of an instant); those are losses.
 * - `impossible`: there is no such conversion.
 */
export interface ConversionPlan {
  readonly kind: 'same' | 'exact' | 'checked' | 'lossy' | 'impossible';
  /** What may be lost, or why it is impossible; for people. */
  readonly loss?: string;
  /**
   * NULL and absent stay what they are. `note` is called once for every value that was not carried exactly, with what was done:
   * `null`, `text`, `truncated`, `rounded`, `gap`, `overlap`, `negative-zero`, `json-null`.
   *
   * @throws {TrueupError} `E_RECORD_LOSS` or `E_RECORD_VALUE` naming the place and both types, never the value
   */
  convert(cell: Cell, note: Note): Cell;
}

export interface ConversionRequest {
  readonly from: LogicalType;
  readonly to: LogicalType;
  /** `truncate` cuts fractions, times of day and digits that a float has no room for; it never wraps or clamps a number. */
  readonly onLoss: OnLoss;
  /** Between civil values and instants. */
  readonly zone?: Zone;
  /** For messages: `field 'total'`. */
  readonly place?: string;
}

/** One cell of the conversion matrix. Pure. */
export function planConversion(request: ConversionRequest): ConversionPlan {
  const { from, to } = request;
  if (sameType(from, to)) return { kind: 'same', convert: (cell) => cell };
  const step = stepFor(request);
  if (step.kind === 'impossible') {
    return {
      kind: 'impossible',
      loss: step.loss,
      convert: () => {
        throw new TrueupError(
          'E_MAPPING_TYPE',
          `${request.place ?? 'a value'}: ${typeText(from)} does not convert to ${typeText(to)}: ${step.loss}`,
        );
      },
    };
  }
  const { attempt } = step;
  const settle = lossSettler(request);
  return {
    kind: step.kind,
    ...(step.loss === undefined ? {} : { loss: step.loss }),
    convert: (cell, note) => {
      if (cell === null || cell === undefined) return cell;
      const result = attempt(cell, note);
      return isLoss(result) ? settle(cell, result, note) : result;
    },
  };
}

/** What becomes of a value that is lost, by the policy. */
function lossSettler({ from, to, onLoss, place = 'a value' }: ConversionRequest) {
  const refuse = (loss: string, code: ErrorCode): never => {
    throw new TrueupError(code, `${place}: ${loss} (${typeText(from)} to ${typeText(to)})`);
  };
  return (
    cell: Cell,
    { loss, code = 'E_RECORD_LOSS', cut, how = 'truncated' }: { loss: string; code?: ErrorCode; cut?: Cell; how?: string },
    note: Note,
  ): Cell => {
    if (onLoss === 'null') return (note('null'), null);
    if (onLoss === 'truncate' && cut !== undefined) return (note(how), cut);
    const text = onLoss === 'text' ? asText(from, to, cell) : undefined;
    if (text !== undefined) return (note('text'), text);
    return refuse(loss, code);
  };
}

/** The value's text as a cell of `to`, where such a cell can hold text. */
function asText(from: LogicalType, to: LogicalType, cell: Cell): Cell {
  if (from === 'variant') return asText(parseType((cell as Variant).variant) ?? 'unknown', to, (cell as Variant).value);
  const text = cellToJsonText(from, cell);
  const content = text.startsWith('"') ? (JSON.parse(text) as string) : text;
  if (to === 'text' || to === 'unknown') return content;
  if (to === 'json') return JSON.stringify(content);
  return to === 'variant' ? { variant: 'text', value: content } : undefined;
}

function stepFor(request: ConversionRequest): Step {
  const { from, to, zone } = request;
  if (to === 'variant') return { kind: 'exact', attempt: (value) => ({ variant: typeText(from), value }) };
  if (from === 'variant') return fromVariant(request);
  if (typeof from === 'string' && typeof to === 'string') return scalarStep(from, to, zone);
  if (typeof from === 'string') return toComposite(from, to);
  if (to === 'text' || to === 'unknown') return { kind: 'exact', attempt: (cell) => cellToJsonText(from, cell) };
  if ('list' in from && typeof to !== 'string' && 'list' in to) return elementwise({ ...request, from: from.list, to: to.list });
  if ('struct' in from && typeof to !== 'string' && 'struct' in to) return fieldwise(from, to, request);
  if (to === 'json') return 'list' in from ? listToJson(from.list, request) : structToJson(from, request);
  return { kind: 'impossible', loss: 'one is a list or struct of another kind' };
}

/** From text or json: JSON that stands for the list or struct. */
function toComposite(from: LogicalType, to: LogicalType): Step {
  if (from !== 'text' && from !== 'json') return { kind: 'impossible', loss: 'a single value is no list or struct' };
  return {
    kind: 'checked',
    loss: `JSON that does not stand for ${typeText(to)}`,
    attempt: attempted((cell) => jsonTextToCell(to, cell as string, 'the value')),
  };
}

function elementwise(request: ConversionRequest): Step {
  const plan = planConversion(request);
  if (plan.kind === 'impossible') return { kind: 'impossible', loss: plan.loss ?? '' };
  const attempt: Attempt = (cell, note) => (cell as readonly Cell[]).map((item) => plan.convert(item, note));
  return { ...described(plan), attempt };
}

const KINDS = ['same', 'exact', 'checked', 'lossy'] as const;

function fieldwise(
  from: Extract<LogicalType, { struct: unknown }>,
  to: Extract<LogicalType, { struct: unknown }>,
  request: ConversionRequest,
): Step {
  const extra = from.struct.find((field) => !to.struct.some((other) => other.name === field.name));
  if (extra !== undefined) return { kind: 'impossible', loss: `the field '${extra.name}' has no place` };
  const parts = to.struct.map((field) => {
    const index = from.struct.findIndex((other) => other.name === field.name);
    const source = from.struct[index];
    return source === undefined ? null : { index, plan: planConversion({ ...request, from: source.type, to: field.type }) };
  });
  const missing = to.struct[parts.indexOf(null)];
  if (missing !== undefined) return { kind: 'impossible', loss: `there is no field '${missing.name}'` };
  const all = parts.filter((part) => part !== null);
  const impossible = all.find((part) => part.plan.kind === 'impossible');
  if (impossible !== undefined) return { kind: 'impossible', loss: impossible.plan.loss ?? '' };
  const worst = all.map((part) => part.plan).sort((a, b) => KINDS.indexOf(b.kind as 'same') - KINDS.indexOf(a.kind as 'same'))[0];
  const attempt: Attempt = (cell, note) => all.map((part) => part.plan.convert((cell as readonly Cell[])[part.index], note));
  return { ...described(worst ?? { kind: 'exact' }), attempt };
}

/** A value as a part of JSON. Text is a JSON string there, while a text on its own that becomes json is read as JSON. */
export function planJsonPart(request: Omit<ConversionRequest, 'to'>): ConversionPlan {
  const { from } = request;
  if (from !== 'text' && from !== 'unknown') return planConversion({ ...request, to: 'json' });
  return { kind: 'exact', convert: (cell) => (cell === null || cell === undefined ? cell : JSON.stringify(cell)) };
}

function listToJson(element: LogicalType, request: ConversionRequest): Step {
  const plan = planJsonPart({ ...request, from: element });
  const attempt: Attempt = (cell, note) => `[${(cell as readonly Cell[]).map((item) => jsonPart(plan.convert(item, note))).join(',')}]`;
  return { ...described(plan), attempt };
}

function structToJson({ struct }: Extract<LogicalType, { struct: unknown }>, request: ConversionRequest): Step {
  const parts = struct.map((field) => ({ name: JSON.stringify(field.name), plan: planJsonPart({ ...request, from: field.type }) }));
  const checked = parts.find((part) => part.plan.kind === 'checked');
  const attempt: Attempt = (cell, note) =>
    `{${parts.map((part, index) => `${part.name}:${jsonPart(part.plan.convert((cell as readonly Cell[])[index], note))}`).join(',')}}`;
  return { ...described(checked?.plan ?? { kind: 'exact' }), attempt };
}

function jsonPart(text: Cell): string {
  return text === null || text === undefined ? 'null' : (text as string);
}

function described(plan: Pick<ConversionPlan, 'kind' | 'loss'>): { kind: 'exact' | 'checked' | 'lossy'; loss?: string } {
  const kind = plan.kind === 'same' || plan.kind === 'impossible' ? 'exact' : plan.kind;
  return plan.loss === undefined ? { kind } : { kind, loss: plan.loss };
}

/** Each value by the type that it names. */
function fromVariant(request: ConversionRequest): Step {
  const plans = new Map<string, ConversionPlan | null>();
  const planOf = (name: string): ConversionPlan | null => {
    const known = plans.get(name);
    if (known !== undefined) return known;
    const type = parseType(name);
    // A text among values of other types is a value too, not the JSON of one: 'null', '1' and 1 stay three.
    const convertFrom = request.to === 'json' ? planJsonPart : planConversion;
    const made = type === null || type === 'variant' ? null : convertFrom({ ...request, from: type });
    const plan = made?.kind === 'impossible' ? null : made;
    if (plans.size < 1000) plans.set(name, plan);
    return plan;
  };
  return {
    kind: 'checked',
    loss: `values of a type that does not convert to ${typeText(request.to)}`,
    attempt: (cell, note) => {
      const { variant, value } = cell as Variant;
      // As text, the number 5 and the text '5' would be one: which is a loss.
      if (request.to === 'text' && variant !== 'text')
        return { loss: `a value of type ${parseType(variant) === null ? 'unknown to trueup' : variant} is no text` };
      const plan = planOf(variant);
      return plan === null
        ? {
            loss: `a value of type ${parseType(variant) === null ? 'unknown to trueup' : variant} does not convert`,
            code: 'E_RECORD_VALUE',
          }
        : plan.convert(value, note);
    },
  };
}
