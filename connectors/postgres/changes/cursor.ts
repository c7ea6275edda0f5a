import { TrueupError } from '../../../src/sdk.ts';
import type { Cursor, Json } from '../../../src/sdk.ts';
import type { Fence } from './fence.ts';

/*
 * What the cursors of this connector are made of. All values are the server's own text; they are compared in the database only.
 *
 * A changes feed is read in passes. A pass delivers, from one snapshot or several in a row, what was committed before its first one:
 *   loose  rows without a place in the order (cursor NULL or infinite), by key
 *   late   rows at or before `head` and after `floor` that were written since `horizon`: late commits
 *   rest   rows after `head`, in order
 * (by xmin: `scan` alone, by key). A batch's cursor stands inside the pass; the last one ends it.
 */

/** A place in the order `(cursor column, key…)`. */
export interface Place {
  readonly c: string;
  readonly k: readonly string[];
}

export type Phase = 'loose' | 'late' | 'rest' | 'scan';

export interface PassCursor {
  readonly phase: Phase;
  /** How far the phase has come: cursor value (where there is an order) and key. `null`: at its beginning. `rest` goes by `head`. */
  readonly at: readonly string[] | null;
  /** Horizon and floor when the pass is done, both settled before its first snapshot. */
  readonly horizon: string;
  readonly floor: string | null;
}

export interface ChangesCursor {
  readonly kind: 'changes';
  readonly head: Place | null;
  /** No row at or below it can still be committed. `null`: nothing is known. */
  readonly floor: string | null;
  /** Full transaction id. Whatever the passes so far have not seen was written by this or a later transaction. `null`: all is new. */
  readonly horizon: string | null;
  /** Oldest first, at most two. */
  readonly fences: readonly Fence[];
  /** Of the server's WAL. Another one: after a failover transaction ids may stand for other transactions. */
  readonly timeline: string | null;
  readonly pass: PassCursor | null;
}

export interface BackfillCursor {
  readonly kind: 'backfill';
  /** Key of the last row. */
  readonly k: readonly string[];
}

export const FROM_THE_BEGINNING: ChangesCursor = {
  kind: 'changes',
  head: null,
  floor: null,
  horizon: null,
  fences: [],
  timeline: null,
  pass: null,
};

export function writeCursor(cursor: ChangesCursor | BackfillCursor): Cursor {
  return cursor as unknown as Json;
}

export function parseChangesCursor(cursor: Cursor | null): ChangesCursor {
  if (cursor === null) return FROM_THE_BEGINNING;
  const read = cursor as unknown as ChangesCursor;
  if (typeof cursor !== 'object' || read.kind !== 'changes' || !Array.isArray(read.fences) || !isPlace(read.head)) throw notOurs('changes');
  if ([read.floor, read.horizon].some((text) => text !== null && typeof text !== 'string')) throw notOurs('changes');
  return read;
}

export function parseBackfillCursor(cursor: Cursor | null): BackfillCursor | null {
  if (cursor === null) return null;
  const read = cursor as unknown as BackfillCursor;
  if (typeof cursor !== 'object' || read.kind !== 'backfill' || !Array.isArray(read.k)) throw notOurs('backfill');
  return read;
}

function isPlace(head: Place | null | undefined): boolean {
  return head === null || (typeof head === 'object' && typeof head.c === 'string' && Array.isArray(head.k));
}

function notOurs(kind: string): TrueupError {
  return new TrueupError('E_POSITION_LOST', `The stored cursor is not one that the postgres connector writes for a ${kind} feed.`);
}

/** A position for people. @throws {TrueupError} `E_POSITION_LOST` for what this connector has not written */
export function explainCursor(cursor: Cursor): string {
  if ((cursor as { readonly kind?: unknown } | null)?.kind === 'backfill') return `key ${parseBackfillCursor(cursor)?.k.join(', ') ?? ''}`;
  const read = parseChangesCursor(cursor);
  const place = read.head === null ? 'the beginning' : placeText(read.head);
  const late = read.horizon === null ? '' : `, transactions from ${read.horizon}`;
  const floor = read.floor === null ? '' : `, nothing late before ${isoText(read.floor)}`;
  return `${place}${late}${floor}${read.pass === null ? '' : `, in the middle of a pass (${read.pass.phase})`}`;
}

export function placeText(place: Place): string {
  return `${isoText(place.c)} ${place.k.join(', ')}`.trimEnd();
}

/** `2026-11-24 10:00:00.123456+00` as `2026-11-24T10:00:00.123456Z`; any other text as it is. */
export function isoText(text: string): string {
  return /^\d{4,}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00$/.test(text) ? text.replace(' ', 'T').replace('+00', 'Z') : text;
}
