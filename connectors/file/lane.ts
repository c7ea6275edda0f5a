import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import { TrueupError } from '../../src/sdk.ts';
import type { Commit, CommitResult, Lane, MappedBatch, Owner, RecordFault, SqliteControl, TargetStream } from '../../src/sdk.ts';
import { appendToFile } from './append.ts';
import { addTally, batchLines } from './batch-lines.ts';
import type { Tally } from './batch-lines.ts';
import type { Format } from './format.ts';
import { Spool } from './spool.ts';
import type { TargetFile } from './target-files.ts';
import { openWriter } from './write-record.ts';
import type { FileOptions } from './options.ts';

export interface LaneStream {
  readonly stream: TargetStream;
  readonly file: TargetFile;
  readonly columns: readonly string[] | null;
}

export interface LaneOptions {
  readonly control: SqliteControl;
  readonly folder: string;
  readonly owner: Owner;
  readonly streams: readonly LaneStream[];
  /** Whether the control file keeps the job's checkpoints, and fences by them. */
  readonly checkpoints: boolean;
  readonly options: FileOptions;
}

/** Lines are collected, and written at the commit, under the lock of the control file. */
export function openFileLane({ control, folder, owner, streams, checkpoints, options }: LaneOptions): Lane {
  let tallies = new Map<string, Tally>();
  let conversions = new Map<string, { readonly stream: string; readonly field: string; readonly kind: string; count: number }>();
  const spools = new Map<string, Spool>();

  const forget = async (): Promise<void> => {
    tallies = new Map();
    conversions = new Map();
    for (const spool of spools.values()) await spool.drop();
    spools.clear();
  };
  const spoolOf = ({ name, format }: TargetFile): Spool => {
    const spool = spools.get(name) ?? new Spool(folder, (bytes) => packed(bytes, format));
    spools.set(name, spool);
    return spool;
  };
  const note = (stream: string, field: string, kind: string): void => {
    const id = JSON.stringify([stream, field, kind]);
    const known = conversions.get(id) ?? { stream, field, kind, count: 0 };
    known.count++;
    conversions.set(id, known);
  };

  return {
    async bulkUpsert(batch: MappedBatch, signal): Promise<readonly RecordFault[]> {
      signal.throwIfAborted();
      const into = streams.find(({ stream }) => stream.stream === batch.stream);
      if (into === undefined) throw new TrueupError('E_BUG', `The lane was not opened for stream '${batch.stream}'.`);
      checkFields(batch, { ...into, name: into.file.name });
      const notes: [string, string][] = [];
      const writer = openWriter({ ...into, shape: batch.shape, options, onConversion: (field, kind) => void notes.push([field, kind]) });
      const { lines, tally, faults } = batchLines(batch, { stream: into.stream, writer, options });
      await spoolOf(into.file).add(lines.join(''));
      for (const [field, kind] of notes) note(batch.stream, field, kind);
      addTally(tallies, batch.stream, tally);
      return faults;
    },
    async commit(what: Commit, signal): Promise<CommitResult> {
      signal.throwIfAborted();
      for (const spool of spools.values()) await spool.end();
      const { lettersResolved } = await control.commit(checkpoints ? owner : null, what, signal, (notes) => {
        for (const file of new Map(streams.map((one) => [one.file.name, one.file])).values()) {
          const spool = spools.get(file.name);
          if (spool !== undefined && spool.size > 0) appendToFile(notes, file, spool.pieces());
        }
      });
      const result = { streams: Object.fromEntries(tallies), conversions: [...conversions.values()], lettersResolved };
      await forget();
      return result;
    },
    discard: forget,
    close: forget,
  };
}

export function checkFields(
  batch: MappedBatch,
  { stream, name: file, columns }: { readonly stream: TargetStream; readonly name: string; readonly columns: readonly string[] | null },
): void {
  if (columns === null || stream.drift.add === 'ignore') return;
  const lost = batch.shape.fields.filter(({ name }) => !columns.includes(name));
  if (lost.length > 0)
    throw new TrueupError('E_PLAN_CHANGED', `File '${file}' has no column ${lost.map(({ name }) => `'${name}'`).join(', ')}.`);
}

const gzipped = promisify(gzip);
const zstdPacked = promisify(zstdCompress);

/** One member or frame of its own: what was committed before stays as it is. */
export async function packed(bytes: Buffer, { compression }: Format): Promise<Buffer> {
  if (compression === 'none') return bytes;
  return compression === 'gzip' ? gzipped(bytes) : zstdPacked(bytes);
}
