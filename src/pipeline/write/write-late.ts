import type { Batch, RecordFault } from '../../model/contracts.ts';
import { isAssembled } from '../embed/assembly.ts';
import type { FeedRun, StreamRun } from '../feed-run.ts';
import { letterKey } from '../letters/letter-book.ts';
import { letGoOfTooMany, resolveDelivered } from './settle-batch.ts';
import { setAside } from './set-aside.ts';
import { writeApart } from './write-apart.ts';

/**
 * Writes a batch whose records are mapped as the lane asks for them. `false`: nothing was written, and the batch is to be mapped as a whole; so ends also
 * one with a record that cannot be mapped.
 */
export async function writeLate(run: FeedRun, stream: StreamRun, batch: Batch): Promise<boolean> {
  if (stream.unwinder !== null || isAssembled(batch)) return false;
  const late = stream.mapper.mapLate?.(batch) ?? null;
  if (late === null) return false;
  const part = run.fresh ? { ...late.batch, fresh: true } : late.batch;
  const keyAt = (index: number): string => letterKey(batch.shape, batch.records, batch.records.rows()[index] ?? []);
  const faulty = new Set<number>();
  const onFault = ({ index, code, message }: RecordFault): void => {
    faulty.add(index);
    setAside(run, stream, { key: keyAt(index), code, message });
  };
  try {
    await writeApart(run.lane, part, onFault, run.signals.abort);
  } catch (error) {
    // Its lane is as before the call.
    if (late.faulted()) return false;
    throw error;
  }
  stream.tally.pending.conversions.push(...late.conversions());
  run.uncommitted?.push({ stream, batch: part, keyAt });
  letGoOfTooMany(run);
  resolveDelivered(run, stream, batch, faulty);
  return true;
}
