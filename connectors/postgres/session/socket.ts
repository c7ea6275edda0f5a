import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** A read of the socket takes at most this. */
const READ_BYTES = 256 * 1024;

/** Bytes that are another's again once the call has returned. */
export type TakeBytes = (bytes: Buffer) => void;

/**
 * A socket that reads into one buffer of its own. Node's way, a fresh buffer for each read, leaves garbage that its collector takes note of only once
 * there are 64 MB of it, and then looks through everything for it.
 */
export class OwnSocket extends Socket {
  /** Takes what is read in place of the listeners of `data`, who are given copies. */
  taker: TakeBytes | null = null;

  constructor() {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    super({
      onread: {
        buffer,
        callback: (count: number) => {
          const read = buffer.subarray(0, count);
          if (this.taker === null) this.emit('data', Buffer.from(read));
          else this.taker(read);
          return true;
        },
      },
    } as ConstructorParameters<typeof Socket>[0]);
  }
}

/** Has `take` see all that comes, instead of who sees it now, until `giveBack` is called. */
export function takeOver(stream: Duplex, take: TakeBytes): { giveBack(rest: Buffer): void } {
  const [before] = stream.listeners('data') as TakeBytes[];
  const toBefore = (rest: Buffer): void => {
    before?.(Buffer.from(rest));
    stream.resume();
  };
  if (stream instanceof OwnSocket) {
    stream.taker = take;
    return {
      giveBack: (rest) => {
        stream.taker = null;
        toBefore(rest);
      },
    };
  }
  if (before !== undefined) stream.removeListener('data', before);
  stream.on('data', take);
  return {
    giveBack: (rest) => {
      stream.removeListener('data', take);
      if (before !== undefined) stream.on('data', before);
      toBefore(rest);
    },
  };
}
