import { END_BYTES } from './binary.ts';
import { HEADER_BYTES, headerStripper } from './out.ts';
import { SLAB_BYTES } from './slabs.ts';
import type { Slabs } from './slabs.ts';

/*
 * Rows of COPY that are handed on as the server sent them: CopyData messages, a row each.
 */

/** Whole messages, in pieces that may be cut anywhere. */
export interface Messages {
  readonly pieces: readonly Buffer[];
  readonly count: number;
  readonly bytes: number;
  /** Gives the memory back; the pieces must not be looked at any more. Harmless when called twice. */
  release(): void;
  /** Where the last row begins, behind its header. */
  readonly lastRowAt: number;
}

export interface MessageLimits {
  readonly count: number;
  readonly bytes: number;
  /** Of one row without its newline. */
  readonly rowBytes: number;
  /** Of the binary format, whose end is a message too. */
  readonly binary: boolean;
}

export interface MessageCollector {
  /**
   * Takes messages off a run until one of the limits is reached. Returns where it stopped: at its end unless it is full.
   * @param run of CopyData messages, cut anywhere but inside of a header
   * @throws {OversizedRowFound}
   */
  add(run: Buffer, from: number): number;
  /** Whether a limit is reached. */
  readonly full: boolean;
  readonly empty: boolean;
  /** Whether a message is still waiting for its end. */
  readonly open: boolean;
  /** What has come together. */
  take(): Messages;
}

/** A row that is over the limit of a record stands among those that are handed on as they are: they must be read with their places. */
export class OversizedRowFound extends Error {
  override readonly name = 'OversizedRowFound';
}

export function messageCollector(limits: MessageLimits, slabs: Slabs): MessageCollector {
  const store = byteStore(slabs);
  let count = 0;
  /** Of the message at hand: all of it, what is missing, and where it begins. */
  let size = 0;
  let left = 0;
  let begin = 0;
  /** The end of a binary COPY has come. */
  let ended = false;
  // Another row like the last one must fit, else two values of 5 MB would make a batch of 10.
  const isFull = () => count >= limits.count || (count > 0 && begin + 2 * size > limits.bytes);

  return {
    get full() {
      return left === 0 && isFull();
    },
    get empty() {
      return count === 0;
    },
    get open() {
      return left > 0;
    },
    add(run, from) {
      let at = from;
      if (ended) return run.length;
      while (at < run.length) {
        if (left === 0) {
          if (isFull()) break;
          const next = 1 + run.readUInt32BE(at + 1);
          ended ||= next === END_BYTES && limits.binary;
          if (ended) break;
          left = size = next;
          if (size - HEADER_BYTES - 1 > limits.rowBytes) throw new OversizedRowFound();
          begin = store.bytes + at - from;
        }
        const part = Math.min(left, run.length - at);
        at += part;
        left -= part;
        if (left === 0) count++;
      }
      store.add(run.subarray(from, at));
      return ended ? run.length : at;
    },
    take() {
      const [taken, bytes] = [store.take(), store.bytes];
      const messages = {
        count,
        bytes,
        pieces: taken,
        lastRowAt: begin + HEADER_BYTES,
        release: () => slabs.give(taken.splice(0).map((piece) => Buffer.from(piece.buffer))),
      };
      store.clear();
      count = begin = size = 0;
      return messages;
    },
  };
}

/** Bytes in slabs, one after another. */
function byteStore(slabs: Slabs) {
  let filled: Buffer[] = [];
  let current: Buffer | null = null;
  let used = 0;
  return {
    get bytes() {
      return filled.length * SLAB_BYTES + used;
    },
    add(bytes: Buffer) {
      for (let at = 0; at < bytes.length;) {
        current ??= slabs.take();
        const copied = bytes.copy(current, used, at);
        at += copied;
        used += copied;
        if (used < SLAB_BYTES) continue;
        filled.push(current);
        current = null;
        used = 0;
      }
    },
    take: () => (current === null ? [...filled] : [...filled, current.subarray(0, used)]),
    clear() {
      filled = [];
      current = null;
      used = 0;
    },
  };
}

/** Copies of the pieces without what stands before each row. */
export function* rowPieces({ pieces }: Pick<Messages, 'pieces'>): Generator<Buffer> {
  const strip = headerStripper();
  for (const piece of pieces) {
    const rows = strip(Buffer.from(piece));
    if (rows.length > 0) yield rows;
  }
}
