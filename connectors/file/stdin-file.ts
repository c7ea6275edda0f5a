import { stdin } from 'node:process';
import type { Readable } from 'node:stream';
import { TrueupError } from '../../src/sdk.ts';
import { STDIN } from './catalog.ts';
import { fileFault } from './faults.ts';
import type { Format } from './format.ts';
import { HEAD_BYTES, decompressed } from './opened-file.ts';
import type { OpenedFile } from './opened-file.ts';

/** Standard input as a file that is there once: its beginning can be read again, the rest cannot. */
export function stdinFile(format: Format, input: Readable = stdin): OpenedFile {
  let opened: AsyncGenerator<Buffer> | null = null;
  const head: Buffer[] = [];
  let headBytes = 0;
  let ended = false;
  let consumed = false;

  const next = async (signal: AbortSignal): Promise<Buffer | null> => {
    signal.throwIfAborted();
    opened ??= decompressed(input, format.compression);
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    try {
      const got: IteratorResult<Buffer, unknown> = await Promise.race([opened.next(), promise]);
      ended ||= got.done === true;
      return got.done === true ? null : got.value;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw fileFault(error, 'stdin');
    } finally {
      signal.removeEventListener('abort', abort);
    }
  };

  const fillHead = async (signal: AbortSignal): Promise<void> => {
    while (!ended && !consumed && headBytes < HEAD_BYTES) {
      const piece = await next(signal);
      if (piece === null) return;
      head.push(piece);
      headBytes += piece.length;
    }
  };

  return {
    name: STDIN,
    path: STDIN,
    format,
    inode: '',
    size: Number.POSITIVE_INFINITY,
    torn: false,
    async *text(from, signal) {
      await fillHead(signal);
      if (consumed)
        throw new TrueupError('E_POSITION_LOST', 'stdin was read already, and what was piped into it cannot be read again.', {
          hint: 'Pipe the records in again: those that were written are written again, to the same effect.',
        });
      const start = Buffer.concat(head).subarray(from);
      if (start.length > 0) yield start;
      consumed = true;
      head.length = 0;
      for (let piece = await next(signal); piece !== null; piece = await next(signal)) yield piece;
    },
    head: async (signal) => {
      await fillHead(signal);
      return Buffer.concat(head).subarray(0, HEAD_BYTES);
    },
    proof: async () => '',
    close: async () => {
      if (opened !== null && !ended) input.destroy();
    },
  };
}
