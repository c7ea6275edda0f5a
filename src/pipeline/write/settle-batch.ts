import { OP } from '../../model/change.ts';
import type { Batch } from '../../model/contracts.ts';
import type { FeedRun, StreamRun } from '../feed-run.ts';
import { letterKey } from '../letters/letter-book.ts';

/** Records that are looked up may weigh far more than the keys that they were looked up by. Committed one batch at a time they are few. */
export function letGoOfTooMany(run: FeedRun): void {
  if (run.eager || run.uncommitted === null) return;
  const bytes = run.uncommitted.reduce((sum, { batch }) => sum + batch.records.bytes, 0);
  if (bytes > 2 * run.context.job.batch.bytes) run.uncommitted = null;
}

/** A key that was delivered, filtered or deleted needs its letter no longer. */
export function resolveDelivered(run: FeedRun, stream: StreamRun, batch: Batch, faulty: ReadonlySet<number>): void {
  const { name } = stream.planned;
  if (!run.book.knows(name) && run.pending.letters.size === 0) return;
  batch.records.rows().forEach((row, index) => {
    if (faulty.has(index) || batch.ops?.[index] === OP.truncate) return;
    const key = letterKey(batch.shape, batch.records, row);
    if (run.book.has(name, key)) run.book.resolve(run.pending, name, key);
  });
}
