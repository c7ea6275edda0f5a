import type { Cursor, Position } from './feed.ts';
import type { GuaranteeParts } from './guarantee.ts';
import type { LogicalType } from './logical-type.ts';

/** A record by field name, with JSON values or carriers. A declared field that it lacks is NULL; a field that is not declared is not read. */
export type PagedRow = Readonly<Record<string, unknown>>;

export interface PagedStream {
  readonly key: readonly string[];
  /** Every field but those of the key may be NULL. */
  readonly fields: Readonly<Record<string, LogicalType>>;
  /**
   * What its cursors promise. Default: the least, late commits lost and deletes never. Say `lateCommits: 'within-lookback'` where a read begins a
   * little before the last one ended (and in `assumes` how much), `'delivered'` where the API lists changes in the order in which they were
   * committed; `deletes: 'delivered'` where pages say `deleted`.
   */
  readonly guarantee?: Partial<GuaranteeParts>;
}

export interface Page {
  readonly rows: readonly PagedRow[];
  /** Records that are gone, by the fields of their key. */
  readonly deleted?: readonly PagedRow[];
  /** Whether a page after `cursor` can be asked for at once. */
  readonly more: boolean;
  /** Where to go on after this page. A read that begins there misses nothing that was not delivered. */
  readonly cursor: Cursor;
  /** For people. Default: the cursor as text. */
  readonly position?: Position;
}
