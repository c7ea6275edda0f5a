import { TrueupError, isTrueupError } from '../../src/sdk.ts';
import type { ErrorCode } from '../../src/sdk.ts';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'E_STREAM_UNKNOWN',
  ENOTDIR: 'E_STREAM_UNKNOWN',
  EACCES: 'E_ACCESS',
  EPERM: 'E_ACCESS',
  EROFS: 'E_ACCESS',
  EISDIR: 'E_CONFIG_INVALID',
  ENOSPC: 'E_RESOURCES',
  EDQUOT: 'E_RESOURCES',
  EFBIG: 'E_RESOURCES',
  EMFILE: 'E_RESOURCES',
  ENFILE: 'E_RESOURCES',
  EIO: 'E_RESOURCES',
  EBUSY: 'E_BUSY',
  EPIPE: 'E_CONNECTION_LOST',
  ESTALE: 'E_CONNECTION_LOST',
};

/** Anything that the file system or a decompressor throws, as what should be thrown instead. A bug stays what it is. */
export function fileFault(error: unknown, what: string): unknown {
  if (isTrueupError(error) || !(error instanceof Error) || !('code' in error)) return error;
  const name = String(error.code);
  const code = CODES[name];
  if (code !== undefined) return new TrueupError(code, `${what}: ${name}.`, { cause: error });
  if (/^(Z_|ZSTD_|ERR_ZSTD|ERR_ZLIB)/.test(name))
    return new TrueupError('E_POSITION_LOST', `${what}: its compressed data is damaged (${name}).`, {
      cause: error,
      hint: 'Replace the file with a whole one.',
    });
  return name.startsWith('ERR_') || name.startsWith('ABORT')
    ? error
    : new TrueupError('E_CONNECTION_LOST', `${what}: ${name}.`, { cause: error });
}

/** Does the work, its faults turned into a TrueupError that says what it was about; when `signal` aborts, its reason is thrown. */
export async function withFaults<T>(what: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    signal?.throwIfAborted();
    return await work();
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    throw fileFault(error, what);
  }
}
