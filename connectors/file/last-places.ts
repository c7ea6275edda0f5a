import { createHash } from 'node:crypto';

/** Where each key stands last: 64 bits of a hash of the key, and its place. 32 bytes a key at most. */
export class LastPlaces {
  #high = new Uint32Array(1024);
  #low = new Uint32Array(1024);
  /** 0: free. A place is kept plus one. */
  #places = new Float64Array(1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  set(key: KeyHash, place: number): void {
    if (this.#size * 2 >= this.#places.length) this.#grow();
    const slot = this.#slot(key);
    if (this.#places[slot] === 0) this.#size++;
    this.#put(slot, key, place + 1);
  }

  /** -1: the key is not there. */
  get(key: KeyHash): number {
    return (this.#places[this.#slot(key)] as number) - 1;
  }

  #put(slot: number, { high, low }: KeyHash, place: number): void {
    this.#high[slot] = high;
    this.#low[slot] = low;
    this.#places[slot] = place;
  }

  #slot({ high, low }: KeyHash): number {
    const mask = this.#places.length - 1;
    let slot = low & mask;
    while (this.#places[slot] !== 0 && (this.#high[slot] !== high || this.#low[slot] !== low)) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const [high, low, places] = [this.#high, this.#low, this.#places];
    this.#high = new Uint32Array(places.length * 2);
    this.#low = new Uint32Array(places.length * 2);
    this.#places = new Float64Array(places.length * 2);
    for (let slot = 0; slot < places.length; slot++) {
      if (places[slot] === 0) continue;
      const key = { high: high[slot] as number, low: low[slot] as number };
      this.#put(this.#slot(key), key, places[slot] as number);
    }
  }
}

export interface KeyHash {
  readonly high: number;
  readonly low: number;
}

/** Two keys of ten million have the same with a probability of one in 370,000. */
export function keyHash(key: string): KeyHash {
  const digest = createHash('md5').update(key).digest();
  return { high: digest.readUInt32LE(0), low: digest.readUInt32LE(4) };
}
