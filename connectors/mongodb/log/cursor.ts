import { TrueupError } from '../../../src/sdk.ts';
import type { Cursor, Json } from '../../../src/sdk.ts';
import type { RawValue } from '../bson/read.ts';
import { extendedJson } from '../bson/ejson-write.ts';
import { parseTime, timeMs, timeText } from './cluster-time.ts';
import type { ClusterTime } from './cluster-time.ts';

/*
 * Where a reader of the log stands. A resume token is exact, but only for the stream of changes that it was taken from: another collection, or the whole
 * database, is read from the time instead, which delivers the changes of that very time again.
 */
export interface LogCursor {
  readonly kind: 'log';
  /** Everything before this time was delivered; with a token, everything up to it. As `timeText` writes it. */
  readonly time: string;
  /** Canonical Extended JSON. `null`: the time alone. */
  readonly token: string | null;
  /** What the token was taken from: a collection; `null`: the database. */
  readonly scope: string | null;
}

/** A token holds the `_id` of a document, which may be of any size; beyond this the time must do, as a cursor has its limit. */
const MAX_TOKEN = 48 * 1024;

export function cursorAtTime(time: ClusterTime): LogCursor {
  return { kind: 'log', time: timeText(time), token: null, scope: null };
}

export function cursorAtToken(token: RawValue, time: ClusterTime, scope: string | null): LogCursor {
  const text = extendedJson(token);
  return text.length > MAX_TOKEN ? cursorAtTime(time) : { kind: 'log', time: timeText(time), token: text, scope };
}

export function isLogCursor(cursor: Cursor | null): boolean {
  return (cursor as { readonly kind?: unknown } | null)?.kind === 'log';
}

/** @throws {TrueupError} `E_POSITION_LOST` for what this connector has not written */
export function parseLogCursor(cursor: Cursor | null): LogCursor | null {
  if (cursor === null) return null;
  const read = cursor as unknown as LogCursor;
  const isOurs =
    isLogCursor(cursor) &&
    typeof read.time === 'string' &&
    parseTime(read.time) !== null &&
    (read.token === null || typeof read.token === 'string') &&
    (read.scope === null || typeof read.scope === 'string');
  if (!isOurs) throw new TrueupError('E_POSITION_LOST', 'The stored cursor is not one that the mongodb connector writes for a log feed.');
  return read;
}

export function writeLogCursor(cursor: LogCursor): Cursor {
  return cursor as unknown as Json;
}

export function timeOfCursor({ time }: LogCursor): ClusterTime {
  return parseTime(time) ?? 0n;
}

/** `2026-11-28T20:37:50Z 1795898270:182` */
export function positionText(time: ClusterTime, ms = timeMs(time)): string {
  const iso = new Date(ms).toISOString();
  return `${ms % 1000 === 0 ? iso.replace('.000Z', 'Z') : iso} ${timeText(time)}`;
}

export function explainLogCursor(cursor: LogCursor): string {
  return positionText(timeOfCursor(cursor));
}
