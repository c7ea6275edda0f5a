import { frames } from './frames.ts';
import type { Frame, Framing } from './frames.ts';
import { HEAD_BYTES } from './opened-file.ts';
import type { OpenedFile } from './opened-file.ts';
import type { FileOptions } from './options.ts';
import { columnsOf } from './parsed-record.ts';

/** Where the records of a file begin, and what their columns are. */
export interface Table {
  /** Of CSV; `null`: JSON lines. Empty: a CSV file without a header yet. */
  readonly columns: readonly string[] | null;
  readonly offset: number;
  readonly line: number;
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
/** Records that are longer than may be are kept that much longer, for their key. */
const KEY_BYTES = 1024 * 1024;

export function framing(
  file: OpenedFile,
  options: FileOptions,
  more: { readonly start: number; readonly line: number; readonly maxRecordBytes: number },
): Framing {
  const csv = file.format.text === 'csv' ? { delimiter: code(options.delimiter), quote: code(options.quote) } : null;
  return { start: more.start, line: more.line, csv, maxBytes: more.maxRecordBytes + KEY_BYTES };
}

function code(text: string): number {
  return text === '' ? 0 : text.charCodeAt(0);
}

/** The records of a file from a place on, blank lines left out; as `frames` yields them. */
export async function* framesFrom(
  file: OpenedFile,
  options: FileOptions,
  from: { readonly start: number; readonly line: number; readonly maxRecordBytes: number; readonly signal: AbortSignal },
): AsyncGenerator<Iterable<Frame>> {
  for await (const found of frames(file.text(from.start, from.signal), framing(file, options, from))) yield written(found);
}

function* written(found: Iterable<Frame>): Generator<Frame> {
  for (const frame of found) if (isWritten(frame)) yield frame;
}

function isWritten({ bytes, tooLong }: Frame): boolean {
  return tooLong || bytes.length > 0;
}

/** The first records of a file and its table. Of a text that goes on beyond what is looked at, the last record is not among them. */
export async function headOfFile(
  file: OpenedFile,
  options: FileOptions,
  signal: AbortSignal,
): Promise<{ readonly table: Table; readonly records: readonly Frame[] }> {
  const head = await file.head(signal);
  const start = head.subarray(0, BOM.length).equals(BOM) ? BOM.length : 0;
  const found: Frame[] = [];
  for await (const some of frames(once(head.subarray(start)), framing(file, options, { start, line: 1, maxRecordBytes: HEAD_BYTES })))
    found.push(...written(some));
  const whole = found.filter((frame) => frame.ended || (head.length < HEAD_BYTES && !file.torn));
  if (file.format.text === 'jsonl') return { table: { columns: null, offset: start, line: 1 }, records: whole };
  if (options.header !== true) return { table: { columns: options.header, offset: start, line: 1 }, records: whole };
  const [header, ...records] = whole;
  // A header that is being written is none yet.
  if (header === undefined || (!header.ended && !isComplete(file, options)))
    return { table: { columns: [], offset: start, line: 1 }, records: [] };
  return { table: { columns: columnsOf(header, file.name, options), offset: header.end, line: header.line + header.lines }, records };
}

/** Whether a last record without a line end is all that will come of it. */
export function isComplete(file: OpenedFile, options: FileOptions): boolean {
  return !file.torn && (options.closed || file.format.compression !== 'none' || file.size === Number.POSITIVE_INFINITY);
}

async function* once(buffer: Buffer): AsyncGenerator<Buffer> {
  yield buffer;
}
