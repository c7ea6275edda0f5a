import type { Steps } from './steps.ts';

type Call = (...given: readonly unknown[]) => unknown;

/** A function of the watched object that needs more than steps before and after it: gets the real function, returns what takes its place. */
export type Special = Readonly<Record<string, (real: Call) => Call>>;

/**
 * The object with a step before and after each of its functions: `name.function`. What it cannot do, it still cannot do. Functions may give values,
 * promises, or async iterables, whose items are the steps `name.function.batch`.
 */
export function watched<T extends object>(real: T, name: string, steps: Steps, special: Special = {}): T {
  const functions = new Map<string, Call>();
  // Not a proxy of the object itself: of a frozen one it would have to give back the very same functions.
  return new Proxy(Object.create(null) as T, {
    has: (_, member) => Reflect.has(real, member),
    get(_, member) {
      const value: unknown = Reflect.get(real, member, real);
      if (typeof value !== 'function' || typeof member !== 'string') return value;
      const known = functions.get(member);
      if (known !== undefined) return known;
      const bound = (value as Call).bind(real) as Call;
      const made = special[member]?.(bound) ?? stepped(bound, `${name}.${member}`, steps);
      functions.set(member, made);
      return made;
    },
  });
}

const PURE = new Set(['recall', 'feeds', 'explainCursor', 'nameFor', 'connectAhead']);

function stepped(real: Call, point: string, steps: Steps): Call {
  const member = point.slice(point.lastIndexOf('.') + 1);
  if (PURE.has(member)) return (...given) => now(real, given, point, steps);
  if (ITERATING.has(member)) return (...given) => items(real(...given) as AsyncIterable<unknown>, point, steps, signalOf(given));
  return async (...given) => {
    const signal = signalOf(given);
    await steps.reach(point, 'before', signal);
    const result = await real(...given);
    await steps.reach(point, 'after', signal);
    return result;
  };
}

const ITERATING = new Set(['fetchChanges', 'fetchBy', 'scan']);

function now(real: Call, given: readonly unknown[], point: string, steps: Steps): unknown {
  steps.reachNow(point, 'before');
  const result = real(...given);
  steps.reachNow(point, 'after');
  return result;
}

async function* items(real: AsyncIterable<unknown>, point: string, steps: Steps, signal?: AbortSignal): AsyncGenerator {
  await steps.reach(point, 'before', signal);
  for await (const item of real) {
    await steps.reach(`${point}.batch`, 'before', signal);
    yield item;
    await steps.reach(`${point}.batch`, 'after', signal);
  }
  await steps.reach(point, 'after', signal);
}

/** The signal among the arguments of a call, or in the request that is its first. */
export function signalOf(given: readonly unknown[]): AbortSignal | undefined {
  const direct = given.find((one) => one instanceof AbortSignal);
  if (direct !== undefined) return direct;
  const [request] = given as readonly [{ readonly signal?: unknown } | undefined];
  return request?.signal instanceof AbortSignal ? request.signal : undefined;
}
