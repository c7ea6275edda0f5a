/** Of one slab: large enough that a batch has few of them, small enough that a batch of any size wastes little. */
export const SLAB_BYTES = 1024 * 1024;
/** Slabs that wait for their next use. */
const MAX_FREE = 64;

/**
 * Memory for rows that are handed on as bytes, used again and again: left to the collector, it would grow by 64 MB before that takes note of it.
 */
export interface Slabs {
  take(): Buffer;
  /** What is given is nobody else's any more. */
  give(slabs: readonly Buffer[]): void;
}

export function createSlabs(): Slabs {
  const free: Buffer[] = [];
  return {
    take: () => free.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES),
    give: (slabs) => {
      for (const slab of slabs) if (free.length < MAX_FREE) free.push(slab);
    },
  };
}
