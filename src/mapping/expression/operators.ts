import { arithmetic, checkedInt, dynamicArithmetic } from './arithmetic.ts';
import type { ArithmeticOperator } from './arithmetic.ts';
import { expressionFault, typeProblem } from './fault.ts';
import { celTypeText, compareValues, equalValues, isList, isNumeric, sameCelType, typeOfValue } from './value.ts';
import type { CelType, Duration, Value } from './value.ts';
import type { Compiled, Run } from './scope.ts';
import type { Decimal } from '../../model/decimal.ts';

const ORDERED: readonly CelType[] = ['bool', 'string', 'bytes', 'timestamp', 'duration', 'date', 'time', 'datetime'];

export function asBool(value: Value, what: string): boolean {
  if (typeof value !== 'boolean') throw expressionFault(`${what} must be a bool, got ${celTypeText(typeOfValue(value))}`);
  return value;
}

function isBoolish(type: CelType): boolean {
  return type === 'bool' || type === 'dyn' || type === 'null';
}

/** NULL is "unknown", as in SQL: `false && NULL` is false, `true || NULL` is true, else NULL. A side that decides hides a fault of the other. */
export function compileLogic(operator: '&&' | '||', [a, b]: readonly Compiled[], starts: readonly number[]): Compiled {
  const [left, right] = [a, b] as [Compiled, Compiled];
  for (const [index, side] of [left, right].entries()) {
    if (!isBoolish(side.type))
      throw typeProblem(`'${operator}' needs a bool on both sides, not ${celTypeText(side.type)}`, starts[index] as number);
  }
  const deciding = operator === '||';
  const run: Run = (environment) => {
    let fault: unknown;
    let first: Value = null;
    try {
      first = left.run(environment);
      if (first === deciding) return deciding;
      if (first !== null) asBool(first, `a side of '${operator}'`);
    } catch (error) {
      fault = error;
    }
    const second = right.run(environment);
    if (second === deciding) return deciding;
    if (fault !== undefined) throw fault as Error;
    if (second !== null) asBool(second, `a side of '${operator}'`);
    return first === null || second === null ? null : !deciding;
  };
  return { type: 'bool', run };
}

export function compileUnary(operator: '!_' | '-_', operand: Compiled, start: number): Compiled {
  if (operator === '!_') {
    if (!isBoolish(operand.type)) throw typeProblem(`'!' needs a bool, not ${celTypeText(operand.type)}`, start);
    return { type: 'bool', run: notNull(operand.run, (value) => !asBool(value, "what follows '!'")) };
  }
  const { type, literal, asDecimal } = operand;
  if (!isNumeric(type) && type !== 'duration' && type !== 'dyn' && type !== 'null')
    throw typeProblem(`'-' needs a number, not ${celTypeText(type)}`, start);
  if (literal !== undefined && literal !== null) {
    const negated = negative(literal);
    return {
      type,
      run: () => negated,
      literal: negated,
      ...(asDecimal === undefined ? {} : { asDecimal: { digits: -asDecimal.digits, scale: asDecimal.scale } }),
    };
  }
  return { type, run: notNull(operand.run, negative) };
}

function notNull(run: Run, apply: (value: Exclude<Value, null>) => Value): Run {
  return (environment) => {
    const value = run(environment);
    return value === null ? null : apply(value);
  };
}

function negative(value: Value): Value {
  if (typeof value === 'bigint') return checkedInt(-value);
  if (typeof value === 'number') return -value;
  if (typeof value === 'object' && value !== null) {
    if ('digits' in value) return { digits: -(value as Decimal).digits, scale: (value as Decimal).scale };
    if ('special' in value) return { special: -(value as { special: number }).special };
    if ('duration' in value) return { duration: checkedInt(-(value as Duration).duration) };
  }
  throw expressionFault(`there is no -${celTypeText(typeOfValue(value))}`);
}

type BinaryOperator = ArithmeticOperator | '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in';

export function compileBinary(operator: BinaryOperator, a: Compiled, b: Compiled, start: number): Compiled {
  const [left, right] = asDecimals(a, b);
  switch (operator) {
    case '==':
    case '!=':
      return compileEquality(operator === '==', left, right, start);
    case '<':
    case '<=':
    case '>':
    case '>=':
      return compileOrder(operator, left, right, start);
    case 'in':
      return compileMembership(left, right, start);
    default:
      return compileArithmetic(operator, left, right, start);
  }
}

/** A number that is written with a point is the decimal that is written, where it meets a decimal or what is inside json. */
function asDecimals(a: Compiled, b: Compiled): readonly [Compiled, Compiled] {
  return [meeting(a, b.type), meeting(b, a.type)];
}

function meeting(side: Compiled, other: CelType): Compiled {
  const { asDecimal } = side;
  const list = typeof other !== 'string' ? other.list : other;
  if (asDecimal === undefined || (list !== 'decimal' && list !== 'dyn')) return side;
  return { type: 'decimal', run: () => asDecimal, literal: asDecimal };
}

function mismatch(operator: string, left: CelType, right: CelType, start: number): Error {
  return typeProblem(`there is no ${celTypeText(left)} ${operator} ${celTypeText(right)}${hint(operator, left, right)}`, start);
}

function hint(operator: string, left: CelType, right: CelType): string {
  const types = [celTypeText(left), celTypeText(right)];
  if (operator === '/' && types.includes('decimal')) return '; use divide(a, b, digits), which says where to round';
  if (types.includes('double') && (types.includes('int') || types.includes('decimal')))
    return '; convert one side with double(…) or decimal(…)';
  if (types.includes('string') && types.some((type) => type !== 'string' && !type.includes('list'))) {
    const other = types.find((type) => type !== 'string') as string;
    return operator === '+' ? '; convert with string(…)' : `; convert with ${other}(…) or string(…)`;
  }
  return '';
}

function isOpen(type: CelType): boolean {
  return type === 'dyn' || type === 'null';
}

/** The one operator family that sees NULL: null equals null only. */
function compileEquality(positive: boolean, left: Compiled, right: Compiled, start: number): Compiled {
  const fits =
    isOpen(left.type) ||
    isOpen(right.type) ||
    sameCelType(left.type, right.type) ||
    (isNumeric(left.type) && isNumeric(right.type)) ||
    (typeof left.type !== 'string' && typeof right.type !== 'string');
  if (!fits) throw mismatch(positive ? '==' : '!=', left.type, right.type, start);
  const [a, b] = [left.run, right.run];
  return { type: 'bool', run: (environment) => equalValues(a(environment), b(environment)) === positive };
}

const VERDICTS: Readonly<Record<'<' | '<=' | '>' | '>=', (order: number) => boolean>> = {
  '<': (o) => o < 0,
  '<=': (o) => o <= 0,
  '>': (o) => o > 0,
  '>=': (o) => o >= 0,
};

function areOrdered(left: CelType, right: CelType): boolean {
  return (isNumeric(left) && isNumeric(right)) || (ORDERED.includes(left) && left === right);
}

function compileOrder(operator: '<' | '<=' | '>' | '>=', left: Compiled, right: Compiled, start: number): Compiled {
  const open = isOpen(left.type) || isOpen(right.type);
  if (!open && !areOrdered(left.type, right.type)) throw mismatch(operator, left.type, right.type, start);
  const [a, b, verdict] = [left.run, right.run, VERDICTS[operator]];
  const run: Run = (environment) => {
    const first = a(environment);
    const second = b(environment);
    if (first === null || second === null) return null;
    if (open && !areOrdered(typeOfValue(first), typeOfValue(second))) {
      throw expressionFault(`there is no ${celTypeText(typeOfValue(first))} ${operator} ${celTypeText(typeOfValue(second))}`);
    }
    const order = compareValues(first, second);
    return order !== null && verdict(order);
  };
  return { type: 'bool', run };
}

function compileMembership(left: Compiled, right: Compiled, start: number): Compiled {
  const list = typeof right.type !== 'string' ? right.type.list : null;
  const fits =
    list === null
      ? right.type === 'map' || isOpen(right.type)
      : isOpen(list) || isOpen(left.type) || sameCelType(list, left.type) || (isNumeric(list) && isNumeric(left.type));
  if (!fits) throw mismatch('in', left.type, right.type, start);
  const [a, b] = [left.run, right.run];
  const run: Run = (environment) => {
    const item = a(environment);
    const container = b(environment);
    if (item === null || container === null) return null;
    if (isList(container)) return container.some((one) => equalValues(one, item));
    if (container instanceof Map) return typeof item === 'string' && container.has(item);
    throw expressionFault(`there is no ${celTypeText(typeOfValue(item))} in ${celTypeText(typeOfValue(container))}`);
  };
  return { type: 'bool', run };
}

function compileArithmetic(operator: ArithmeticOperator, left: Compiled, right: Compiled, start: number): Compiled {
  if (left.type === 'null' || right.type === 'null') return { type: left.type === 'null' ? right.type : left.type, run: () => null };
  const [a, b] = [left.run, right.run];
  const open = left.type === 'dyn' || right.type === 'dyn';
  const overload = open
    ? { returns: 'dyn' as const, run: (x: Value, y: Value) => dynamicArithmetic(operator, x, y) }
    : arithmetic(operator, left.type, right.type);
  if (overload === null) throw mismatch(operator, left.type, right.type, start);
  const apply = overload.run;
  const run: Run = (environment) => {
    const first = a(environment);
    const second = b(environment);
    return first === null || second === null ? null : apply(first, second);
  };
  return { type: overload.returns, run };
}
