import { OP } from '../../model/change.ts';
import type { MappedBatch } from '../../model/contracts.ts';
import { fieldIndex } from '../../model/shape.ts';
import type { StreamRun } from '../feed-run.ts';
import { isEmbedding } from './embed-ref.ts';

/** Counts the children in documents that were written. */
export function countChildren(
  { planned, tally }: StreamRun,
  { shape, records, ops }: MappedBatch,
  isWritten: (index: number) => boolean,
): void {
  if (!isEmbedding(planned.ref)) return;
  for (const { name, one } of planned.ref.embeds) {
    const field = fieldIndex(shape, name);
    let count = tally.pending.embedded.get(name) ?? 0;
    records.rows().forEach((row, index) => {
      if ((ops?.[index] ?? OP.upsert) !== OP.upsert || !isWritten(index)) return;
      const cell = row[field];
      if (Array.isArray(cell)) count += one ? 1 : cell.length;
    });
    tally.pending.embedded.set(name, count);
  }
}
