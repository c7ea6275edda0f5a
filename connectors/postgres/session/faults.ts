import { TrueupError, isTrueupError } from '../../../src/sdk.ts';
import type { ErrorCode } from '../../../src/sdk.ts';

/** What the server says of an error, beside its text (protocol: error fields). */
interface ServerError extends Error {
  readonly code?: string;
  readonly severity?: string;
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  readonly dataType?: string;
  readonly constraint?: string;
  readonly where?: string;
}

/** By SQLSTATE, the whole code before its two-letter class. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const CODES: Readonly<Record<string, ErrorCode>> = {
  '08': 'E_CONNECTION_LOST',
  '08001': 'E_UNREACHABLE',
  '08004': 'E_ACCESS',
  '0A000': 'E_PLAN_CHANGED', // "cached plan must not change result type"
  '21000': 'E_RECORD_VALUE',
  '22': 'E_RECORD_VALUE',
  '23': 'E_RECORD_VALUE',
  '23503': 'E_RECORD_ORDER',
  '25006': 'E_ACCESS', // read-only: a standby
  '25P03': 'E_CONNECTION_LOST', // idle in transaction for too long
  '25P04': 'E_CONNECTION_LOST',
  '28': 'E_ACCESS',
  '3D000': 'E_ACCESS',
  '3F000': 'E_PLAN_CHANGED',
  '40': 'E_BUSY',
  '42501': 'E_ACCESS',
  '42703': 'E_PLAN_CHANGED',
  '42704': 'E_PLAN_CHANGED',
  '42804': 'E_PLAN_CHANGED',
  '42809': 'E_PLAN_CHANGED',
  '42883': 'E_PLAN_CHANGED',
  '42P01': 'E_PLAN_CHANGED',
  '42P10': 'E_PLAN_CHANGED', // no unique index fits ON CONFLICT
  '44000': 'E_RECORD_VALUE', // WITH CHECK OPTION of a view
  '53': 'E_RESOURCES',
  '53300': 'E_BUSY',
  '54000': 'E_RECORD_TOO_LARGE', // an index entry that does not fit a page
  '55006': 'E_BUSY',
  '55P03': 'E_BUSY',
  '57014': 'E_TIMEOUT',
  '57': 'E_CONNECTION_LOST',
  '57P03': 'E_BUSY', // starting up, shutting down
  '58': 'E_RESOURCES',
  '72000': 'E_BUSY', // snapshot too old
  P0: 'E_RECORD_VALUE', // raised by a trigger or a rule of the database
  XX000: 'E_BUSY', // seen when DDL meets a read ("could not open relation with OID")
  XX: 'E_RESOURCES',
};

/** What the server's own text of these classes would say with a value in it, said without. */
const RECORD_WORDS: Readonly<Record<string, string>> = {
  '22001': 'a value is too long',
  '22003': 'a number is out of range',
  '22007': 'a text is not a date or time',
  '22008': 'a date or time is out of range',
  '22021': 'a text holds a character that the database cannot store',
  '22P02': 'a text is not of the type',
  '22P03': 'a binary value is not of the type',
  '22P05': 'a text holds a character that the database cannot store',
  '23502': 'a column that is NOT NULL would be NULL',
  '23503': 'a foreign key refers to a row that is not there',
  '23505': 'a unique constraint already has this value in another row',
  '23514': 'a check constraint refuses the row',
  '23P01': 'an exclusion constraint refuses the row',
  '54000': 'a value does not fit an index',
};

const UNREACHABLE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENOENT', 'EACCES']);

export interface FaultContext {
  /** `host:port/database`, without credentials. */
  readonly address: string;
  /** Whether the connection was still being made: then any fault of the network means that nobody can be reached. */
  readonly connecting?: boolean;
}

/**
 * Anything that `pg` or a socket threw as a TrueupError of the right class. A record fault never carries the server's own text or the
 * original error, because both quote values of the row; it names column, constraint, type and table instead.
 */
export function postgresFault(error: unknown, context: FaultContext): TrueupError {
  if (isTrueupError(error)) return error;
  const server = (error instanceof Error ? error : new Error('a thrown value that is no error')) as ServerError;
  const state = /^[0-9A-Z]{5}$/.test(server.code ?? '') && server.severity !== undefined ? (server.code as string) : null;
  if (state === null) return socketFault(server, context);
  const code = CODES[state] ?? CODES[state.slice(0, 2)] ?? 'E_BUG';
  if (code.startsWith('E_RECORD')) return recordFault(code, state, server);
  const hint = state === '25006' ? { hint: 'The server is a standby or read-only: connect to the primary.' } : {};
  return new TrueupError(code, `${context.address}: ${server.message} (SQLSTATE ${state}).`, { cause: error, ...hint });
}

function recordFault(code: ErrorCode, state: string, server: ServerError): TrueupError {
  const { schema, table, column, dataType, constraint } = server;
  const copied = /^COPY .+, line (\d+)(?:, column ("[^"]*"|[^:\s]+))?/.exec(server.where ?? '');
  const place = [
    (column ?? copied?.[2]) ? `column ${column ?? copied?.[2]}` : null,
    constraint ? `constraint ${constraint}` : null,
    dataType ? `type ${dataType}` : null,
    table ? `table ${schema ? `${schema}.` : ''}${table}` : null,
  ].filter((part) => part !== null);
  const words =
    RECORD_WORDS[state] ??
    (state.startsWith('P0') ? 'a trigger or function of the database raised an error' : 'the database refuses a value');
  const line = copied?.[1];
  return new TrueupError(
    code,
    `${words}${place.length > 0 ? ` (${place.join(', ')})` : ''}; SQLSTATE ${state}.`,
    line === undefined ? {} : { recordIndex: Number(line) - 1 },
  );
}

/** What comes from the socket, TLS or the client library itself: no SQLSTATE. */
function socketFault(error: ServerError, { address, connecting = false }: FaultContext): TrueupError {
  // Not from the server, the socket or the library: a fault of ours, which must not be retried as if the network were to blame.
  if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError)
    return new TrueupError('E_BUG', error.message, { cause: error });
  const said = `${address}: ${error.message}`;
  // The library has no code for "the server asks for a password and there is none".
  if (connecting && error.message.startsWith('SASL')) return new TrueupError('E_ACCESS', `${said}.`, { cause: error });
  if (connecting || UNREACHABLE.has(error.code ?? ''))
    return new TrueupError('E_UNREACHABLE', `${address} cannot be reached: ${error.message}.`, { cause: error });
  return new TrueupError('E_CONNECTION_LOST', `${said}.`, { cause: error });
}
