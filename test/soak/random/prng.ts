/** Numbers that follow from a seed alone: the same seed, the same scenario. */
export interface Random {
  /** `0 <= n < 1`. */
  next(): number;
  /** Whole, both ends included. */
  int(from: number, to: number): number;
  chance(share: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** By weight. */
  weighted<T>(items: readonly (readonly [weight: number, item: T])[]): T;
  /** `count` different ones, or all when there are fewer. */
  sample<T>(items: readonly T[], count: number): T[];
  /** A sequence of its own, which does not depend on how much was drawn from this one. */
  fork(label: string): Random;
}

export function seeded(seed: number): Random {
  let state = seed | 0;
  // mulberry32
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const int = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  const pick = <T>(items: readonly T[]): T => items[int(0, items.length - 1)] as T;
  return {
    next,
    int,
    pick,
    chance: (share) => next() < share,
    weighted(items) {
      let left = next() * items.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, item] of items) if ((left -= weight) < 0) return item;
      return (items.at(-1) as (typeof items)[number])[1];
    },
    sample(items, count) {
      const rest = [...items];
      return Array.from(
        { length: Math.min(count, rest.length) },
        () => rest.splice(int(0, rest.length - 1), 1)[0] as (typeof items)[number],
      );
    },
    fork: (label) => seeded(hash(`${seed}:${label}`)),
  };
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value;
}
