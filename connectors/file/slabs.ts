/*
 * Memory that records wait in. It is used again and again: a batch lives long enough to become old garbage, which V8 lets grow by many times of what is
 * in use before it collects any.
 */

/** Copies of records, one behind the other. */
export interface Slab {
  readonly buffer: Buffer;
  /** Of each record its end. */
  readonly ends: Uint32Array;
  /** How many records there are. */
  count: number;
  /** Bytes in use. */
  used: number;
}

export interface Slabs {
  /** One with room for a record of this size. */
  take(bytes: number): Slab;
  /** Takes back what nobody looks at any more. */
  give(slabs: readonly Slab[]): void;
}

const BYTES = 256 * 1024;
const RECORDS = 4096;
/** Kept for later at most: what a batch that is read and one that is written take. */
const MAX_FREE = 64;

export function openSlabs(): Slabs {
  const free: Slab[] = [];
  return {
    take(bytes) {
      if (bytes > BYTES) return { buffer: Buffer.allocUnsafeSlow(bytes), ends: new Uint32Array(1), count: 0, used: 0 };
      return free.pop() ?? { buffer: Buffer.allocUnsafeSlow(BYTES), ends: new Uint32Array(RECORDS), count: 0, used: 0 };
    },
    give(slabs) {
      for (const slab of slabs) {
        if (slab.buffer.length !== BYTES || free.length >= MAX_FREE) continue;
        [slab.count, slab.used] = [0, 0];
        free.push(slab);
      }
    },
  };
}

/** Whether a record of this size fits behind the others. */
export function hasRoom({ buffer, ends, count, used }: Slab, bytes: number): boolean {
  return count < ends.length && used + bytes <= buffer.length;
}
