import { TrueupError } from '../../../src/sdk.ts';
import type { Cursor, Json } from '../../../src/sdk.ts';
import { explainLogCursor, isLogCursor, parseLogCursor } from '../log/cursor.ts';
import type { LogCursor } from '../log/cursor.ts';

/*
 * What the cursors of this connector are made of. All values are canonical Extended JSON; they are compared in the database only.
 *
 * A changes feed is read in passes. A pass delivers, in this order:
 *   loose   documents without a place in the order (no value, null or an array in the cursor field), by _id
 *   window  with a lookback: documents from the floor up to `head`, which may have been written late
 *   rest    documents after `head`, in order; `head` moves along
 */

/** A place in the order `(cursor field, _id)`. */
export interface Place {
  readonly c: string;
  readonly id: string;
}

export type Phase = 'loose' | 'window' | 'rest';

export interface PassCursor {
  readonly phase: Phase;
  /** The last document of `window`. */
  readonly at: Place | null;
  /** The `_id` of the last document of `loose`. */
  readonly id: string | null;
  /** The server's clock when the pass began. */
  readonly since: string;
}

export interface ChangesCursor {
  readonly kind: 'changes';
  readonly head: Place | null;
  /** The server's clock when the last finished pass began (ms since 1970): what is dated before it and came later came late. `null`: no pass was finished. */
  readonly since: string | null;
  readonly pass: PassCursor | null;
}

export interface BackfillCursor {
  readonly kind: 'backfill';
  /** `_id` of the last document. */
  readonly id: string;
}

export const FROM_THE_BEGINNING: ChangesCursor = { kind: 'changes', head: null, since: null, pass: null };

export function writeCursor(cursor: ChangesCursor | BackfillCursor): Cursor {
  return cursor as unknown as Json;
}

export function parseChangesCursor(cursor: Cursor | null): ChangesCursor {
  if (cursor === null) return FROM_THE_BEGINNING;
  const read = cursor as unknown as ChangesCursor;
  if (typeof cursor !== 'object' || read.kind !== 'changes' || !isPlace(read.head)) throw notOurs('changes');
  if (read.pass !== null && (typeof read.pass !== 'object' || typeof read.pass.since !== 'string' || !isPlace(read.pass.at)))
    throw notOurs('changes');
  return read;
}

export function parseBackfillCursor(cursor: Cursor | null): BackfillCursor | null {
  if (cursor === null) return null;
  const read = cursor as unknown as BackfillCursor;
  if (typeof cursor !== 'object' || read.kind !== 'backfill' || typeof read.id !== 'string') throw notOurs('backfill');
  return read;
}

function isPlace(place: Place | null | undefined): boolean {
  return place === null || (typeof place === 'object' && typeof place.c === 'string' && typeof place.id === 'string');
}

function notOurs(kind: string): TrueupError {
  return new TrueupError('E_POSITION_LOST', `The stored cursor is not one that the mongodb connector writes for a ${kind} feed.`);
}

/** A position for people. @throws {TrueupError} `E_POSITION_LOST` for what this connector has not written */
export function explainCursor(cursor: Cursor): string {
  if (isLogCursor(cursor)) return explainLogCursor(parseLogCursor(cursor) as LogCursor);
  if ((cursor as { readonly kind?: unknown } | null)?.kind === 'backfill') return `_id ${plainText(parseBackfillCursor(cursor)?.id ?? '')}`;
  const { head, pass } = parseChangesCursor(cursor);
  const place = head === null ? 'the beginning' : placeText(head);
  return pass === null ? place : `${place}, in the middle of a pass (${pass.phase})`;
}

export function placeText({ c, id }: Place): string {
  return `${plainText(c)} ${plainText(id)}`;
}

/** Extended JSON as people write it: `2026-11-24T10:00:00.123Z`, `42`, `65a1…`. */
export function plainText(text: string): string {
  const ms = dateMs(text);
  if (ms !== null) return new Date(ms).toISOString();
  const wrapped = /^\{"\$(?:oid|number\w+)":"([^"]*)"\}$/.exec(text);
  return wrapped?.[1] ?? (text.startsWith('"') ? (JSON.parse(text) as string) : text);
}

/** Of the Extended JSON of a date that a JavaScript Date can hold. */
export function dateMs(text: string): number | null {
  const ms = /^\{"\$date":\{"\$numberLong":"(-?\d+)"\}\}$/.exec(text)?.[1];
  return ms === undefined || Number.isNaN(new Date(Number(ms)).getTime()) ? null : Number(ms);
}

/** When a cursor value was written, as far as it says so: dates, timestamps and object ids (ms since 1970). */
export function timeOf(text: string): number | null {
  const seconds = /^\{"\$timestamp":\{"t":(\d+),/.exec(text)?.[1];
  if (seconds !== undefined) return Number(seconds) * 1000;
  const hex = /^\{"\$oid":"([0-9a-f]{8})/.exec(text)?.[1];
  return hex === undefined ? dateMs(text) : Number.parseInt(hex, 16) * 1000;
}

/** The smallest value of the same type that is not before this time. `null`: values of this type have no time. */
export function valueAt(text: string, ms: number): string | null {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (text.startsWith('{"$timestamp"')) return `{"$timestamp":{"t":${seconds},"i":0}}`;
  if (text.startsWith('{"$oid"')) return `{"$oid":"${seconds.toString(16).padStart(8, '0')}${'0'.repeat(16)}"}`;
  return dateMs(text) === null ? null : dateJson(ms);
}

export function dateJson(ms: number): string {
  return `{"$date":{"$numberLong":"${Math.floor(ms)}"}}`;
}
