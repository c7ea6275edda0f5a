/**
 * What happened to a record.
 *
 * - `upsert`: the whole record as it is now.
 * - `patch`: only the cells that are not `undefined`; the key is always there.
 * - `delete`: gone; only key cells are set.
 * - `touch`: "look this key up again"; only key cells are set, and where the source knows them, cells as they were before (`StreamRef.lookups`). The pipeline reads
 *   the record with `fetchBy`, so no target sees it.
 * - `truncate`: every record of the stream is gone; no cell is set. A barrier: nothing moves across it.
 */
export const OPS = ['upsert', 'patch', 'delete', 'touch', 'truncate'] as const;

export type Op = (typeof OPS)[number];

/** The codes that stand in `Batch.ops`, one byte per record. */
export const OP = { upsert: 0, patch: 1, delete: 2, touch: 3, truncate: 4 } as const satisfies Record<Op, number>;
