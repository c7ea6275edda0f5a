import { INSTANT_INFINITY } from '../../model/cell.ts';
import { rescaled } from '../../model/decimal.ts';
import type { Decimal } from '../../model/decimal.ts';
import { isInstant } from '../../model/scalar-text.ts';
import { expressionFault } from './fault.ts';
import { celTypeText, exact, isFiniteInstant, sameCelType, typeOfValue } from './value.ts';
import type { CelType, Duration, Instant, Value } from './value.ts';

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%';

/** Never sees NULL. */
export interface Overload {
  readonly returns: CelType;
  readonly run: (a: Value, b: Value) => Value;
}

/** The overload for operands of these static types, none of them dyn; `null`: there is none. */
export function arithmetic(operator: ArithmeticOperator, left: CelType, right: CelType): Overload | null {
  if (typeof left !== 'string' || typeof right !== 'string') {
    return operator === '+' && typeof left !== 'string' && typeof right !== 'string' ? concatenation(left, right) : null;
  }
  switch (`${left} ${right}`) {
    case 'int int':
      return { returns: 'int', run: (a, b) => checkedInt(intResult(operator, a as bigint, b as bigint)) };
    case 'double double':
      return operator === '%' ? null : { returns: 'double', run: (a, b) => doubleResult(operator, a as number, b as number) };
    case 'decimal decimal':
    case 'int decimal':
    case 'decimal int':
      return operator === '/' || operator === '%'
        ? null
        : { returns: 'decimal', run: (a, b) => decimalResult(operator, finite(a), finite(b)) };
    case 'string string':
      return operator === '+' ? { returns: 'string', run: (a, b) => (a as string) + (b as string) } : null;
    case 'bytes bytes':
      return operator === '+'
        ? { returns: 'bytes', run: (a, b) => new Uint8Array(Buffer.concat([a as Uint8Array, b as Uint8Array])) }
        : null;
    default:
      return timeArithmetic(operator, left, right);
  }
}

function concatenation(left: { readonly list: CelType }, right: { readonly list: CelType }): Overload {
  const element = sameCelType(left.list, right.list) ? left.list : 'dyn';
  return { returns: { list: element }, run: (a, b) => [...(a as readonly Value[]), ...(b as readonly Value[])] };
}

function intResult(operator: ArithmeticOperator, a: bigint, b: bigint): bigint {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    default:
      if (b === 0n) throw expressionFault('division by zero');
      return operator === '/' ? a / b : a % b;
  }
}

export function checkedInt(value: bigint): bigint {
  if (BigInt.asIntN(64, value) !== value) throw expressionFault('the result is beyond 64 bits');
  return value;
}

function doubleResult(operator: ArithmeticOperator, a: number, b: number): number {
  return operator === '+' ? a + b : operator === '-' ? a - b : operator === '*' ? a * b : a / b;
}

function decimalResult(operator: ArithmeticOperator, a: Decimal, b: Decimal): Decimal {
  if (operator === '*') return bounded({ digits: a.digits * b.digits, scale: a.scale + b.scale });
  const scale = Math.max(a.scale, b.scale);
  const left = rescaled(a, scale);
  const right = rescaled(b, scale);
  return { digits: operator === '+' ? left + right : left - right, scale };
}

/** A decimal must stay one that a target can hold. */
export function bounded(value: Decimal): Decimal {
  if (value.scale > 100_000) throw expressionFault('the result has too many digits');
  return value;
}

/** An int or decimal that is a number. */
export function finite(value: Value): Decimal {
  if (typeof value === 'object' && value !== null && 'special' in value) throw expressionFault('decimal arithmetic on NaN or Infinity');
  return exact(value);
}

function timeArithmetic(operator: ArithmeticOperator, left: CelType, right: CelType): Overload | null {
  if (operator !== '+' && operator !== '-') return null;
  const sign = operator === '+' ? 1n : -1n;
  switch (`${celTypeText(left)} ${celTypeText(right)}`) {
    case 'duration duration':
      return { returns: 'duration', run: (a, b) => ({ duration: checkedInt((a as Duration).duration + sign * (b as Duration).duration) }) };
    case 'timestamp duration':
      return { returns: 'timestamp', run: (a, b) => moved(a as Instant, sign * (b as Duration).duration) };
    case 'duration timestamp':
      return operator === '+' ? { returns: 'timestamp', run: (a, b) => moved(b as Instant, (a as Duration).duration) } : null;
    case 'timestamp timestamp':
      return operator === '-'
        ? { returns: 'duration', run: (a, b) => ({ duration: checkedInt(finiteInstant(a as Instant) - finiteInstant(b as Instant)) }) }
        : null;
    default:
      return null;
  }
}

/** Infinity stays infinity, as in Postgres. */
function moved(instant: Instant, micros: bigint): Instant {
  if (!isFiniteInstant(instant)) return instant;
  const sum = instant.instant + micros;
  if (!isInstant(sum)) throw expressionFault('the result is no instant that can be held');
  return { instant: sum };
}

function finiteInstant(value: Instant): bigint {
  if (value.instant === INSTANT_INFINITY || value.instant === -INSTANT_INFINITY)
    throw expressionFault('a difference to infinity is no duration');
  return value.instant;
}

/** For operands that are known at run time only. */
export function dynamicArithmetic(operator: ArithmeticOperator, a: Value, b: Value): Value {
  const left = typeOfValue(a);
  const right = typeOfValue(b);
  const overload = arithmetic(operator, left, right);
  if (overload === null) throw expressionFault(`there is no ${celTypeText(left)} ${operator} ${celTypeText(right)}`);
  return overload.run(a, b);
}
