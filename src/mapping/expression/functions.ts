import { cellFromText } from '../../model/cell-text.ts';
import { roundDecimal, wholePart } from '../../model/decimal.ts';
import type { Decimal } from '../../model/decimal.ts';
import { bounded, checkedInt, finite } from './arithmetic.ts';
import { expressionFault } from './fault.ts';
import { civilValue, valueText } from './load.ts';
import { define } from './overload.ts';
import type { FunctionOverload } from './overload.ts';
import { textFunctions } from './text-functions.ts';
import { timeFunctions } from './time-functions.ts';
import { decimalValue } from './value.ts';
import type { CelType, Value } from './value.ts';

const anyList: CelType = { list: 'dyn' };
const SCALARS: readonly CelType[] = ['bool', 'int', 'double', 'decimal', 'timestamp', 'duration', 'date', 'time', 'datetime', 'string'];

function fromText(type: 'bool' | 'int64' | 'float64' | 'timestamptz', text: string): Value {
  try {
    return cellFromText(type, text) as Value;
  } catch {
    throw expressionFault(`the text is no ${type}`);
  }
}

function orFault<T>(value: T | null, message: string): T {
  if (value === null) throw expressionFault(message);
  return value;
}

const conversions: readonly FunctionOverload[] = [
  ...SCALARS.map((type) => define('function', 'string', [type], 'string', (value: Exclude<Value, null>) => valueText(value))),
  define('function', 'string', ['bytes'], 'string', (bytes: Uint8Array) => utf8(bytes)),
  define('function', 'string', ['map'], 'string', (value: Exclude<Value, null>) => valueText(value)),
  define('function', 'string', [anyList], 'string', (value: Exclude<Value, null>) => valueText(value)),
  define('function', 'int', ['int'], 'int', (value: bigint) => value),
  define('function', 'int', ['double'], 'int', (value: number) => intOfDouble(value)),
  define('function', 'int', ['decimal'], 'int', (value: Value) => checkedInt(wholePart(finite(value)).whole)),
  define('function', 'int', ['string'], 'int', (text: string) => fromText('int64', text)),
  define('function', 'double', ['double'], 'double', (value: number) => value),
  define('function', 'double', ['int'], 'double', (value: bigint) => Number(value)),
  define('function', 'double', ['decimal'], 'double', (value: Value) => Number(valueText(value as Decimal))),
  define('function', 'double', ['string'], 'double', (text: string) => fromText('float64', text)),
  define('function', 'decimal', ['decimal'], 'decimal', (value: Decimal) => value),
  define('function', 'decimal', ['int'], 'decimal', (value: bigint) => ({ digits: value, scale: 0 })),
  define('function', 'decimal', ['double'], 'decimal', (value: number) =>
    orFault(decimalValue(valueText(value)), 'the number is no decimal'),
  ),
  define('function', 'decimal', ['string'], 'decimal', (text: string) => orFault(decimalValue(text), 'the text is no decimal')),
  define('function', 'bool', ['bool'], 'bool', (value: boolean) => value),
  define('function', 'bool', ['string'], 'bool', (text: string) => fromText('bool', text)),
  define('function', 'bytes', ['bytes'], 'bytes', (value: Uint8Array) => value),
  define('function', 'bytes', ['string'], 'bytes', (text: string) => encoded(text)),
  define('function', 'timestamp', ['string'], 'timestamp', (text: string) => ({ instant: fromText('timestamptz', text) as bigint })),
  define('function', 'timestamp', ['timestamp'], 'timestamp', (value: Value) => value),
  define('function', 'date', ['string'], 'date', (text: string) => orFault(civilValue('date', text), 'the text is no date')),
  define('function', 'time', ['string'], 'time', (text: string) => orFault(civilValue('time', text), 'the text is no time')),
  define('function', 'datetime', ['string'], 'datetime', (text: string) =>
    orFault(civilValue('datetime', text), 'the text is no civil date and time'),
  ),
];

function intOfDouble(value: number): bigint {
  if (!Number.isFinite(value)) throw expressionFault('NaN and Infinity are no int');
  return checkedInt(BigInt(Math.trunc(value)));
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw expressionFault('the bytes are no UTF-8');
  }
}

function encoded(text: string): Uint8Array {
  if (!text.isWellFormed()) throw expressionFault('the text holds a lone surrogate, which has no bytes');
  return new TextEncoder().encode(text);
}

const numbers: readonly FunctionOverload[] = [
  define('function', 'abs', ['int'], 'int', (value: bigint) => checkedInt(value < 0n ? -value : value)),
  define('function', 'abs', ['double'], 'double', (value: number) => Math.abs(value)),
  define('function', 'abs', ['decimal'], 'decimal', (value: Value) => absolute(finite(value))),
  define('function', 'round', ['decimal', 'int'], 'decimal', (value: Value, scale: bigint) => roundDecimal(finite(value), scaleOf(scale))),
  ...(['int', 'decimal'] as const).flatMap((left) =>
    (['int', 'decimal'] as const).map((right) =>
      define('function', 'divide', [left, right, 'int'], 'decimal', (a: Value, b: Value, scale: bigint) =>
        divided(finite(a), finite(b), scaleOf(scale)),
      ),
    ),
  ),
];

function absolute(value: Decimal): Decimal {
  return value.digits < 0n ? { digits: -value.digits, scale: value.scale } : value;
}

function scaleOf(scale: bigint): number {
  if (scale < 0n || scale > 1000n) throw expressionFault('a scale must be from 0 to 1000');
  return Number(scale);
}

/** Rounded half away from zero, once. */
function divided(a: Decimal, b: Decimal, scale: number): Decimal {
  if (b.digits === 0n) throw expressionFault('division by zero');
  // a/b at twice the resolution, so that the last bit says on which side of the half it lies.
  const numerator = a.digits * 10n ** BigInt(b.scale + scale) * 2n;
  const denominator = b.digits * 10n ** BigInt(a.scale);
  const doubled = numerator / denominator;
  const digits = (doubled + (doubled < 0n ? -1n : 1n)) / 2n;
  return bounded({ digits, scale });
}

const sizes: readonly FunctionOverload[] = [
  define('both', 'size', ['bytes'], 'int', (value: Uint8Array) => BigInt(value.length)),
  define('both', 'size', [anyList], 'int', (value: readonly Value[]) => BigInt(value.length)),
  define('both', 'size', ['map'], 'int', (value: ReadonlyMap<string, Value>) => BigInt(value.size)),
];

/** Every function but those that need to see their arguments unevaluated (`has`, `coalesce`, `field`, `matches`, the list macros). */
export const FUNCTIONS: ReadonlyMap<string, readonly FunctionOverload[]> = Map.groupBy(
  [...conversions, ...numbers, ...sizes, ...textFunctions, ...timeFunctions],
  (overload) => overload.name,
);
