import type { CelType, Value } from './value.ts';

/** One signature of a function. Never called with a NULL argument: the result is NULL then. */
export interface FunctionOverload {
  readonly name: string;
  /** `function`: f(x) · `method`: x.f() · `both`. */
  readonly style: 'function' | 'method' | 'both';
  readonly params: readonly CelType[];
  readonly returns: CelType;
  readonly run: (...args: Value[]) => Value;
}

export function define(
  style: FunctionOverload['style'],
  name: string,
  params: readonly CelType[],
  returns: CelType,
  run: (...args: never[]) => Value,
): FunctionOverload {
  return { name, style, params, returns, run: run as FunctionOverload['run'] };
}
