import { decodedCell } from '../../src/sdk.ts';
import type { Batch, Cell, Cursor, FetchRequest, Source, StreamRef } from '../../src/sdk.ts';

export const NEVER = new AbortController().signal;

/** A drain of one stream from the beginning. */
export function fetchRequest(source: Source, ref: StreamRef, more: Partial<FetchRequest> = {}): FetchRequest {
  const [feed] = source.feeds([ref]);
  if (feed === undefined) throw new Error('a stream without a feed');
  return {
    feed,
    streams: [ref],
    after: null,
    forms: new Map(),
    batchRows: 1000,
    batchBytes: 8 * 1024 * 1024,
    until: 'drain',
    signal: NEVER,
    ...more,
  };
}

/** Rows of batches as objects of carriers. */
export function rowsOf(batches: readonly Batch[]): Record<string, Cell>[] {
  return batches.flatMap(({ records, shape }) =>
    records.rows().map((row) => Object.fromEntries(shape.fields.map((field, index) => [field.name, decodedCell(records, row, index)]))),
  );
}

/** What a checkpoint would keep of them, as it comes back from it. */
export function cursorAfter(batches: readonly Batch[], before: Cursor | null = null): Cursor | null {
  const last = batches.findLast((batch) => batch.cursor !== null)?.cursor ?? before;
  return last === null ? null : (JSON.parse(JSON.stringify(last)) as Cursor);
}
