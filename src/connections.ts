import type { Connection, ResolvedConfig } from './config/resolved.ts';
import { TrueupError } from './errors.ts';
import type { BreakerStore } from './model/checkpoint.ts';
import type { Connector, ConnectorContext, Log } from './model/connector.ts';
import type { Source, Target } from './model/contracts.ts';
import type { Vault } from './model/vault.ts';
import { createBreaker } from './resilience/connection-breaker.ts';
import type { Breaker } from './resilience/connection-breaker.ts';
import { createLimiter } from './resilience/connection-limiter.ts';
import { guardSource, guardTarget } from './resilience/guard.ts';
import { createTurnQueue } from './resilience/turn-queue.ts';
import type { TurnQueue } from './resilience/turn-queue.ts';

/** Sources and targets by connection, each opened once and shared by all jobs, within the limits of the connection. */
export interface Connections {
  connector(name: string): Connector;
  source(name: string): Source;
  target(name: string): Target;
  /** Waits until each of these connections may carry one more feed; what it gives ends that. */
  enterFeed(names: readonly string[], signal: AbortSignal): Promise<() => void>;
  close(): Promise<void>;
}

export interface ConnectionParts {
  readonly config: ResolvedConfig;
  /** By connection. */
  readonly connectors: ReadonlyMap<string, Connector>;
  /** `null`: circuit breakers end with the process. */
  readonly breakers: BreakerStore | null;
  readonly log: Log;
  readonly vault: Vault;
}

/** What guards one connection, for all who use it. */
interface Gate {
  readonly breaker: Breaker | null;
  /** `null`: it has no limits. Counts requests or feeds, as the connector does. */
  readonly queue: TurnQueue | null;
  readonly counts: 'requests' | 'feeds';
}

/** Opens nothing yet: a connector connects on first use. */
export function createConnections(parts: ConnectionParts): Connections {
  const { config, connectors, log, vault } = parts;
  const sources = new Map<string, Source>();
  const targets = new Map<string, Target>();
  const connector = (name: string): Connector => connectors.get(name) as Connector;
  const gates = new Map([...config.connections.values()].map((one) => [one.name, openGate(parts, one, connector(one.name))]));
  const connection = (name: string): Connection => {
    const found = config.connections.get(name);
    if (found === undefined)
      throw new TrueupError('E_USAGE', `there is no connection '${name}'. Connections: ${[...config.connections.keys()].join(', ')}`);
    return found;
  };
  const context = (name: string): ConnectorContext => ({
    connection: name,
    log,
    baseDir: config.baseDir,
    vault,
    ...limiterOf(gates.get(name)),
  });
  return {
    connector,
    source(name) {
      const known = sources.get(name);
      if (known !== undefined) return known;
      const opened = connector(connection(name).name).openSource?.(connection(name).options, context(name));
      if (opened === undefined)
        throw new TrueupError('E_CONFIG_INVALID', `connection '${name}': connector '${connector(name).name}' cannot be a source`);
      const guarded = guardOf(gates.get(name), opened, guardSource);
      sources.set(name, guarded);
      return guarded;
    },
    target(name) {
      const known = targets.get(name);
      if (known !== undefined) return known;
      const opened = connector(connection(name).name).openTarget?.(connection(name).options, context(name));
      if (opened === undefined)
        throw new TrueupError('E_CONFIG_INVALID', `connection '${name}': connector '${connector(name).name}' cannot be a target`);
      const guarded = guardOf(gates.get(name), opened, guardTarget);
      targets.set(name, guarded);
      return guarded;
    },
    enterFeed: (names, signal) => enterAll(gates, names, signal),
    async close() {
      await Promise.allSettled([...sources.values(), ...targets.values()].map((one) => one.close()));
      await Promise.all([...gates.values()].map(async ({ breaker }) => breaker?.flush()));
    },
  };
}

function openGate({ breakers, log }: ConnectionParts, { name, limits }: Connection, connector: Connector): Gate {
  const { concurrency, perSecond, burst, breaker } = limits;
  const counts = connector.limits === 'requests' ? 'requests' : 'feeds';
  const rate = perSecond === null ? null : { perSecond, burst };
  return {
    counts,
    breaker: breaker === null ? null : createBreaker({ name, ...breaker, store: breakers, log, now: Date.now }),
    // A server that counts requests may ask to pause, even where nothing is limited here.
    queue: counts === 'requests' || concurrency !== null ? createTurnQueue(name, { concurrency, rate }) : null,
  };
}

function limiterOf(gate: Gate | undefined): Pick<ConnectorContext, 'limiter'> {
  return gate?.counts === 'requests' && gate.queue !== null ? { limiter: createLimiter(gate.queue, gate.breaker) } : {};
}

/** A connector that makes requests passes the breaker with each of them. */
function guardOf<T>(gate: Gate | undefined, opened: T, guard: (opened: T, breaker: Breaker) => T): T {
  return gate === undefined || gate.breaker === null || gate.counts === 'requests' ? opened : guard(opened, gate.breaker);
}

/** In the order of their names, so that no two feeds wait for each other. */
async function enterAll(gates: ReadonlyMap<string, Gate>, names: readonly string[], signal: AbortSignal): Promise<() => void> {
  const leave: (() => void)[] = [];
  const leaveAll = (): void => leave.forEach((one) => one());
  try {
    for (const name of [...new Set(names)].toSorted()) {
      const gate = gates.get(name);
      if (gate?.counts === 'feeds' && gate.queue !== null) leave.push(await gate.queue.take(signal, Number.POSITIVE_INFINITY));
    }
    return leaveAll;
  } catch (error) {
    leaveAll();
    throw error;
  }
}
