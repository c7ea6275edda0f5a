import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { PassThrough, Readable } from 'node:stream';
import type { Duplex } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { fileFault, withFaults } from './faults.ts';
import type { Format } from './format.ts';
import { zstdFramePieces } from './zstd-frames.ts';

/** A file as it is found, before it is opened. */
export interface FileFacts {
  /** From the folder of the connection, with `/`. */
  readonly name: string;
  readonly path: string;
  readonly format: Format;
}

/** A file that is read through one handle, so that all of it is of the same file even while another takes its name. */
export interface OpenedFile extends FileFacts {
  /** Within its file system. The device is left out: its number may change when the machine starts again. */
  readonly inode: string;
  /** Bytes that it had when it was opened: what is read, whoever goes on writing. */
  readonly size: number;
  /** Whether the compressed data that was read last ended in the middle. */
  readonly torn: boolean;
  /** The text from a place on, decompressed, up to `size`. */
  text(from: number, signal: AbortSignal): AsyncGenerator<Buffer>;
  /** The beginning of the text, `HEAD_BYTES` or all of it, which can be read again. */
  head(signal: AbortSignal): Promise<Buffer>;
  /** What tells these first bytes of the file from others: of both their ends. */
  proof(bytes: number): Promise<string>;
  close(): Promise<void>;
}

const PIECE = 64 * 1024;
/** What samples and headers are looked for in. */
export const HEAD_BYTES = 1024 * 1024;
const PROOF_BYTES = 4096;

export async function openFile(facts: FileFacts, signal: AbortSignal): Promise<OpenedFile> {
  return withFaults(
    facts.name,
    async () => {
      const handle = await open(facts.path, 'r');
      const { ino, size } = await handle.stat({ bigint: true });
      return openedFile(facts, handle, { inode: String(ino), size: Number(size) });
    },
    signal,
  );
}

function openedFile(facts: FileFacts, handle: FileHandle, { inode, size }: { readonly inode: string; readonly size: number }): OpenedFile {
  let torn = false;
  return {
    ...facts,
    inode,
    size,
    get torn() {
      return torn;
    },
    async *text(from, signal) {
      torn = false;
      if (size === 0) return;
      const { compression } = facts.format;
      const start = compression === 'none' ? from : 0;
      if (start >= size) return;
      const found = pieces(handle, { start, end: size, signal });
      try {
        if (compression === 'none') yield* found;
        else yield* skipping(decompressed(Readable.from(found, { objectMode: true, highWaterMark: 1 }), compression), from);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        // What lies before the end is there, whether more is to come or the file is damaged.
        if ((error as NodeJS.ErrnoException).code !== 'Z_BUF_ERROR') throw fileFault(error, facts.name);
        torn = true;
      }
    },
    head(signal) {
      return headOf(this.text(0, signal));
    },
    proof: (bytes) => withFaults(facts.name, () => proofOf(handle, bytes)),
    close: () => handle.close(),
  };
}

export async function headOf(text: AsyncIterable<Buffer>): Promise<Buffer> {
  const found: Buffer[] = [];
  let bytes = 0;
  for await (const piece of text) {
    found.push(piece);
    bytes += piece.length;
    if (bytes >= HEAD_BYTES) break;
  }
  return Buffer.concat(found).subarray(0, HEAD_BYTES);
}

/** Read one after another: a stream of the handle's own would close the handle with itself. */
async function* pieces(
  handle: FileHandle,
  { start, end, signal }: { readonly start: number; readonly end: number; readonly signal: AbortSignal },
): AsyncGenerator<Buffer> {
  for (let at = start; at < end;) {
    signal.throwIfAborted();
    const size = Math.min(PIECE, end - at);
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(size), 0, size, at);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

function decompressor(compression: Format['compression']): Duplex | null {
  if (compression === 'none') return null;
  return compression === 'gzip' ? createGunzip({ chunkSize: PIECE }) : createZstdDecompress({ chunkSize: PIECE });
}

/** The pieces of a stream through a decompressor. Errors of either are thrown. */
export async function* decompressed(bytes: Readable, compression: Format['compression']): AsyncGenerator<Buffer> {
  const through = decompressor(compression);
  if (through === null) {
    yield* bytes as AsyncIterable<Buffer>;
    return;
  }
  const out = new PassThrough({ highWaterMark: PIECE });
  let failed: Error | null = null;
  const fail = (error: Error): void => {
    failed ??= error;
    out.end();
  };
  through.on('error', fail);
  const whole = compression === 'zstd' ? Readable.from(zstdFramePieces(bytes as AsyncIterable<Buffer>)) : bytes;
  whole.on('error', fail);
  whole.pipe(through).pipe(out);
  try {
    yield* out as AsyncIterable<Buffer>;
    if (failed !== null) throw failed as Error;
  } finally {
    bytes.destroy();
    whole.destroy();
    through.destroy();
  }
}

async function* skipping(chunks: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const chunk of chunks) {
    if (left === 0) yield chunk;
    else if (chunk.length <= left) left -= chunk.length;
    else {
      yield chunk.subarray(left);
      left = 0;
    }
  }
}

async function proofOf(handle: FileHandle, bytes: number): Promise<string> {
  const hash = createHash('sha256').update(`${bytes} `);
  const size = Math.min(bytes, PROOF_BYTES);
  for (const position of new Set([0, bytes - size])) {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, position);
    hash.update(buffer.subarray(0, bytesRead));
  }
  return hash.digest('base64url').slice(0, 12);
}
