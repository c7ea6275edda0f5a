import type { Row } from '../../src/model/cell.ts';
import type { Batch } from '../../src/model/contracts.ts';
import { cellRecords } from '../../src/model/records.ts';
import type { CellRecordsInit } from '../../src/model/records.ts';
import type { Shape } from '../../src/model/shape.ts';
import { digestSides, listDifferences } from '../../src/reconcile/compare.ts';
import type { Difference } from '../../src/reconcile/compare.ts';
import type { Side } from '../../src/reconcile/side.ts';

export const never = new AbortController().signal;

export function batchOf(shape: Shape, rows: readonly Row[], more: Partial<CellRecordsInit> = {}): Batch {
  return {
    stream: 'items',
    shape,
    records: cellRecords({ rows, bytes: 0, ...more }),
    ops: null,
    distinctKeys: true,
    cursor: null,
    position: { text: '' },
  };
}

/** The rows in batches of three. */
export async function* batches(shape: Shape, rows: readonly Row[], more: Partial<CellRecordsInit> = {}): AsyncGenerator<Batch> {
  for (let from = 0; from < rows.length; from += 3) yield batchOf(shape, rows.slice(from, from + 3), more);
}

/** Both steps; the differences by key. */
export async function compareAll(source: Side, target: Side, recordsAtOnce?: number): Promise<Difference[]> {
  const sides = { source, target, signal: never };
  const digests = await digestSides(sides);
  const found: Difference[] = [];
  for await (const some of listDifferences(digests, sides, recordsAtOnce)) found.push(...some);
  return found.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}
