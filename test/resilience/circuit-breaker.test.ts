import { describe, expect, it } from 'vitest';
import { TrueupError } from '../../src/errors.ts';
import type { BreakerRecord, BreakerStore } from '../../src/model/checkpoint.ts';
import { ask, closedBreaker, ended, stateAt } from '../../src/resilience/circuit-breaker.ts';
import type { BreakerState, Ended, Outcome } from '../../src/resilience/circuit-breaker.ts';
import { createBreaker } from '../../src/resilience/connection-breaker.ts';
import { createLimiter } from '../../src/resilience/connection-limiter.ts';
import { guardSource } from '../../src/resilience/guard.ts';
import { createTurnQueue } from '../../src/resilience/turn-queue.ts';
import type { Source } from '../../src/sdk.ts';

const limits = { failures: 3, openForMs: 30_000 };
const failed: Outcome = { kind: 'failed', code: 'E_UNREACHABLE' };

/** One call at a time, with its end. */
function call(state: BreakerState, nowMs: number, outcome: Outcome, tookMs = 0): BreakerState {
  const asked = ask(state, limits, nowMs);
  if (!('epoch' in asked.permit)) return asked.state;
  return ended(asked.state, limits, { permit: asked.permit, outcome }, nowMs + tookMs);
}

const openAt = (nowMs: number): BreakerState => [1, 2, 3].reduce((state) => call(state, nowMs, failed), closedBreaker(0));

describe('resilience: the states of a circuit breaker', () => {
  it('opens after so many faults in a row, and an answer in between starts over', () => {
    let state = call(call(closedBreaker(0), 1, failed), 2, failed);
    expect([state.state, state.failures]).toEqual(['closed', 2]);
    state = call(state, 3, { kind: 'answered' });
    state = call(call(state, 4, failed), 5, failed);
    expect(state.state).toBe('closed');
    expect(call(state, 6, { kind: 'given-up' })).toEqual(state);
    expect(call(state, 7, failed)).toEqual({ state: 'open', sinceMs: 7, failures: 3, lastCode: 'E_UNREACHABLE', probeMs: null });
  });

  it('lets nothing through while it is open, then one call, for which the others wait', () => {
    const open = openAt(1000);
    expect(ask(open, limits, 1000).permit).toEqual({ kind: 'refuse', retryAfterMs: 30_000 });
    expect(ask(open, limits, 30_999).permit).toEqual({ kind: 'refuse', retryAfterMs: 1 });
    const probing = ask(open, limits, 31_000);
    expect([probing.permit.kind, probing.state.state]).toEqual(['probe', 'half-open']);
    expect(ask(probing.state, limits, 31_001).permit.kind).toBe('wait');
  });

  it('closes when the probe is answered, opens again when it fails, and probes again when it is given up or silent', () => {
    const { state, permit } = ask(openAt(0), limits, 30_000);
    const after = (outcome: Outcome) => ended(state, limits, { permit: permit as Ended['permit'], outcome }, 31_000);
    expect(after({ kind: 'answered' })).toEqual(closedBreaker(31_000));
    expect(after(failed)).toMatchObject({ state: 'open', sinceMs: 31_000, failures: 4 });
    expect(ask(after({ kind: 'given-up' }), limits, 31_000).permit.kind).toBe('probe');
    const second = ask(state, limits, 60_000);
    expect(second.permit.kind).toBe('probe');
    // The first probe comes back late: the second decides.
    expect(ended(second.state, limits, { permit: permit as Ended['permit'], outcome: { kind: 'answered' } }, 60_001)).toEqual(second.state);
  });

  it('hears nothing from calls that began before it opened', () => {
    const { permit } = ask(closedBreaker(0), limits, 0);
    const open = openAt(10);
    for (const outcome of [failed, { kind: 'answered' } as const])
      expect(ended(open, limits, { permit: permit as Ended['permit'], outcome }, 20)).toEqual(open);
    const closedAgain = call(open, 30_010, { kind: 'answered' }, 5);
    expect(ended(closedAgain, limits, { permit: permit as Ended['permit'], outcome: failed }, 30_020)).toEqual(closedAgain);
  });

  it('becomes half-open by time alone, and is not held open by a clock that was ahead', () => {
    const open = openAt(50_000);
    expect(stateAt(open, limits, 79_999).state).toBe('open');
    expect(stateAt(open, limits, 80_000)).toMatchObject({ state: 'half-open', sinceMs: 80_000 });
    expect(ask(open, limits, 10_000).permit).toEqual({ kind: 'refuse', retryAfterMs: 30_000 });
  });
});

const never = new AbortController().signal;
const down = new TrueupError('E_UNREACHABLE', 'down');

function memoryStore(records: BreakerRecord[] = []): BreakerStore & { readonly records: BreakerRecord[] } {
  return {
    records,
    list: () => Promise.resolve([...records]),
    save: (record) => {
      records.splice(0, records.length, record);
      return Promise.resolve();
    },
  };
}

function openBreaker(more: { readonly onOpen?: 'wait' | 'skip' | 'fail'; readonly store?: BreakerStore } = {}) {
  const clock = { ms: Date.parse('2026-11-28T12:00:00Z') };
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const breaker = createBreaker({ name: 'crm', onOpen: 'wait', store: null, log: silent, now: () => clock.ms, ...limits, ...more });
  const fail = async (error: unknown = down, times = 3): Promise<void> => {
    for (let count = 0; count < times; count += 1) (await breaker.enter(never)).end(error);
  };
  return { breaker, clock, fail };
}

describe('resilience: the circuit breaker of a connection', () => {
  it('counts faults of the environment alone: an answer is an answer, whatever it says', async () => {
    const { breaker, fail } = openBreaker();
    await fail(down, 2);
    await fail(new TrueupError('E_ACCESS', 'wrong password'), 1);
    await fail(down, 2);
    for (const code of ['E_RECORD_VALUE', 'E_PLAN_CHANGED'] as const) await fail(new TrueupError(code, ''), 5);
    await fail(down, 2);
    for (const error of [new TrueupError('E_STOPPED', ''), new Error('bug'), null]) await fail(error, 5);
    await breaker.check(never);
    await fail(down, 1);
    await expect(breaker.check(never)).rejects.toMatchObject({
      code: 'E_CIRCUIT_OPEN',
      message:
        "connection 'crm': the circuit breaker is open until 2026-11-28T12:00:30.000Z, after 3 faults in a row, the last E_UNREACHABLE",
      details: { retryAfterMs: 30_000 },
    });
  });

  it('says by its code what a job is to do', async () => {
    for (const [onOpen, code, retryAfterMs] of [
      ['skip', 'E_CIRCUIT_SKIPPED', undefined],
      ['fail', 'E_CIRCUIT_OPEN', Number.POSITIVE_INFINITY],
    ] as const) {
      const { breaker, fail } = openBreaker({ onOpen });
      await fail();
      const refused = await breaker.enter(never).catch((error: unknown) => error as TrueupError);
      expect(refused).toMatchObject({ code });
      expect((refused as TrueupError).details.retryAfterMs).toBe(retryAfterMs);
    }
  });

  it('makes the others wait for the probe, and gives them its outcome', async () => {
    for (const outcome of [undefined, down]) {
      const { breaker, clock, fail } = openBreaker();
      await fail();
      clock.ms += 30_000;
      const probe = await breaker.enter(never);
      const stop = new AbortController();
      const others = Promise.allSettled([breaker.enter(never), breaker.enter(never), breaker.enter(stop.signal)]);
      await new Promise((resolve) => setImmediate(resolve));
      stop.abort(new Error('enough'));
      probe.end(outcome);
      const [first, second, stopped] = await others;
      expect([first.status, second.status]).toEqual(outcome === undefined ? ['fulfilled', 'fulfilled'] : ['rejected', 'rejected']);
      expect(stopped).toMatchObject({ status: 'rejected', reason: stop.signal.reason });
    }
  });

  it('is stored, and taken up by the next process', async () => {
    const store = memoryStore();
    const first = openBreaker({ store });
    await first.fail();
    await first.breaker.flush();
    expect(store.records).toEqual([
      { connection: 'crm', state: 'open', since: '2026-11-28T12:00:00.000Z', failures: 3, lastCode: 'E_UNREACHABLE' },
    ]);
    const second = openBreaker({ store });
    await expect(second.breaker.enter(never)).rejects.toMatchObject({ code: 'E_CIRCUIT_OPEN' });
    second.clock.ms += 30_000;
    (await second.breaker.enter(never)).end();
    await second.breaker.flush();
    expect(store.records).toMatchObject([{ state: 'closed', failures: 0 }]);
  });

  it('counts on from what earlier processes saw, and does without a store that fails', async () => {
    const store = memoryStore();
    for (let run = 0; run < 3; run += 1) {
      const { breaker, fail } = openBreaker({ store });
      await fail(down, 1);
      await breaker.flush();
    }
    expect(store.records).toMatchObject([{ state: 'open', failures: 3 }]);
    const broken = openBreaker({ store: { list: () => Promise.reject(new Error('x')), save: () => Promise.reject(new Error('x')) } });
    await broken.fail();
    await broken.breaker.flush();
    await expect(broken.breaker.check(never)).rejects.toMatchObject({ code: 'E_CIRCUIT_OPEN' });
  });

  it('refuses who takes a turn, and gives the place in the queue back', async () => {
    const { breaker, clock, fail } = openBreaker();
    const limiter = createLimiter(createTurnQueue('crm', { concurrency: 1, rate: null }), breaker);
    const turn = await limiter.take(never);
    await fail();
    turn.end(down);
    for (let count = 0; count < 3; count += 1) await expect(limiter.take(never)).rejects.toMatchObject({ code: 'E_CIRCUIT_OPEN' });
    clock.ms += 30_000;
    (await limiter.take(never)).end();
    (await limiter.take(never)).end();
  });
});

describe('resilience: who waits in the queue while it opens', () => {
  it('is refused when the turn comes, and leaves the place to the next', async () => {
    const { breaker, clock, fail } = openBreaker();
    const limiter = createLimiter(createTurnQueue('crm', { concurrency: 1, rate: null }), breaker);
    await fail(down, 2);
    const first = await limiter.take(never);
    const second = limiter.take(never);
    await new Promise((resolve) => setImmediate(resolve));
    first.end(down);
    await expect(second).rejects.toMatchObject({ code: 'E_CIRCUIT_OPEN' });
    clock.ms += 30_000;
    (await limiter.take(never)).end();
  });
});

describe('resilience: a source behind a circuit breaker', () => {
  const broken = (): Source =>
    ({
      identity: () => Promise.reject(down),
      feeds: () => [],
      close: () => Promise.resolve(),
      async *fetchChanges() {
        yield { stream: 'a' };
        yield { stream: 'b' };
        throw down;
      },
    }) as unknown as Source;

  it('counts calls and each step of a read, and leaves what is absent absent', async () => {
    const { breaker, fail } = openBreaker();
    const source = guardSource(broken(), breaker);
    expect([source.scan, source.splitBackfill, source.feeds([])]).toEqual([undefined, undefined, []]);
    await expect(source.identity(never)).rejects.toBe(down);
    const seen: unknown[] = [];
    const read = async (): Promise<void> => {
      for await (const batch of source.fetchChanges({ signal: never } as never)) seen.push(batch.stream);
    };
    await expect(read()).rejects.toBe(down);
    expect(seen).toEqual(['a', 'b']);
    // The two steps were answered, so that these are the first of a row.
    await fail(down, 2);
    await expect(read()).rejects.toMatchObject({ code: 'E_CIRCUIT_OPEN' });
    await expect(source.identity(never)).rejects.toMatchObject({ code: 'E_CIRCUIT_OPEN' });
    await source.close();
  });

  it('takes an aborted call for no fault', async () => {
    const { breaker } = openBreaker();
    const source = guardSource(broken(), breaker);
    const stopped = AbortSignal.abort();
    for (let count = 0; count < 5; count += 1) await expect(source.identity(stopped)).rejects.toBe(down);
    await breaker.check(never);
  });
});
