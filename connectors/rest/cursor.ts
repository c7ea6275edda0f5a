import { TrueupError } from '../../src/sdk.ts';
import type { Cursor, Json } from '../../src/sdk.ts';
import type { Mark } from './order.ts';
import { FIRST, pageText } from './paging.ts';
import type { PageState } from './paging.ts';

/*
 * The one module that writes, reads and explains cursors. Values of fields stand in them as the source wrote them.
 */

/**
 * Where a walk over the pages of a stream stands. `page`: the next page of this stream. `parent`: the page of parents that is being worked through, and `key` the
 * parent in it whose records are read; `done`: its pages are at their end.
 */
export interface WalkState {
  readonly page: PageState;
  readonly parent?: { readonly walk: WalkState; readonly key: string; readonly done: boolean };
}

export const WALK_START: WalkState = { page: FIRST };

/** A read of everything from `head` on, which began and is not at its end. */
export interface Pass {
  /** The greatest value among what it delivered; `null`: none yet. */
  readonly max: Mark | null;
  /** When it began, by the clock of the server (µs since 1970, as text). Values later than that move no head. `null`: the server does not tell. */
  readonly began: string | null;
  readonly walk: WalkState;
}

export interface RestCursor {
  /** Everything up to it was delivered; `null`: nothing yet. */
  readonly head: Mark | null;
  readonly pass: Pass | null;
}

export function readCursor(cursor: Cursor | null): RestCursor {
  if (cursor === null) return { head: null, pass: null };
  if (typeof cursor === 'object' && 'head' in cursor && 'pass' in cursor) return cursor as unknown as RestCursor;
  throw new TrueupError('E_POSITION_LOST', 'This is no cursor of the rest connector.');
}

export function writeCursor(cursor: RestCursor): Cursor {
  return cursor as unknown as Json;
}

/** Never the token of a page: it may open what it points to. */
export function explainCursor(cursor: Cursor): string {
  const { head, pass } = readCursor(cursor);
  const from = head === null ? 'the beginning' : head.text;
  return pass === null ? from : `${from}, ${walkText(pass.walk)}`;
}

function walkText({ page, parent }: WalkState): string {
  return parent === undefined ? pageText(page) : `parent ${parent.key}, ${parent.done ? 'its last page' : pageText(page)}`;
}
