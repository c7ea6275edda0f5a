import type { Batch } from '../../model/contracts.ts';
import type { ByteBudget } from './byte-budget.ts';

export interface ReadAhead {
  readonly budget: ByteBudget;
  /** Batches that may wait, beside the one being written. */
  readonly depth: number;
  /** Ends the reading; batches that wait are given up. */
  readonly signal: AbortSignal;
}

/** What a batch costs while it waits: its text twice (bytes and strings), and a slot and header for every cell; what travels as bytes, those alone. */
export function heldBytes(batch: Batch): number {
  const { records, shape } = batch;
  if (records.wire !== undefined) return records.bytes;
  return records.bytes * 2 + records.count * (32 + shape.fields.length * 24);
}

/**
 * Reads a feed while its earlier batches are mapped and written. Yields the batches in order; a fault of the source is thrown after the batches
 * that came before it. When the consumer leaves early, the source's iterator is closed and every byte is given back.
 */
export async function* readAhead(source: AsyncIterable<Batch>, options: ReadAhead): AsyncGenerator<Batch, void, void> {
  const queue: Batch[] = [];
  const leaving = new AbortController();
  const signal = AbortSignal.any([options.signal, leaving.signal]);
  let holding = 0;
  let ended = false;
  let failure: { readonly error: unknown } | null = null;
  let wakeReader = noop;
  let wakeWriter = noop;

  async function read(): Promise<void> {
    try {
      for await (const batch of source) {
        const bytes = heldBytes(batch);
        await options.budget.acquire(bytes, holding, signal);
        holding += bytes;
        queue.push(batch);
        wakeWriter();
        while (queue.length >= options.depth && !signal.aborted) await new Promise<void>((resolve) => (wakeReader = resolve));
        if (signal.aborted) break;
      }
    } catch (error) {
      if (!leaving.signal.aborted) failure = { error };
    } finally {
      ended = true;
      wakeWriter();
    }
  }

  const abort = (): void => {
    wakeReader();
    wakeWriter();
  };
  signal.addEventListener('abort', abort, { once: true });
  const reading = read();
  try {
    for (;;) {
      if (options.signal.aborted) return;
      const batch = queue.shift();
      if (batch !== undefined) {
        wakeReader();
        yield batch;
        const bytes = heldBytes(batch);
        holding -= bytes;
        options.budget.release(bytes);
      } else if (ended) {
        if (failure !== null) throw (failure as { readonly error: unknown }).error;
        return;
      } else {
        await new Promise<void>((resolve) => (wakeWriter = resolve));
      }
    }
  } finally {
    leaving.abort();
    wakeReader();
    await reading;
    if (holding > 0) options.budget.release(holding);
  }
}

function noop(): void {
  // nobody waits
}
