import type { ASTNode } from '@marcbachmann/cel-js';
import { isTrueupError } from '../../errors.ts';
import { knownNames } from '../../model/suggest.ts';
import { openZone } from '../../model/zone.ts';
import { ExpressionProblem, expressionFault, typeProblem } from './fault.ts';
import { FUNCTIONS } from './functions.ts';
import type { FunctionOverload } from './overload.ts';
import { MACROS, compileMacro } from './macros.ts';
import { compilePattern } from './pattern.ts';
import type { Compile, Compiled, Run, Scope } from './scope.ts';
import { hasMember } from './select.ts';
import { celTypeText, sameCelType, typeOfValue } from './value.ts';
import type { CelType, Value } from './value.ts';

const SPECIAL = ['has', 'coalesce', 'field', 'matches', 'dyn'];

/** `f(x)` */
export function compileCall(node: Extract<ASTNode, { op: 'call' }>, scope: Scope, compile: Compile): Compiled {
  const [name, args] = node.args;
  switch (name) {
    case 'has':
      return compileHas(node, args, scope, compile);
    case 'coalesce':
      return compileCoalesce(
        args.map((arg) => compile(arg, scope)),
        node.start,
      );
    case 'field':
      return compileField(node, args, scope);
    case 'dyn':
      return { ...compile(only(args, name, node), scope), type: 'dyn' };
    case 'matches':
      return compileMatches(
        args.map((arg) => compile(arg, scope)),
        node.start,
      );
    default:
      return compileOverloads(
        name,
        'function',
        args.map((arg) => compile(arg, scope)),
        node.start,
      );
  }
}

/** `x.f(y)` */
export function compileMethod(node: Extract<ASTNode, { op: 'rcall' }>, scope: Scope, compile: Compile): Compiled {
  const [name, receiver, args] = node.args;
  if (MACROS.includes(name) && args.length >= 2)
    return compileMacro({ name, receiver: compile(receiver, scope), args, start: node.start }, scope, compile);
  const compiled = [receiver, ...args].map((arg) => compile(arg, scope));
  return name === 'matches' ? compileMatches(compiled, node.start) : compileOverloads(name, 'method', compiled, node.start);
}

function only(args: readonly ASTNode[], name: string, node: ASTNode): ASTNode {
  if (args.length !== 1) throw new ExpressionProblem(`${name}(…) takes one argument, got ${args.length}`, node.start);
  return args[0] as ASTNode;
}

function compileHas(node: ASTNode, args: readonly ASTNode[], scope: Scope, compile: Compile): Compiled {
  const select = only(args, 'has', node);
  if (select.op !== '.') throw new ExpressionProblem('has(…) takes a name inside something: has(payload.customer)', node.start);
  const object = compile(select.args[0], scope);
  const member = select.args[1];
  if (object.type !== 'map' && object.type !== 'dyn')
    throw typeProblem(`has(…): a ${celTypeText(object.type)} has nothing inside`, node.start);
  return { type: 'bool', run: (environment) => hasMember(object.run(environment), member) };
}

/** The first argument that is not NULL. The one function that takes NULL. */
function compileCoalesce(args: readonly Compiled[], start: number): Compiled {
  const types = args.map((arg) => arg.type).filter((type) => type !== 'null');
  const [first = 'null'] = types;
  if (args.length === 0) throw new ExpressionProblem('coalesce(…) takes at least one argument', start);
  const type = types.every((other) => sameCelType(other, first)) ? first : types.includes('dyn') ? 'dyn' : null;
  if (type === null) throw typeProblem(`coalesce(…) takes values of one type, not ${types.map(celTypeText).join(', ')}`, start);
  const run: Run = (environment) => {
    for (const arg of args) {
      const value = arg.run(environment);
      if (value !== null) return value;
    }
    return null;
  };
  return { type, run };
}

/** `field("order total")`: a field whose name is no identifier. */
function compileField(node: ASTNode, args: readonly ASTNode[], scope: Scope): Compiled {
  const name = only(args, 'field', node);
  if (name.op !== 'value' || typeof name.args !== 'string')
    throw new ExpressionProblem('field(…) takes the name of a field in quotes', node.start);
  return scope.field(name.args, name.start);
}

function compileMatches(args: readonly Compiled[], start: number): Compiled {
  const [text, pattern] = args;
  if (args.length !== 2 || text === undefined || pattern === undefined)
    throw new ExpressionProblem('matches takes a text and a pattern', start);
  if (typeof pattern.literal !== 'string') throw new ExpressionProblem('the pattern of matches must be written out in quotes', start);
  if (text.type !== 'string' && text.type !== 'dyn' && text.type !== 'null')
    throw typeProblem(`matches needs a text, not ${celTypeText(text.type)}`, start);
  const match = literalPattern(pattern.literal, start);
  const run: Run = (environment) => {
    const value = text.run(environment);
    if (value === null) return null;
    if (typeof value !== 'string') throw expressionFault(`matches needs a text, got ${celTypeText(typeOfValue(value))}`);
    return match(value);
  };
  return { type: 'bool', run };
}

function literalPattern(text: string, start: number): (subject: string) => boolean {
  try {
    return compilePattern(text);
  } catch (error) {
    throw new ExpressionProblem(`the pattern of matches is wrong: ${(error as Error).message}`, start);
  }
}

function compileOverloads(name: string, style: 'function' | 'method', args: readonly Compiled[], start: number): Compiled {
  const named = FUNCTIONS.get(name) ?? [];
  const overloads = named.filter((overload) => overload.style === 'both' || overload.style === style);
  if (overloads.length === 0) throw new ExpressionProblem(unknownFunction(name, style, named.length > 0), start);
  checkZone(name, args, start);
  const types = args.map((arg) => arg.type);
  const fitting = overloads.filter(
    (overload) =>
      overload.params.length === types.length && overload.params.every((param, index) => accepts(param, types[index] as CelType)),
  );
  const [first] = fitting;
  if (first === undefined) throw typeProblem(noOverload(name, style, overloads, types), start);
  const runs = args.map((arg) => arg.run);
  const type = fitting.every((overload) => sameCelType(overload.returns, first.returns)) ? first.returns : 'dyn';
  const call = fitting.length === 1 && !types.some(isOpen) ? first.run : dispatcher(name, fitting);
  const literals = args.map((arg) => arg.literal);
  if (!literals.includes(undefined)) return folded(type, call, literals as Value[], start);
  return { type, run: nullOrCall(runs, call) };
}

/** A call on constants alone is made once, and what is wrong with it is found before the run. */
function folded(type: CelType, call: FunctionOverload['run'], literals: readonly Value[], start: number): Compiled {
  if (literals.includes(null)) return { type, run: () => null, literal: null };
  try {
    const literal = call(...literals);
    return { type, run: () => literal, literal };
  } catch (error) {
    if (isTrueupError(error)) throw new ExpressionProblem(error.message, start);
    throw error;
  }
}

/** NULL in, NULL out. */
function nullOrCall(runs: readonly Run[], call: FunctionOverload['run']): Run {
  const [first, second] = runs;
  if (runs.length === 1 && first !== undefined) {
    return (environment) => {
      const value = first(environment);
      return value === null ? null : call(value);
    };
  }
  if (runs.length === 2 && first !== undefined && second !== undefined) {
    return (environment) => {
      const a = first(environment);
      const b = second(environment);
      return a === null || b === null ? null : call(a, b);
    };
  }
  return (environment) => {
    const values = runs.map((run) => run(environment));
    return values.includes(null) ? null : call(...values);
  };
}

function isOpen(type: CelType): boolean {
  return type === 'dyn' || type === 'null' || (typeof type !== 'string' && isOpen(type.list));
}

/** Whether an argument of this static type may turn out to fit. */
function accepts(param: CelType, type: CelType): boolean {
  if (type === 'dyn' || type === 'null') return true;
  if (typeof param !== 'string') return typeof type !== 'string' && (param.list === 'dyn' || accepts(param.list, type.list));
  return param === type;
}

function dispatcher(name: string, overloads: readonly FunctionOverload[]): FunctionOverload['run'] {
  return (...values) => {
    const types = values.map(typeOfValue);
    const chosen = overloads.find((overload) => overload.params.every((param, index) => accepts(param, types[index] as CelType)));
    if (chosen === undefined) throw expressionFault(`${name} does not take ${types.map(celTypeText).join(', ')}`);
    return chosen.run(...values);
  };
}

/** A zone that is written out is looked up before the run. */
function checkZone(name: string, args: readonly Compiled[], start: number): void {
  const zone = args[1]?.literal;
  const takesZone = name.startsWith('get') || ((name === 'timestamp' || name === 'date' || name === 'datetime') && args.length === 2);
  if (takesZone && typeof zone === 'string' && openZone(zone) === null)
    throw new ExpressionProblem(`there is no time zone '${zone}'`, start);
}

function unknownFunction(name: string, style: 'function' | 'method', otherwise: boolean): string {
  if (otherwise)
    return style === 'method' ? `'${name}' is called as ${name}(x), not x.${name}()` : `'${name}' is called as x.${name}(), not ${name}(x)`;
  const known = [...FUNCTIONS]
    .filter(([, overloads]) => overloads.some((overload) => overload.style === 'both' || overload.style === style))
    .map(([one]) => one);
  return `there is no function '${name}'.${knownNames(name, [...new Set([...known, ...(style === 'function' ? SPECIAL : ['matches', ...MACROS])])].sort())}`;
}

function noOverload(name: string, style: 'function' | 'method', overloads: readonly FunctionOverload[], types: readonly CelType[]): string {
  const signature = (params: readonly CelType[]) =>
    style === 'method'
      ? `${celTypeText(params[0] as CelType)}.${name}(${params.slice(1).map(celTypeText).join(', ')})`
      : `${name}(${params.map(celTypeText).join(', ')})`;
  return `there is no ${signature(types)}. There is: ${overloads.map((overload) => signature(overload.params)).join(', ')}`;
}
