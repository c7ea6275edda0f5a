import type { Cell } from '../../src/sdk.ts';

/*
 * Tells whether the keys of a batch differ. They are known by 64 bits of hash, in one table that serves batch after batch: a set of the keys themselves
 * is several times as large, and garbage with each batch. Two keys of one hash count as the same key twice, which costs that batch a closer look and
 * nothing else.
 */
export interface SeenKeys {
  /** Whether all keys since `clear` can be told apart, and differ. */
  readonly distinct: boolean;
  add(key: readonly Cell[]): void;
  clear(): void;
}

const MIN_SLOTS = 1024;
/** Fits a batch of 10,000 records; a larger one's table is given up after it. */
const KEPT_SLOTS = 32 * 1024;

export function openSeenKeys(): SeenKeys {
  /** Two words a slot; both 0: nobody. */
  let table = new Int32Array(2 * MIN_SLOTS);
  let count = 0;
  let distinct = true;

  /** @returns whether it was there */
  const put = (a: number, b: number): boolean => {
    const mask = table.length / 2 - 1;
    for (let slot = a & mask; ; slot = (slot + 1) & mask) {
      const at = 2 * slot;
      if (table[at] === 0 && table[at + 1] === 0) {
        table[at] = a;
        table[at + 1] = b;
        return false;
      }
      if (table[at] === a && table[at + 1] === b) return true;
    }
  };
  const grow = (): void => {
    const before = table;
    table = new Int32Array(2 * before.length);
    for (let at = 0; at < before.length; at += 2)
      if (before[at] !== 0 || before[at + 1] !== 0) put(before[at] as number, before[at + 1] as number);
  };

  return {
    get distinct() {
      return distinct;
    },
    add(key) {
      if (!distinct) return;
      let a = 0x811c9dc5;
      let b = 0x9e3779b9;
      for (const cell of key) {
        // Of other keys nobody can say when they are the same.
        if (typeof cell !== 'string' && typeof cell !== 'bigint') {
          distinct = false;
          return;
        }
        const text = typeof cell === 'string' ? cell : cell.toString();
        for (let at = 0; at < text.length; at++) {
          const unit = text.charCodeAt(at);
          a = Math.imul(a ^ unit, 0x01000193);
          b = Math.imul(b ^ unit, 0x85ebca6b) + 0x165667b1;
          b ^= b >>> 15;
        }
        // Ends the cell: no character has this number.
        a = Math.imul(a ^ 0x10000, 0x01000193);
        b = Math.imul(b ^ 0x10000, 0x85ebca6b);
      }
      a ^= a >>> 16;
      if (2 * (count + 1) > table.length / 2) grow();
      distinct = !put(a | 0, b | 1);
      count++;
    },
    clear() {
      if (table.length > 2 * KEPT_SLOTS) table = new Int32Array(2 * MIN_SLOTS);
      else table.fill(0);
      [count, distinct] = [0, true];
    },
  };
}
