import type { Connector } from '../model/connector.ts';
import type { Finding } from './document.ts';
import type { LimitsConfig } from './limits-schema.ts';
import type { ConnectionPart } from './parts.ts';
import type { ConnectionLimits } from './resolved.ts';

export function resolveLimits(limits: LimitsConfig | null): ConnectionLimits {
  const { concurrency = null, perSecond = null, burst = 1, breaker } = limits ?? {};
  if (breaker === undefined) return { concurrency, perSecond, burst, breaker: null };
  const { failures, openFor, onOpen } = breaker;
  return { concurrency, perSecond, burst, breaker: { failures, openForMs: openFor, onOpen } };
}

/** A rate is kept by a connector that counts its requests; nobody else could keep it, so it is refused instead of being taken for something else. */
export function checkLimits({ path, limits }: ConnectionPart, connector: Connector): readonly Finding[] {
  if (limits?.perSecond === undefined || connector.limits === 'requests') return [];
  const message = `connector '${connector.name}' makes no requests that could be counted, so there is no rate to keep. Use 'concurrency' here, or 'batch' under defaults`;
  return [{ path: [...path, 'limits', 'perSecond'], part: 'key', message }];
}
