import { OP, TrueupError, isTrueupError } from '../../src/sdk.ts';
import type { MappedBatch, RecordFault, TargetStream, WriteCounts } from '../../src/sdk.ts';
import type { FileOptions } from './options.ts';
import type { RecordWriter } from './write-record.ts';

export type Tally = Record<keyof WriteCounts, number>;

/** What is written of a batch. */
export interface BatchLines {
  readonly lines: readonly string[];
  readonly tally: Tally;
  readonly faults: readonly RecordFault[];
}

interface Into {
  readonly stream: TargetStream;
  readonly writer: RecordWriter;
  readonly options: FileOptions;
}

/** A line for each record that there is one of. */
export function batchLines({ records, ops }: MappedBatch, { stream, writer, options }: Into): BatchLines {
  const tally = nothing();
  const faults: RecordFault[] = [];
  const lines: string[] = [];
  for (const [index, row] of records.rows().entries()) {
    const op = ops?.[index] ?? OP.upsert;
    try {
      if (op === OP.delete && stream.onDelete === 'ignore') {
        tally.unchanged++;
        continue;
      }
      refuseOp(op, options);
      lines.push(writer.line(records, row, op));
      tally[op === OP.delete ? 'deleted' : 'upserted']++;
    } catch (error) {
      if (!isTrueupError(error) || error.fault !== 'record') throw error;
      faults.push({ index, code: error.code, message: error.message });
    }
  }
  return { lines, tally, faults };
}

/** Adds what was written of a batch to what was written of its stream before. */
export function addTally(tallies: Map<string, Tally>, stream: string, tally: Tally): void {
  const total = tallies.get(stream) ?? nothing();
  for (const name of Object.keys(total) as (keyof Tally)[]) total[name] += tally[name];
  tallies.set(stream, total);
}

function nothing(): Tally {
  return { upserted: 0, unchanged: 0, deleted: 0, absent: 0, superseded: 0 };
}

/** A file without a field for it has no place for a delete, and must not pretend to. */
function refuseOp(op: number, { op: field }: FileOptions): void {
  if (op === OP.upsert || (op === OP.delete && field !== undefined)) return;
  if (op !== OP.delete) throw new TrueupError('E_BUG', `No file takes operation ${op}.`);
  throw new TrueupError(
    'E_RECORD_LOSS',
    'The record was deleted, and the file has no field that could say so: set `op` on the connection, or `onDelete: ignore` on the stream.',
  );
}
