import type { Op, Row, Shape } from '../../src/sdk.ts';

/** One entry of the change log: append-only, numbered from 1 across all collections. */
export interface LogEntry {
  readonly sequence: number;
  readonly collection: string;
  readonly op: Op;
  /** Empty for a truncate. */
  readonly key: Row;
  /** Aligned to `shape`. A patch leaves absent cells `undefined`; deletes, touches and truncates have no row. */
  readonly row: Row | null;
  /** The collection's shape when this was written. */
  readonly shape: Shape;
  /** Whether it ends its transaction, so that a reader may stop after it. */
  readonly last: boolean;
  readonly timeMs: number;
}

export interface StoredRow {
  readonly cells: Row;
  /** Sequence of the log entry that wrote it. Grows with every commit, so it says what a reader has not seen yet. */
  readonly version: number;
}

export interface Collection {
  readonly name: string;
  readonly shape: Shape;
  /** By the text of the key. */
  readonly rows: Map<string, StoredRow>;
}

/** A change that a transaction wants: the log entry it will become. */
export type Change = Pick<LogEntry, 'collection' | 'op' | 'key' | 'row'>;
