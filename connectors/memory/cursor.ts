import { TrueupError } from '../../src/sdk.ts';
import type { Cell, Cursor, Row, Shape } from '../../src/sdk.ts';
import { cellOfText, plainText } from './cells.ts';

/*
 * The one module that writes, reads and explains cursors. Values are texts, so int64 keeps every digit.
 */

/** `log`: the sequence of the last entry that was delivered. */
export interface LogCursor {
  readonly log: number;
}

/**
 * `cursor` and `sequence`. `head`: value and key of the last row in their order; `null`: none yet. `seen`: the version of the database up to
 * which every row was delivered, wherever it stands in that order. Only the end of a drain moves it.
 */
export interface FieldCursor {
  readonly head: readonly (string | null)[] | null;
  readonly seen: number;
}

/** A backfill range: the key of the last row that was delivered. */
export interface KeyCursor {
  readonly key: readonly (string | null)[];
}

export function readLogCursor(cursor: Cursor | null): LogCursor {
  return read(cursor, 'log', { log: 0 });
}

export function readFieldCursor(cursor: Cursor | null): FieldCursor {
  return read(cursor, 'seen', { head: null, seen: 0 });
}

export function readKeyCursor(cursor: Cursor | null): KeyCursor | null {
  return cursor === null ? null : read<KeyCursor>(cursor, 'key', { key: [] });
}

function read<Kind>(cursor: Cursor | null, member: string, beginning: Kind): Kind {
  if (cursor === null) return beginning;
  if (typeof cursor === 'object' && member in cursor) return cursor as Kind;
  throw new TrueupError('E_POSITION_LOST', `This is no cursor of the memory connector for this change method: '${member}' is missing.`);
}

export function textsOf(cells: Row): (string | null)[] {
  return cells.map(plainText);
}

/** The cells that `textsOf` wrote, of these fields. */
export function cellsOf(shape: Shape, fields: readonly number[], texts: readonly (string | null)[]): Cell[] {
  return texts.map((text, index) => cellOfText(shape.fields[fields[index] ?? -1]?.type ?? 'text', text));
}

export function explainCursor(cursor: Cursor): string {
  if (typeof cursor !== 'object' || cursor === null) return String(cursor);
  const { log, head, key } = cursor as Partial<LogCursor & FieldCursor & KeyCursor>;
  if (log !== undefined) return `log entry ${log}`;
  const texts = head ?? key;
  return texts === undefined ? 'the beginning' : texts.map((text) => text ?? 'NULL').join(' ');
}
