import type { Lane, Source, Target } from '../model/contracts.ts';
import type { RowDigests } from '../model/digests.ts';
import type { Breaker } from './connection-breaker.ts';

/*
 * Source and target behind the circuit breaker of their connection, for connectors that make no requests of their own. A call that asks the system passes the
 * breaker, and so does each step of a read. What ends something (discard, close) always passes, and so does what the target keeps for the engine (leases,
 * checkpoints) and what the source keeps for nobody (`kept`): `status` reads that, and looking often at a system that is down must not count against it.
 */

type Method = (...args: readonly unknown[]) => unknown;
/** `left-out`: it would only save time, and must not reach a system that is given a rest. */
type Kind = 'call' | 'read' | 'digests' | 'lane' | 'left-out';

const SOURCE: Readonly<Partial<Record<keyof Source, Kind>>> = {
  identity: 'call',
  discover: 'call',
  plan: 'call',
  apply: 'call',
  startCursor: 'call',
  splitBackfill: 'call',
  fetchChanges: 'read',
  acknowledge: 'call',
  settled: 'call',
  fetchBy: 'read',
  scan: 'read',
  undelivered: 'call',
  changedSince: 'read',
  digests: 'digests',
  heldBack: 'call',
  logState: 'call',
  release: 'call',
};
const TARGET: Readonly<Partial<Record<keyof Target, Kind>>> = {
  identity: 'call',
  connectAhead: 'left-out',
  plan: 'call',
  apply: 'call',
  openLane: 'lane',
  scan: 'read',
  fetchBy: 'read',
  digests: 'digests',
  storedAs: 'call',
  writtenBy: 'call',
};
const LANE: Readonly<Partial<Record<keyof Lane, Kind>>> = { bulkUpsert: 'call', commit: 'call' };
const DIGESTS: Readonly<Partial<Record<keyof RowDigests, Kind>>> = { buckets: 'read', rows: 'read' };

export function guardSource(source: Source, breaker: Breaker): Source {
  return guarded(source, SOURCE, breaker);
}

export function guardTarget(target: Target, breaker: Breaker): Target {
  return guarded(target, TARGET, breaker);
}

/** The same object, some of whose methods pass the breaker. An absent one stays absent. */
function guarded<T extends object>(object: T, kinds: Readonly<Partial<Record<keyof T, Kind>>>, breaker: Breaker): T {
  const wrapped = new Map<PropertyKey, Method>();
  return new Proxy(object, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      const known = wrapped.get(name);
      if (known !== undefined) return known;
      const method: Method = (...args) => Reflect.apply(member, target, args) as unknown;
      const kind = kinds[name as keyof T];
      if (kind === 'left-out') return undefined;
      const through = kind === undefined ? method : passing(method, kind, breaker);
      wrapped.set(name, through);
      return through;
    },
  });
}

function passing(method: Method, kind: Kind, breaker: Breaker): Method {
  if (kind === 'read') return (...args) => reading(breaker, () => method(...args) as AsyncIterable<unknown>, signalOf(args));
  return async (...args) => {
    const result = await calling(breaker, () => method(...args) as Promise<unknown>, signalOf(args));
    if (kind === 'lane') return guarded(result as Lane, LANE, breaker);
    return kind === 'digests' && result !== null ? guarded(result as RowDigests, DIGESTS, breaker) : result;
  };
}

async function calling<T>(breaker: Breaker, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const turn = await breaker.enter(signal);
  try {
    const result = await work();
    turn.end();
    return result;
  } catch (error) {
    turn.end(signal.aborted ? null : error);
    throw error;
  }
}

async function* reading<T>(breaker: Breaker, open: () => AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  let iterator: AsyncIterator<T> | null = null;
  try {
    for (;;) {
      const step = await calling(breaker, () => (iterator ??= open()[Symbol.asyncIterator]()).next(), signal);
      if (step.done === true) return;
      yield step.value;
    }
  } finally {
    await (iterator as AsyncIterator<T> | null)?.return?.();
  }
}

/** Contracts take it as an argument or as a member of the request. */
function signalOf(args: readonly unknown[]): AbortSignal {
  for (const arg of args) {
    if (arg instanceof AbortSignal) return arg;
    if (typeof arg === 'object' && arg !== null && 'signal' in arg && arg.signal instanceof AbortSignal) return arg.signal;
  }
  return NEVER;
}

const NEVER = new AbortController().signal;
