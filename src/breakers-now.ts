import type { ConnectionStatus } from './api.ts';
import type { Connection } from './config/resolved.ts';
import type { BreakerRecord } from './model/checkpoint.ts';
import { stateAt } from './resilience/circuit-breaker.ts';

/** What the store says of circuit breakers, as time has made it: one whose time is over is half-open, and the next call is its probe. */
export function breakersNow(connections: readonly Connection[], records: readonly BreakerRecord[], nowMs: number): ConnectionStatus[] {
  return connections.flatMap(({ name, limits: { breaker } }): ConnectionStatus[] => {
    if (breaker === null) return [];
    const record = records.find(({ connection }) => connection === name);
    if (record === undefined) return [{ connection: name, breaker: { state: 'closed', failures: 0 } }];
    const { lastCode, failures } = record;
    const since = Date.parse(record.since);
    const { state, sinceMs } = stateAt(
      { state: record.state, sinceMs: since, failures, lastCode: lastCode ?? null, probeMs: null },
      breaker,
      nowMs,
    );
    return [
      {
        connection: name,
        breaker: {
          state,
          since: new Date(sinceMs).toISOString(),
          failures,
          ...(lastCode === undefined ? {} : { lastCode }),
          ...(state === 'open' ? { retryAt: new Date(sinceMs + breaker.openForMs).toISOString() } : {}),
        },
      },
    ];
  });
}
