/*
 * Where the frames of zstd data end (RFC 8878). A file may hold many, one after another, as `zstd` and this connector append them; of a piece that holds the
 * end of one and the begin of the next, Node.js decompresses the first and drops the rest without a word (nodejs/node#64741). Pieces that end where
 * frames end are decompressed whole.
 */

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const DICTIONARY_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];

interface Step {
  /** Bytes to collect before `next` is asked, after `skip` bytes that nobody looks at. */
  readonly skip: number;
  readonly collect: number;
  next(bytes: Buffer): Step;
  /** Nothing of a frame has been seen yet. */
  readonly between?: true;
}

const BETWEEN: Step = { skip: 0, collect: 4, next: afterMagic, between: true };

function afterMagic(bytes: Buffer): Step {
  const magic = bytes.readUInt32LE(0);
  if (magic === MAGIC) return { skip: 0, collect: 1, next: afterDescriptor };
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) return { skip: 0, collect: 4, next: (size) => skipped(size.readUInt32LE(0), BETWEEN) };
  throw Object.assign(new Error('no zstd frame begins here'), { code: 'ZSTD_MAGIC' });
}

function afterDescriptor(bytes: Buffer): Step {
  const descriptor = bytes[0] as number;
  const single = (descriptor & 0x20) !== 0;
  const size = (CONTENT_SIZE_BYTES[descriptor >> 6] as number) || (single ? 1 : 0);
  const rest = (single ? 0 : 1) + (DICTIONARY_BYTES[descriptor & 3] as number) + size;
  const checksum = (descriptor & 4) === 0 ? 0 : 4;
  return skipped(rest, blockHeader(checksum));
}

function blockHeader(checksum: number): Step {
  return {
    skip: 0,
    collect: 3,
    next: (bytes) => {
      const header = bytes.readUIntLE(0, 3);
      const isRepeated = ((header >> 1) & 3) === 1;
      const size = isRepeated ? 1 : header >> 3;
      return (header & 1) === 1 ? skipped(size + checksum, BETWEEN) : skipped(size, blockHeader(checksum));
    },
  };
}

function skipped(bytes: number, then: Step): Step {
  return bytes === 0 ? then : { skip: bytes, collect: 0, next: () => then };
}

/**
 * The same bytes in pieces of which none reaches beyond the end of a frame.
 *
 * @throws an error with code `Z_BUF_ERROR` where the data ends inside of a frame
 */
export async function* zstdFramePieces(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let step = BETWEEN;
  let skip = 0;
  let collected = Buffer.alloc(0);
  for await (const piece of pieces) {
    let from = 0;
    let at = 0;
    while (at < piece.length) {
      const over = Math.min(skip, piece.length - at);
      skip -= over;
      at += over;
      const wanted = Math.min(step.collect - collected.length, piece.length - at);
      if (skip === 0 && wanted > 0) {
        collected = Buffer.concat([collected, piece.subarray(at, at + wanted)]);
        at += wanted;
      }
      while (skip === 0 && collected.length === step.collect) {
        step = step.next(collected);
        skip = step.skip;
        collected = Buffer.alloc(0);
        if (step.between !== true) continue;
        if (at > from) yield piece.subarray(from, at);
        from = at;
        break;
      }
    }
    if (from < piece.length) yield piece.subarray(from);
  }
  if (step.between !== true || collected.length > 0)
    throw Object.assign(new Error('the data ends inside of a frame'), { code: 'Z_BUF_ERROR' });
}
