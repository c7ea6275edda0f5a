import { describe, expect, it, vi } from 'vitest';
import { TrueupError } from '../../src/errors.ts';
import { keepLease } from '../../src/state/lease.ts';
import { openMemoryState } from '../../src/state/sqlite-state.ts';
import { acquire, takeOver } from '../../src/testing/owners.ts';

const NEVER = new AbortController().signal;
const UNAVAILABLE = new TrueupError('E_CONNECTION_LOST', 'the store cannot be reached');

describe('a lease that is kept', () => {
  it('is renewed every third of its term, so that nobody can take it over', async () => {
    const store = openMemoryState();
    const owner = await acquire(store, 'orders', 'run-1', { ttlMs: 600, process: { host: 'another-host.example', pid: 1, started: '' } });
    const stop = new AbortController();
    const onLost = vi.fn<(error: TrueupError) => void>();
    const kept = keepLease(store, owner, { ttlMs: 600, onLost, signal: stop.signal });
    const until = performance.now() + 1_800;
    while (performance.now() < until) {
      await expect(acquire(store, 'orders', 'run-2')).rejects.toMatchObject({ code: 'E_OWNED' });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    stop.abort();
    await kept;
    expect(onLost).not.toHaveBeenCalled();
    await store.close();
  });

  it('is lost as soon as another owner has it', async () => {
    const store = openMemoryState();
    const owner = await acquire(store, 'orders', 'run-1', { ttlMs: 60_000 });
    await takeOver(store, 'orders', 'run-2');
    const onLost = vi.fn<(error: TrueupError) => void>();
    await keepLease(store, owner, { ttlMs: 90, onLost, signal: NEVER });
    expect(onLost.mock.calls.map(([error]) => error.code)).toEqual(['E_FENCED']);
    await store.close();
  });

  it('survives failures that pass', async () => {
    const stop = new AbortController();
    const onLost = vi.fn<(error: TrueupError) => void>();
    let calls = 0;
    const renew = async (): Promise<void> => {
      calls += 1;
      if (calls >= 9) stop.abort();
      if (calls % 3 !== 0) throw UNAVAILABLE;
    };
    await keepLease({ renew }, ownerOf(), { ttlMs: 300, onLost, signal: stop.signal });
    expect(calls).toBe(9);
    expect(onLost).not.toHaveBeenCalled();
  });

  it('is lost when it could not be renewed before it ran out, and says why', async () => {
    const onLost = vi.fn<(error: TrueupError) => void>();
    const startedAt = performance.now();
    await keepLease({ renew: () => Promise.reject(UNAVAILABLE) }, ownerOf(), { ttlMs: 200, onLost, signal: NEVER });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(199);
    expect(onLost).toHaveBeenCalledTimes(1);
    expect(onLost.mock.calls[0]?.[0]).toMatchObject({ code: 'E_FENCED', cause: UNAVAILABLE });
  });

  it('is lost when the store never answers', async () => {
    const onLost = vi.fn<(error: TrueupError) => void>();
    const startedAt = performance.now();
    await keepLease({ renew: () => new Promise(() => {}) }, ownerOf(), { ttlMs: 150, onLost, signal: NEVER });
    expect(onLost.mock.calls.map(([error]) => error.code)).toEqual(['E_FENCED']);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  it('is renewed on another connection when the first stays silent', async () => {
    const stop = new AbortController();
    const onLost = vi.fn<(error: TrueupError) => void>();
    let calls = 0;
    const renew = (_owner: unknown, signal: AbortSignal): Promise<void> => {
      calls += 1;
      if (calls === 4) stop.abort();
      if (calls !== 1) return Promise.resolve();
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    };
    await keepLease({ renew }, ownerOf(), { ttlMs: 600, onLost, signal: stop.signal });
    expect(calls).toBe(4);
    expect(onLost).not.toHaveBeenCalled();
  });

  it('asks the store once more after this process stood still for longer than the term', async () => {
    const stop = new AbortController();
    const onLost = vi.fn<(error: TrueupError) => void>();
    const clock = { now: 0 };
    let calls = 0;
    const renew = async (): Promise<void> => {
      calls += 1;
      if (calls === 3) stop.abort();
    };
    const kept = keepLease({ renew }, ownerOf(), { ttlMs: 60, onLost, signal: stop.signal, now: () => clock.now });
    clock.now = 1_000_000;
    await kept;
    expect(calls).toBe(3);
    expect(onLost).not.toHaveBeenCalled();
  });

  it('ends at once when it is aborted, without a word', async () => {
    const onLost = vi.fn<(error: TrueupError) => void>();
    const stop = new AbortController();
    const kept = keepLease({ renew: () => Promise.reject(UNAVAILABLE) }, ownerOf(), { ttlMs: 3_600_000, onLost, signal: stop.signal });
    stop.abort();
    await kept;
    expect(onLost).not.toHaveBeenCalled();
  });
});

function ownerOf(): Parameters<typeof keepLease>[1] {
  return { job: 'orders', run: 'run-1', epoch: 1, process: { host: 'here', pid: 1, started: '' } };
}
