import type { Json, KeyBounds, Row } from '../../src/sdk.ts';
import type { Found } from './batches.ts';
import { compareRows } from './cells.ts';
import { cellsOf, readKeyCursor, textsOf } from './cursor.ts';
import { indicesOf, orderedRows, toFound } from './read-rows.ts';
import type { Ordered, RowsRead } from './read-rows.ts';

/** A key range of a backfill, as texts of key cells. `from` and `to` are in it, `before` is not. Absent: open. */
interface KeyRange {
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  readonly before?: readonly string[];
}

/** The rows of a backfill feed's range in key order, after the cursor. */
export function rangeRows(read: RowsRead): Found[] {
  const { view } = read;
  const collection = read.database.collection(view.stream.name);
  const key = indicesOf(collection, view.stream.key);
  const range = (read.feed.range ?? {}) as KeyRange;
  const bound = (texts: readonly (string | null)[] | undefined): Row | null =>
    texts === undefined ? null : cellsOf(collection.shape, key, texts);
  const [from, to, before, after] = [bound(range.from), bound(range.to), bound(range.before), bound(readKeyCursor(read.after)?.key)];
  const inRange = ({ order }: Ordered): boolean =>
    (from === null || compareRows(order, from) >= 0) &&
    (to === null || compareRows(order, to) <= 0) &&
    (before === null || compareRows(order, before) < 0) &&
    (after === null || compareRows(order, after) > 0);
  return orderedRows(read, key)
    .filter(inRange)
    .map((row) => toFound(read, row, { key: textsOf(row.order) }));
}

/** Ranges of about as many rows each, open at the outer ends so that they cover rows which are not there yet. */
export function splitRanges(read: RowsRead, partitions: number, bounds: KeyBounds): Json[] {
  const keys = rangeRows({ ...read, feed: { ...read.feed, range: boundsRange(bounds) } }).map((found) =>
    read.view.shape.key.map((index) => found.row[index]),
  );
  const size = Math.max(1, Math.ceil(keys.length / partitions));
  const starts = keys.filter((_key, index) => index > 0 && index % size === 0).map((key) => textsOf(key));
  const edges = [null, ...starts, null];
  return edges.slice(0, -1).map((from, index) => {
    const before = edges[index + 1] ?? null;
    return {
      ...boundsRange(bounds),
      ...(from === null ? {} : { from }),
      ...(before === null ? {} : { before }),
    };
  });
}

function boundsRange({ from, to }: KeyBounds): { from?: readonly string[]; to?: readonly string[] } {
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
}
