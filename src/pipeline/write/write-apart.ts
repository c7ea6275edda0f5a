import { faultOf, isTrueupError } from '../../errors.ts';
import type { TrueupError } from '../../errors.ts';
import type { Lane, MappedBatch, RecordFault } from '../../model/contracts.ts';

/** Called for each record that a fault was narrowed down to; throws to end the search (too many). */
export type OnFault = (fault: RecordFault) => void;

/**
 * Writes a batch; when a record in it is at fault, writes everything else and reports that record. The lane is left with all good
 * records of the batch written. A fault that names its record costs one further attempt, any other is found by halving.
 * Faults that are not a record's are thrown as they are.
 */
export async function writeApart(lane: Lane, batch: MappedBatch, onFault: OnFault, signal: AbortSignal): Promise<void> {
  await writePart({ lane, batch, onFault, signal }, 0, batch.records.count);
}

interface Writing {
  readonly lane: Lane;
  readonly batch: MappedBatch;
  readonly onFault: OnFault;
  readonly signal: AbortSignal;
}

async function writePart(writing: Writing, from: number, to: number): Promise<void> {
  if (from >= to) return;
  try {
    const faults = await writing.lane.bulkUpsert(sliceBatch(writing.batch, from, to), writing.signal);
    for (const fault of faults) writing.onFault({ ...fault, index: fault.index + from });
  } catch (error) {
    if (!isRecordFault(error)) throw error;
    if (to - from === 1) return writing.onFault({ index: from, code: error.code, message: error.message });
    const named = error.details.recordIndex;
    if (named !== undefined && named >= 0 && named < to - from) {
      await writePart(writing, from, from + named);
      await writePart(writing, from + named, from + named + 1);
      return writePart(writing, from + named + 1, to);
    }
    const middle = from + Math.ceil((to - from) / 2);
    await writePart(writing, from, middle);
    await writePart(writing, middle, to);
  }
}

export function isRecordFault(error: unknown): error is TrueupError {
  const fault = faultOf(error);
  return isTrueupError(error) && (fault === 'record' || fault === 'order');
}

/** The records `from <= i < to` of a batch. The same batch when that is all of it. */
export function sliceBatch(batch: MappedBatch, from: number, to: number): MappedBatch {
  if (from === 0 && to === batch.records.count) return batch;
  return { ...batch, records: batch.records.slice(from, to), ops: batch.ops === null ? null : batch.ops.subarray(from, to) };
}
