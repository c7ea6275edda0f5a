import type { ASTNode } from '@marcbachmann/cel-js';
import { ExpressionProblem, expressionFault, typeProblem } from './fault.ts';
import { asBool } from './operators.ts';
import type { Compile, Compiled, Environment, Run, Scope } from './scope.ts';
import { celTypeText, isList, typeOfValue } from './value.ts';
import type { CelType, Value } from './value.ts';

/** Over lists, and over the keys of maps: `list.exists(item, condition)`. */
export const MACROS = ['all', 'exists', 'exists_one', 'filter', 'map'];

interface MacroCall {
  readonly name: string;
  readonly receiver: Compiled;
  readonly args: readonly ASTNode[];
  readonly start: number;
}

export function compileMacro({ name, receiver, args, start }: MacroCall, scope: Scope, compile: Compile): Compiled {
  const [variable, ...bodies] = args;
  if (variable?.op !== 'id') throw new ExpressionProblem(`${name}(…) begins with the name of a variable`, start);
  const inner = innerScope(scope, variable.args, elementType(receiver.type, name, start));
  const compiled = bodies.map((body) => compile(body, inner.scope));
  const expected = name === 'map' ? [1, 2] : [1];
  if (!expected.includes(compiled.length))
    throw new ExpressionProblem(
      `${name}(…) takes a variable and ${expected.join(' or ')} expression${expected.length > 1 ? 's' : ''}`,
      start,
    );
  const condition = name === 'map' && compiled.length === 1 ? null : (compiled[0] as Compiled);
  if (condition !== null && condition.type !== 'bool' && condition.type !== 'dyn' && condition.type !== 'null') {
    throw typeProblem(`the condition of ${name}(…) must be a bool, not ${celTypeText(condition.type)}`, (bodies[0] as ASTNode).start);
  }
  const last = compiled.at(-1) as Compiled;
  const loop: Loop = { items: receiver.run, slot: inner.slot, test: condition?.run ?? null };
  switch (name) {
    case 'map':
      return {
        type: { list: last.type },
        run: overItems(loop, (environment, items) =>
          passing(loop, environment, items).map((item) => withItem(loop, environment, item, last.run)),
        ),
      };
    case 'filter':
      return {
        type: typeof receiver.type === 'string' ? { list: receiver.type === 'map' ? 'string' : 'dyn' } : receiver.type,
        run: overItems(loop, (environment, items) => passing(loop, environment, items)),
      };
    case 'exists_one':
      return { type: 'bool', run: overItems(loop, (environment, items) => passing(loop, environment, items).length === 1) };
    default:
      return { type: 'bool', run: overItems(loop, (environment, items) => quantified(loop, environment, items, name === 'exists')) };
  }
}

interface Loop {
  readonly items: Run;
  readonly slot: number;
  readonly test: Run | null;
}

function overItems(loop: Loop, apply: (environment: Environment, items: readonly Value[]) => Value): Run {
  return (environment) => {
    const container = loop.items(environment);
    if (container === null) return null;
    if (isList(container)) return apply(environment, container);
    if (container instanceof Map) return apply(environment, [...(container as ReadonlyMap<string, Value>).keys()]);
    throw expressionFault(`a ${celTypeText(typeOfValue(container))} is no list`);
  };
}

function withItem({ slot }: Loop, environment: Environment, item: Value, run: Run): Value {
  environment.locals[slot] = item;
  return run(environment);
}

/** A NULL condition does not pass. */
function passing(loop: Loop, environment: Environment, items: readonly Value[]): readonly Value[] {
  const { test } = loop;
  if (test === null) return items;
  return items.filter((item) => {
    const verdict = withItem(loop, environment, item, test);
    return verdict !== null && asBool(verdict, 'a condition');
  });
}

/** As a chain of `||` (exists) or `&&` (all): an item that decides hides the faults of others; NULL without one that decides is NULL. */
function quantified(loop: Loop, environment: Environment, items: readonly Value[], exists: boolean): Value {
  let unknown = false;
  let fault: unknown;
  for (const item of items) {
    try {
      const verdict = withItem(loop, environment, item, loop.test as Run);
      if (verdict === null) unknown = true;
      else if (asBool(verdict, 'a condition') === exists) return exists;
    } catch (error) {
      fault ??= error;
    }
  }
  if (fault !== undefined) throw fault as Error;
  return unknown ? null : !exists;
}

function elementType(type: CelType, name: string, start: number): CelType {
  if (typeof type !== 'string') return type.list;
  if (type === 'map') return 'string';
  if (type === 'dyn' || type === 'null') return 'dyn';
  throw typeProblem(`${name}(…) needs a list, not ${celTypeText(type)}`, start);
}

function innerScope(scope: Scope, variable: string, type: CelType): { readonly scope: Scope; readonly slot: number } {
  const slot = scope.nextSlot.value++;
  return { slot, scope: { ...scope, locals: new Map([...scope.locals, [variable, { slot, type }]]) } };
}
