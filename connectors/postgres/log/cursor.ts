import { TrueupError } from '../../../src/sdk.ts';
import type { Cursor, Json } from '../../../src/sdk.ts';
import { parseLsn } from './lsn.ts';
import type { Lsn } from './lsn.ts';
import type { Published } from './published.ts';

/** A place in the log. The system that it belongs to is the identity of the source. */
export interface LogCursor {
  readonly kind: 'log';
  /** Every transaction whose commit begins before it was delivered. */
  readonly lsn: string;
  /** Of the WAL that `lsn` lies in. */
  readonly timeline: string;
  /** What holds the log back for this job. */
  readonly slot: string;
  readonly published: Published;
}

export function writeLogCursor(cursor: LogCursor): Cursor {
  return cursor as unknown as Json;
}

export function isLogCursor(cursor: Cursor | null): boolean {
  return typeof cursor === 'object' && cursor !== null && 'kind' in cursor && cursor['kind'] === 'log';
}

/** @throws {TrueupError} `E_POSITION_LOST` for what this connector has not written */
export function parseLogCursor(cursor: Cursor | null): LogCursor & { readonly at: Lsn } {
  const read = cursor as unknown as LogCursor;
  const at = isLogCursor(cursor) && typeof read.lsn === 'string' ? parseLsn(read.lsn) : null;
  if (at === null || typeof read.slot !== 'string' || typeof read.timeline !== 'string' || typeof read.published !== 'object')
    throw new TrueupError('E_POSITION_LOST', 'The stored cursor is not a place in the log of PostgreSQL.');
  return { ...read, at };
}

export function explainLogCursor(cursor: Cursor): string {
  const { lsn, slot } = parseLogCursor(cursor);
  return `log ${lsn} of slot ${slot}`;
}
