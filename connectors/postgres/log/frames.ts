/**
 * The messages of the protocol, cut out of what the socket delivers: a kind, four bytes of length, a body. The body of the last one stands in `bytes`
 * from `start` to `end` until the next is taken.
 */
export interface Frames {
  add(chunk: Buffer): void;
  /** Takes the next message; its kind, or -1 where none is complete. */
  take(): number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** Bytes that wait to be taken. */
  readonly waiting: number;
}

const HEADER = 5;

export function createFrames(): Frames {
  const later: Buffer[] = [];
  let bytes: Buffer = Buffer.alloc(0);
  let next = 0;
  let start = 0;
  let end = 0;
  let waiting = 0;

  /** Makes at least `size` bytes stand in one piece from `next` on. */
  const gather = (size: number): boolean => {
    if (bytes.length - next >= size) return true;
    if (waiting < size) return false;
    if (next === bytes.length && (later[0]?.length ?? 0) >= size) bytes = later.shift() as Buffer;
    else {
      const parts = [bytes.subarray(next)];
      for (let have = bytes.length - next; have < size;) {
        const part = later.shift() as Buffer;
        parts.push(part);
        have += part.length;
      }
      bytes = Buffer.concat(parts);
    }
    next = 0;
    return true;
  };

  return {
    add(chunk) {
      later.push(chunk);
      waiting += chunk.length;
    },
    take() {
      if (!gather(HEADER)) return -1;
      const size = bytes.readUInt32BE(next + 1) + 1;
      if (!gather(size)) return -1;
      const kind = bytes[next] as number;
      start = next + HEADER;
      end = next + size;
      next = end;
      waiting -= size;
      return kind;
    },
    get bytes() {
      return bytes;
    },
    get start() {
      return start;
    },
    get end() {
      return end;
    },
    get waiting() {
      return waiting;
    },
  };
}
