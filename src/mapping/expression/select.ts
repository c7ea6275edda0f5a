import { expressionFault, typeProblem } from './fault.ts';
import type { Compiled } from './scope.ts';
import { celTypeText, isList, typeOfValue } from './value.ts';
import type { Value } from './value.ts';

/** `object.name`. A name that is not there is a fault (`has(object.name)` asks); NULL has only NULL inside. */
export function compileSelect(object: Compiled, name: string, start: number): Compiled {
  if (object.type !== 'map' && object.type !== 'dyn' && object.type !== 'null') {
    throw typeProblem(`'.${name}': a ${celTypeText(object.type)} has nothing inside`, start);
  }
  const { run } = object;
  return { type: 'dyn', run: (environment) => selected(run(environment), name) };
}

function selected(object: Value, name: string): Value {
  if (object === null) return null;
  if (!(object instanceof Map)) throw expressionFault(`'.${name}': a ${celTypeText(typeOfValue(object))} has nothing inside`);
  const value = (object as ReadonlyMap<string, Value>).get(name);
  if (value === undefined) throw expressionFault(`'.${name}' is not there; ask with has(…) first`);
  return value;
}

/** Whether `name` is there. A NULL object has nothing; a name whose value is null is there. */
export function hasMember(object: Value, name: string): boolean {
  return object instanceof Map && (object as ReadonlyMap<string, Value>).has(name);
}

/** `list[0]`, `object["name"]`. */
export function compileIndex(container: Compiled, index: Compiled, start: number): Compiled {
  const { type } = container;
  const isListType = typeof type !== 'string';
  if (!isListType && type !== 'map' && type !== 'dyn' && type !== 'null')
    throw typeProblem(`a ${celTypeText(type)} has nothing inside`, start);
  const wanted = isListType ? 'int' : type === 'map' ? 'string' : null;
  if (wanted !== null && index.type !== wanted && index.type !== 'dyn' && index.type !== 'null') {
    throw typeProblem(`what stands in '[…]' must be ${wanted}, not ${celTypeText(index.type)}`, start);
  }
  return {
    type: isListType ? type.list : 'dyn',
    run: (environment) => {
      const inside = container.run(environment);
      const at = index.run(environment);
      return inside === null || at === null ? null : indexed(inside, at);
    },
  };
}

function indexed(container: Value, index: Value): Value {
  if (isList(container) && typeof index === 'bigint') {
    const value = index >= 0n && index < BigInt(container.length) ? container[Number(index)] : undefined;
    if (value === undefined) throw expressionFault('a list has no such position; ask with size(…) first');
    return value;
  }
  if (typeof index === 'string') return selected(container, index);
  throw expressionFault(`there is no ${celTypeText(typeOfValue(container))}[${celTypeText(typeOfValue(index))}]`);
}
