import { describe, expect, it } from 'vitest';
import type { Batch } from '../../src/model/contracts.ts';
import { cellRecords } from '../../src/model/records.ts';
import { createByteBudget } from '../../src/pipeline/read/byte-budget.ts';
import { heldBytes, readAhead } from '../../src/pipeline/read/read-ahead.ts';

function batch(id: number, bytes = 1_000): Batch {
  const shape = { fields: [{ name: 'id', type: 'int32', nullable: false }], key: [0], open: false } as const;
  return {
    stream: 's',
    shape,
    records: cellRecords({ rows: [[id]], bytes }),
    ops: null,
    distinctKeys: true,
    cursor: { id },
    position: { text: String(id) },
  };
}

const ids = (batches: readonly Batch[]): unknown[] => batches.map((one) => one.records.rows()[0]?.[0]);

async function* numbered(count: number, onRead: (id: number) => void = () => {}): AsyncGenerator<Batch> {
  for (let id = 0; id < count; id += 1) {
    onRead(id);
    yield batch(id);
  }
}

const never = new AbortController().signal;

describe('read-ahead', () => {
  it('delivers every batch in order', async () => {
    const got: Batch[] = [];
    for await (const one of readAhead(numbered(50), { budget: createByteBudget(1e9), depth: 2, signal: never })) got.push(one);
    expect(ids(got)).toEqual(Array.from({ length: 50 }, (_, id) => id));
  });

  it('reads no further ahead than its depth', async () => {
    let read = -1;
    let ahead = 0;
    let taken = 0;
    for await (const _ of readAhead(
      numbered(40, (id) => (read = id)),
      { budget: createByteBudget(1e9), depth: 2, signal: never },
    )) {
      taken += 1;
      await new Promise((resolve) => setImmediate(resolve));
      ahead = Math.max(ahead, read + 1 - taken);
    }
    expect(taken).toBe(40);
    expect(ahead).toBeGreaterThanOrEqual(2);
    expect(ahead).toBeLessThanOrEqual(4);
  });

  it('throws the fault of the source after the batches that came before it', async () => {
    async function* failing(): AsyncGenerator<Batch> {
      yield batch(1);
      yield batch(2);
      throw new Error('gone');
    }
    const got: Batch[] = [];
    await expect(
      (async () => {
        for await (const one of readAhead(failing(), { budget: createByteBudget(1e9), depth: 2, signal: never })) got.push(one);
      })(),
    ).rejects.toThrow('gone');
    expect(ids(got)).toEqual([1, 2]);
  });

  it('closes the source and gives every byte back when the consumer leaves', async () => {
    let closed = false;
    async function* endless(): AsyncGenerator<Batch> {
      try {
        for (let id = 0; ; id += 1) yield batch(id);
      } finally {
        closed = true;
      }
    }
    const one = heldBytes(batch(0));
    const budget = createByteBudget(one * 3);
    for await (const _ of readAhead(endless(), { budget, depth: 2, signal: never })) break;
    expect(closed).toBe(true);
    // Were anything still held, this would wait for ever.
    await budget.acquire(one * 3, 1, AbortSignal.timeout(200));
  });

  it('ends when asked to stop, also while it waits for the source', async () => {
    const stop = new AbortController();
    async function* waiting(): AsyncGenerator<Batch> {
      yield batch(1);
      await new Promise((_, reject) => stop.signal.addEventListener('abort', () => reject(stop.signal.reason as Error)));
    }
    const got: Batch[] = [];
    for await (const item of readAhead(waiting(), { budget: createByteBudget(1e9), depth: 2, signal: stop.signal })) {
      got.push(item);
      setImmediate(() => stop.abort(new Error('stop')));
    }
    expect(ids(got)).toEqual([1]);
  });
});

describe('the byte budget', () => {
  it('makes a feed wait that holds something, and lets in one that holds nothing', async () => {
    const budget = createByteBudget(100);
    await budget.acquire(80, 0, never);
    let admitted = false;
    const waiting = budget.acquire(50, 80, never).then(() => (admitted = true));
    await budget.acquire(500, 0, never);
    expect(admitted).toBe(false);
    budget.release(500);
    expect(admitted).toBe(false);
    budget.release(80);
    await waiting;
    expect(admitted).toBe(true);
  });

  it('gives a waiting feed up when it is aborted', async () => {
    const budget = createByteBudget(10);
    await budget.acquire(10, 0, never);
    const stop = new AbortController();
    const waiting = budget.acquire(10, 10, stop.signal);
    stop.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
    budget.release(10);
    await budget.acquire(10, 1, AbortSignal.timeout(100));
  });
});
