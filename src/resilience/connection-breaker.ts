import { TrueupError, faultOf, isTrueupError } from '../errors.ts';
import type { BreakerRecord, BreakerStore } from '../model/checkpoint.ts';
import type { Log } from '../model/connector.ts';
import type { Turn } from '../model/limiter.ts';
import { ask, closedBreaker, ended } from './circuit-breaker.ts';
import type { BreakerLimits, BreakerState, Ended, Outcome } from './circuit-breaker.ts';

export interface BreakerOptions extends BreakerLimits {
  /** Of the connection. */
  readonly name: string;
  /** What happens to who comes while it is open: tried again when it half-opens, left out, or failed. */
  readonly onOpen: 'wait' | 'skip' | 'fail';
  /** `null`: the state ends with the process. */
  readonly store: BreakerStore | null;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The circuit breaker of one connection in this process. What happens in other processes at the same time it does not see. */
export interface Breaker {
  /** @throws {TrueupError} `E_CIRCUIT_OPEN` or `E_CIRCUIT_SKIPPED` while it is open */
  check(signal: AbortSignal): Promise<void>;
  /** Lets one call through, whose end is to be told; while another call probes, waits for the end of that. Throws as `check` does. */
  enter(signal: AbortSignal): Promise<Turn>;
  /** Until everything is stored. */
  flush(): Promise<void>;
}

const STORE_MS = 5_000;

export function createBreaker(options: BreakerOptions): Breaker {
  const { now, name, log } = options;
  let state = closedBreaker(now());
  let loaded: Promise<void> | null = null;
  let saving = Promise.resolve();
  let changed = Promise.withResolvers<void>();

  const set = (next: BreakerState): void => {
    const last = state;
    state = next;
    if (last.state === next.state && last.failures === next.failures && last.probeMs === next.probeMs) return;
    tell(log, name, last, next);
    saving = saving.then(() => store(options, next));
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const begin = async (): Promise<void> => {
    state = (await stored(options)) ?? state;
  };
  const load = (): Promise<void> => (loaded ??= begin());
  const passing = (permit: Ended['permit']): Turn => {
    let over = false;
    return {
      end(error) {
        if (over) return;
        over = true;
        set(ended(state, options, { permit, outcome: outcomeOf(error) }, now()));
      },
    };
  };
  return {
    async check() {
      await load();
      const { permit } = ask(state, options, now());
      if (permit.kind === 'refuse') throw refusal(options, state, permit.retryAfterMs);
    },
    async enter(signal) {
      await load();
      for (;;) {
        const asked = ask(state, options, now());
        if (asked.permit.kind === 'refuse') throw refusal(options, state, asked.permit.retryAfterMs);
        if (asked.permit.kind !== 'wait') {
          set(asked.state);
          return passing(asked.permit);
        }
        await soonest(changed.promise, options.openForMs, signal);
      }
    },
    flush: () => saving,
  };
}

/** Only the environment's faults say that a system is ill; a refusal, a bad value or a missing table is an answer. */
function outcomeOf(error: unknown): Outcome {
  if (error === undefined) return { kind: 'answered' };
  if (error === null) return { kind: 'given-up' };
  switch (faultOf(error)) {
    case 'environment':
    case 'unreachable': {
      const code = isTrueupError(error) ? error.code : 'E_UNREACHABLE';
      // Another connection's breaker.
      return code === 'E_CIRCUIT_OPEN' ? { kind: 'given-up' } : { kind: 'failed', code };
    }
    case 'stopped':
    case 'skipped':
    case 'config':
    case 'bug':
      return { kind: 'given-up' };
    default:
      return { kind: 'answered' };
  }
}

function refusal({ name, onOpen, now }: BreakerOptions, { failures, lastCode }: BreakerState, retryAfterMs: number): TrueupError {
  const until = new Date(now() + retryAfterMs).toISOString();
  const faults = failures === 1 ? 'a fault' : `${failures} faults in a row`;
  const text = `connection '${name}': the circuit breaker is open until ${until}, after ${faults}, the last ${lastCode ?? 'unknown'}`;
  if (onOpen === 'skip') return new TrueupError('E_CIRCUIT_SKIPPED', text);
  return new TrueupError('E_CIRCUIT_OPEN', text, { retryAfterMs: onOpen === 'fail' ? Number.POSITIVE_INFINITY : retryAfterMs });
}

function tell(log: Log, connection: string, last: BreakerState, next: BreakerState): void {
  if (last.state === next.state) return;
  const fields = { connection, failures: next.failures, ...(next.lastCode === null ? {} : { code: next.lastCode }) };
  const text = { open: 'is open: nothing is asked for a while', 'half-open': 'is half-open: one call is tried', closed: 'is closed again' };
  log[next.state === 'open' ? 'warn' : 'info'](fields, `the circuit breaker of connection '${connection}' ${text[next.state]}`);
}

/** What keeps the state must not keep the work: without it the state ends with the process. */
async function store({ name, store: to, log }: BreakerOptions, { state, sinceMs, failures, lastCode }: BreakerState): Promise<void> {
  const since = new Date(sinceMs).toISOString();
  const record: BreakerRecord = { connection: name, state, since, failures, ...(lastCode === null ? {} : { lastCode }) };
  try {
    await to?.save(record, AbortSignal.timeout(STORE_MS));
  } catch (error) {
    log.warn({ connection: name, err: String(error) }, 'the state of the circuit breaker could not be stored');
  }
}

async function stored({ name, store: from, log }: BreakerOptions): Promise<BreakerState | null> {
  try {
    const records = (await from?.list(AbortSignal.timeout(STORE_MS))) ?? [];
    const record = records.find(({ connection }) => connection === name);
    if (record === undefined) return null;
    const { state, since, failures, lastCode = null } = record;
    return { state, sinceMs: Date.parse(since), failures, lastCode, probeMs: null };
  } catch (error) {
    log.warn({ connection: name, err: String(error) }, 'the state of the circuit breaker could not be read; it begins closed');
    return null;
  }
}

/** Until the promise resolves or the time is over; throws the signal's reason. */
function soonest(promise: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason as Error);
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      resolve();
    };
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', abort, { once: true });
    void promise.then(end);
  });
}
