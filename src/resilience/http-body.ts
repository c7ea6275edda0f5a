import { pipeline } from 'node:stream';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { TrueupError } from '../errors.ts';
import type { HttpAnswer } from './http-contract.ts';
import { bodyFault } from './http-faults.ts';

/** What is accepted, and how each is undone. */
const DECODERS: Readonly<Record<string, (() => NodeJS.ReadWriteStream) | null>> = {
  '': null,
  identity: null,
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};
export const ACCEPT_ENCODING = 'gzip, br, zstd';

/** The body as undici gives it. */
export type AnswerStream = Readable & { dump(options: { readonly limit: number; readonly signal: AbortSignal }): Promise<unknown> };

export interface BodyOptions {
  readonly stream: AnswerStream;
  /** Whether there is none, whatever the headers say. */
  readonly empty: boolean;
  readonly headers: Readonly<Record<string, string>>;
  /** For people: method and address. */
  readonly where: string;
  readonly maxBytes: number;
  readonly idleMs: number;
  readonly signal: AbortSignal;
  /** A fault in other words, or without a secret. */
  fault(error: unknown): Error;
  /** Called once when nothing more will come; `null`: it was given up. */
  onEnd(error?: unknown): void;
}

export type Body = Pick<HttpAnswer, 'body' | 'text' | 'bytes' | 'cancel'>;

/** The body of an answer: decompressed, counted, read once. */
export function openBody(options: BodyOptions): Body {
  const { headers, where, maxBytes, idleMs, signal, stream, empty } = options;
  let ended = false;
  const end = (error?: unknown): void => {
    clearTimeout(unread);
    if (!ended) options.onEnd(error);
    ended = true;
  };
  if (!empty) refuseLength(options);
  const content = empty ? stream : decoded(stream, headers, where);
  const cancel = (): void => {
    content.destroy();
    stream.destroy();
    end(null);
  };
  const unread = setTimeout(cancel, idleMs).unref();
  let begun = false;
  content.once('close', () => begun || end(null));
  if (empty) void drop(stream).then(() => end());

  async function* read(): AsyncGenerator<Uint8Array> {
    if (empty) return;
    if (begun || (ended && !signal.aborted))
      throw new TrueupError(
        'E_BUG',
        `${where}: the body of the answer was read already, was cancelled, or was left unread for ${idleMs} ms`,
      );
    begun = true;
    clearTimeout(unread);
    let bytes = 0;
    try {
      for await (const chunk of content as AsyncIterable<Uint8Array>) {
        bytes += chunk.length;
        if (bytes > maxBytes) throw tooLarge(where, maxBytes, null);
        yield chunk;
      }
      end();
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const fault = options.fault(bodyFault(error, where, idleMs));
      end(fault);
      throw fault;
    } finally {
      cancel();
    }
  }
  const bytes = async (): Promise<Uint8Array> => Buffer.concat(await Array.fromAsync(read()));
  return { body: { [Symbol.asyncIterator]: read }, bytes, text: async () => textOf(await bytes(), headers, where), cancel };
}

/** Reads what is left of a small body, so that its connection can be used again; a large or slow one is broken off. */
export async function drop(stream: AnswerStream): Promise<void> {
  try {
    await stream.dump({ limit: 65_536, signal: AbortSignal.timeout(1_000) });
  } catch {
    stream.destroy();
  }
}

function refuseLength({ headers, where, maxBytes }: BodyOptions): void {
  const length = Number(headers['content-length'] ?? '');
  if (length > maxBytes) throw tooLarge(where, maxBytes, length);
}

function tooLarge(where: string, maxBytes: number, length: number | null): TrueupError {
  const got = length === null ? `more than ${maxBytes}` : String(length);
  return new TrueupError('E_HTTP_BODY', `${where}: the body of the answer has ${got} bytes; at most ${maxBytes} are taken (maxBodyBytes)`);
}

function decoded(stream: AnswerStream, headers: Readonly<Record<string, string>>, where: string): Readable {
  const name = (headers['content-encoding'] ?? '').trim().toLowerCase();
  const decoder = DECODERS[name];
  if (decoder === undefined)
    throw new TrueupError(
      'E_HTTP_BODY',
      `${where}: the answer is encoded as '${name}', which was not asked for. Accepted: ${ACCEPT_ENCODING}`,
    );
  if (decoder === null) return stream;
  const content = decoder() as unknown as Readable;
  content.on('error', () => {});
  pipeline(stream, content as unknown as NodeJS.WritableStream, () => {});
  return content;
}

/** @throws {TrueupError} `E_HTTP_BODY` for bytes that are no text in their charset: replacing them would change values. */
function textOf(bytes: Uint8Array, headers: Readonly<Record<string, string>>, where: string): string {
  const charset = /charset="?([\w:.-]+)/i.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TrueupError('E_HTTP_BODY', `${where}: the body of the answer is not text in ${charset}`, { cause });
  }
}
