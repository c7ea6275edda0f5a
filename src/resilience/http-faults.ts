import { TrueupError, isTrueupError } from '../errors.ts';
import type { HttpClientOptions } from './http-contract.ts';

/** A fault of one try. `sent`: whether the server may have seen the request. */
export class TryFault extends Error {
  override readonly name = 'TryFault';
  readonly fault: TrueupError;
  readonly sent: boolean;

  constructor(fault: TrueupError, sent: boolean) {
    super(fault.message);
    this.fault = fault;
    this.sent = sent;
  }
}

/** Before a connection stands: nothing has been sent. Faults of TLS among them, whose codes have no common form but these beginnings. */
const NOT_CONNECTED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_CONNECT',
]);
const TLS = /^(?:ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA)/;

/** Anything that undici or a socket threw before the answer, as a fault of one try. @param where for people: method and address */
export function requestFault(error: unknown, where: string, timeouts: HttpClientOptions['timeouts']): TryFault {
  const { code, message } = read(error);
  if (isTrueupError(error)) return new TryFault(error, true);
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return unsent('E_UNREACHABLE', `${where}: no connection within ${timeouts.connectMs} ms`, error);
  if (TLS.test(code)) return unsent('E_UNREACHABLE', `${where}: no trusted connection (${code}): ${message}`, error);
  if (NOT_CONNECTED.has(code)) return unsent('E_UNREACHABLE', `${where}: no connection (${code})`, error);
  if (code === 'UND_ERR_HEADERS_TIMEOUT')
    return new TryFault(
      new TrueupError('E_TIMEOUT', `${where}: no answer within ${timeouts.headersMs} ms after the request`, { cause: error }),
      true,
    );
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED')
    return unsent('E_CONFIG_INVALID', `${where}: the request cannot be made: ${message}`, error);
  const what = code === '' ? message : `${message} (${code})`;
  return new TryFault(
    new TrueupError('E_CONNECTION_LOST', `${where}: the connection broke before the answer: ${what}`, { cause: error }),
    true,
  );
}

/** What broke while the body was read. */
export function bodyFault(error: unknown, where: string, idleMs: number): TrueupError {
  if (isTrueupError(error)) return error;
  const { code, message } = read(error);
  if (code === 'UND_ERR_BODY_TIMEOUT')
    return new TrueupError('E_CONNECTION_LOST', `${where}: the body of the answer went silent for ${idleMs} ms`, { cause: error });
  if (code === 'Z_BUF_ERROR')
    return new TrueupError('E_CONNECTION_LOST', `${where}: the body of the answer ends in the middle of its compressed data`, {
      cause: error,
    });
  if (/^(?:Z_|ERR__ERROR_|ERR_BROTLI|ZSTD_|ERR_ZSTD|ERR_ZLIB)/.test(code))
    return new TrueupError('E_HTTP_BODY', `${where}: the body of the answer is not compressed as its content-encoding says (${code})`, {
      cause: error,
    });
  return new TrueupError(
    'E_CONNECTION_LOST',
    `${where}: the connection broke in the middle of the answer: ${message}${code === '' ? '' : ` (${code})`}`,
    {
      cause: error,
    },
  );
}

function unsent(code: 'E_UNREACHABLE' | 'E_CONFIG_INVALID', message: string, cause: unknown): TryFault {
  return new TryFault(new TrueupError(code, message, { cause }), false);
}

/** Node.js tries several addresses of a host and then throws all faults as one without a code. */
function read(error: unknown): { readonly code: string; readonly message: string } {
  if (!(error instanceof Error)) return { code: '', message: 'a thrown value that is no error' };
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const { code } = (first instanceof Error ? first : error) as NodeJS.ErrnoException;
  return { code: typeof code === 'string' ? code : '', message: error.message };
}
