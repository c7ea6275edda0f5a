import { TrueupError } from 'trueup/sdk';
import type { Cursor } from 'trueup/sdk';
import type { Value } from './file.ts';

/*
 * The one module that writes, reads and explains cursors. Values are texts with the kind of value before them, so that every digit stays and 1 is not '1'.
 */

/** The changes of a table up to and including `seq`, by one making of its change table. */
export interface ChangesCursor {
  readonly changes: string;
  readonly seq: string;
}

/** A part of a table: the key of the last row that was delivered. */
export interface KeyCursor {
  readonly key: readonly string[];
}

export function readChangesCursor(cursor: Cursor | null): ChangesCursor | null {
  return read<ChangesCursor>(cursor, 'seq');
}

export function readKeyCursor(cursor: Cursor | null): KeyCursor | null {
  return read<KeyCursor>(cursor, 'key');
}

function read<Kind>(cursor: Cursor | null, member: keyof Kind & string): Kind | null {
  if (cursor === null) return null;
  if (typeof cursor === 'object' && member in cursor) return cursor as Kind;
  throw new TrueupError('E_POSITION_LOST', `This is no cursor of the sqlite connector for this feed: '${member}' is missing.`);
}

export function textOf(value: Value): string {
  if (value === null) return 'n:';
  if (typeof value === 'bigint') return `i:${value}`;
  if (typeof value === 'number') return `r:${value}`;
  return typeof value === 'string' ? `t:${value}` : `b:${Buffer.from(value).toString('hex')}`;
}

export function valueOfText(text: string): Value {
  const rest = text.slice(2);
  switch (text[0]) {
    case 'i':
      return BigInt(rest);
    case 'r':
      return Number(rest);
    case 't':
      return rest;
    case 'b':
      return Buffer.from(rest, 'hex');
    default:
      return null;
  }
}

export function explainCursor(cursor: Cursor): string {
  if (typeof cursor !== 'object' || cursor === null) return String(cursor);
  const { seq, key } = cursor as Partial<ChangesCursor & KeyCursor>;
  return seq === undefined ? (key ?? []).map((text) => text.slice(2)).join(' ') : `change ${seq}`;
}
