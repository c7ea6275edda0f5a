import type { Cell, Variant } from '../../model/cell.ts';
import { INSTANT_INFINITY } from '../../model/cell.ts';
import { cellToText } from '../../model/cell-text.ts';
import { parseDate, parseTimeOfDay, parseTimestamp, timestampText, dateText, timeOfDayText } from '../../model/civil-time.ts';
import { decimalText } from '../../model/decimal.ts';
import type { Decimal } from '../../model/decimal.ts';
import { JsonNumber, parseExactJson } from '../../model/exact-json.ts';
import type { ExactJson } from '../../model/exact-json.ts';
import type { LogicalType } from '../../model/logical-type.ts';
import { parseType } from '../../model/type-text.ts';
import { expressionFault } from './fault.ts';
import { decimalValue, decimalValueText, instantValueText, isList, typeOfValue } from './value.ts';
import type { CelType, Civil, Duration, Instant, SpecialDecimal, Value } from './value.ts';

/** How expressions see the fields of a type. */
export function celTypeOf(type: LogicalType): CelType {
  if (typeof type !== 'string') return 'list' in type ? { list: celTypeOf(type.list) } : 'map';
  switch (type) {
    case 'int32':
    case 'int64':
      return 'int';
    case 'float64':
      return 'double';
    case 'timestamptz':
      return 'timestamp';
    case 'timestamp':
      return 'datetime';
    case 'bool':
    case 'decimal':
    case 'bytes':
    case 'date':
    case 'time':
      return type;
    case 'json':
    case 'variant':
      return 'dyn';
    default:
      return 'string';
  }
}

/** A carrier as an expression's value. Chosen per field once, called per record. */
export function loaderOf(type: LogicalType): (cell: Exclude<Cell, null | undefined>) => Value {
  if (typeof type !== 'string') return 'list' in type ? listLoader(type.list) : structLoader(type);
  switch (type) {
    case 'int32':
      return (cell) => BigInt(cell as number);
    case 'decimal':
      return (cell) => required(decimalValue(cell as string), 'a decimal field holds text that is no decimal');
    case 'timestamptz':
      return (cell) => ({ instant: cell as bigint });
    case 'date':
    case 'time':
      return (cell) => required(civilValue(type, cell as string), `a ${type} field holds text that is no ${type}`);
    case 'timestamp':
      return (cell) => required(civilValue('datetime', cell as string), 'a timestamp field holds text that is no timestamp');
    case 'json':
      return (cell) => jsonValue(parsed(cell as string));
    case 'variant':
      return (cell) => variantValue(cell as Variant);
    default:
      return (cell) => cell as Value;
  }
}

function listLoader(element: LogicalType): (cell: Exclude<Cell, null | undefined>) => Value {
  const load = loaderOf(element);
  return (cell) => (cell as readonly Cell[]).map((item) => (item === null || item === undefined ? null : load(item)));
}

function structLoader({ struct }: Extract<LogicalType, { struct: unknown }>): (cell: Exclude<Cell, null | undefined>) => Value {
  const loaders = struct.map((field) => loaderOf(field.type));
  return (cell) =>
    new Map(
      struct.map((field, index): [string, Value] => {
        const item = (cell as readonly Cell[])[index];
        return [field.name, item === null || item === undefined ? null : (loaders[index] as (cell: Cell) => Value)(item)];
      }),
    );
}

function variantValue({ variant, value }: Variant): Value {
  const type = parseType(variant);
  if (type === null) throw expressionFault('a value has a type that expressions do not know');
  return value === null || value === undefined ? null : loaderOf(type)(value);
}

function required<T>(value: T | null, message: string): T {
  if (value === null) throw expressionFault(message);
  return value;
}

function parsed(text: string): ExactJson {
  try {
    return parseExactJson(text);
  } catch {
    throw expressionFault('a json field holds text that is no JSON, or JSON that is nested too deeply');
  }
}

/** Whole numbers of 64 bits are ints, other numbers exact decimals. */
export function jsonValue(json: ExactJson): Value {
  if (json instanceof JsonNumber) {
    const whole = /^-?\d{1,19}$/.test(json.text) ? BigInt(json.text) : null;
    if (whole !== null && BigInt.asIntN(64, whole) === whole) return whole;
    return required(decimalValue(json.text), 'a number inside json has too many digits');
  }
  if (Array.isArray(json)) return (json as readonly ExactJson[]).map(jsonValue);
  if (json instanceof Map) return new Map([...(json as ReadonlyMap<string, ExactJson>)].map(([name, value]) => [name, jsonValue(value)]));
  return json as Value;
}

const INFINITIES = new Map([
  ['infinity', INSTANT_INFINITY],
  ['-infinity', -INSTANT_INFINITY],
]);

/** `null`: the text is no such value. */
export function civilValue(civil: Civil['civil'], text: string): Civil | null {
  const infinite = civil === 'time' ? undefined : INFINITIES.get(text);
  if (infinite !== undefined) return { civil, order: infinite, text };
  if (civil === 'date') {
    const days = parseDate(text);
    return days === null ? null : { civil, order: BigInt(days), text: dateText(days) };
  }
  if (civil === 'datetime') {
    const stamp = parseTimestamp(text);
    return stamp === null || stamp.cut ? null : { civil, order: stamp.value, text: timestampText(stamp.value) };
  }
  const time = parseTimeOfDay(text);
  return time === null || time.cut ? null : { civil, order: BigInt(time.value), text: timeOfDayText(time.value) };
}

/** The carrier that a value is naturally kept in. */
export function naturalType(type: CelType): LogicalType {
  if (typeof type !== 'string') return type.list === 'dyn' || type.list === 'map' ? 'json' : { list: naturalType(type.list) };
  switch (type) {
    case 'int':
      return 'int64';
    case 'double':
      return 'float64';
    case 'string':
    case 'null':
      return 'text';
    case 'timestamp':
      return 'timestamptz';
    case 'datetime':
      return 'timestamp';
    case 'duration':
      return 'interval';
    case 'map':
    case 'dyn':
      return 'json';
    default:
      return type;
  }
}

/** A value as the carrier of `naturalType` of its static type. */
export function storeValue(type: LogicalType, value: Value): Cell {
  if (value === null) return null;
  if (type === 'json') return jsonTextOf(value);
  if (typeof type !== 'string' && 'list' in type) return (value as readonly Value[]).map((item) => storeValue(type.list, item));
  switch (type) {
    case 'decimal':
      return decimalValueText(value as Decimal | SpecialDecimal);
    case 'timestamptz':
      return (value as Instant).instant;
    case 'date':
    case 'time':
    case 'timestamp':
      return (value as Civil).text;
    case 'interval':
      return durationText(value as Duration);
    default:
      return value as Cell;
  }
}

/** Any value as JSON text, numbers with all their digits. */
export function jsonTextOf(value: Value): string {
  if (value === null) return 'null';
  if (isList(value)) return `[${value.map(jsonTextOf).join(',')}]`;
  if (value instanceof Map)
    return `{${[...(value as ReadonlyMap<string, Value>)].map(([name, item]) => `${JSON.stringify(name)}:${jsonTextOf(item)}`).join(',')}}`;
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  const text = valueText(value);
  const type = typeOfValue(value);
  return (type === 'double' || type === 'decimal') && /^-?\d/.test(text) ? text : JSON.stringify(text);
}

/** The canonical text of a scalar value, what `string(x)` gives; of lists and maps their JSON. */
export function valueText(value: Exclude<Value, null>): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return cellToText('float64', value) as string;
  if (value instanceof Uint8Array) return cellToText('bytes', value) as string;
  if (isList(value) || value instanceof Map) return jsonTextOf(value);
  if ('instant' in value) return instantValueText(value);
  if ('duration' in value) return durationText(value);
  if ('civil' in value) return value.text;
  return decimalValueText(value as Decimal | SpecialDecimal);
}

/** ISO 8601, in seconds, so that nothing depends on a calendar: `PT5400S`. */
function durationText({ duration }: Duration): string {
  return `PT${decimalText({ digits: duration, scale: 6 }).replace(/\.?0{1,6}$/, '')}S`;
}
