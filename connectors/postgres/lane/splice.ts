import { OP, TrueupError, isTrueupError } from '../../../src/sdk.ts';
import type { Line, LineRecords } from '../../../src/sdk.ts';
import { LARGE_CHARS, slices } from './chunks.ts';
import { NUL, checkedText, refuse, stagedLines } from './lines.ts';
import type { Segment } from './lines.ts';
import { isNull } from '../copy/line-cells.ts';
import { TEXT_FORM } from '../copy/text.ts';
import { COPY_NULL, copyText } from '../values/encode.ts';
import { STAGED } from './sql.ts';

/*
 * Lines for COPY that are made of the lines which another PostgreSQL's COPY sent: cells that a mapping leaves as they are go over as bytes, neighbours
 * together, and become no strings.
 */

const CHUNK_BYTES = 64 * 1024;
const TAB = 9;
const NEWLINE = 10;
/** Up to here a loop is quicker than a call out of JavaScript. */
const SHORT = 24;

/** Cells `first <= cell <= last` of the line, neighbours in the target as well; or a column whose value was made. */
type Part = { readonly first: number; readonly last: number } | { readonly column: number };

interface Splice {
  readonly lines: LineRecords;
  readonly parts: readonly Part[];
}

/** The lines of a segment's records, in chunks of some 64 KiB. A record that no line can be made of is among the faults. */
export function recordLines(segment: Segment): Iterable<Buffer> {
  const splice = spliceOf(segment);
  return splice === null ? stagedLines(segment) : splicedLines(segment, splice);
}

/** `null`: some of the records are not meant, or a cell is not taken as it stands in the line. */
function spliceOf({ batch, layout, from, to }: Segment): Splice | null {
  if (batch.ops !== null || from > 0 || to < batch.records.count) return null;
  const lines = batch.records.lines?.() ?? null;
  if (lines === null || lines.form !== TEXT_FORM) return null;
  const parts: Part[] = [];
  for (const [column, { field, unread }] of layout.entries()) {
    const cell = lines.cells[field] as number;
    const before = parts.at(-1);
    if (cell === -1) parts.push({ column });
    else if (!unread) return null;
    else if (before !== undefined && 'last' in before && before.last === cell - 1) parts.splice(-1, 1, { first: before.first, last: cell });
    else parts.push({ first: cell, last: cell });
  }
  return { lines, parts };
}

function* splicedLines(segment: Segment, { lines, parts }: Splice): Generator<Buffer> {
  const { into, straight = false } = segment;
  /** Of the parts that were made. */
  const texts = parts.map(() => '');
  const large = parts.map(() => false);
  let chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  let at = 0;
  let index = -1;
  for (const line of lines.scan()) {
    index++;
    if (!isWritable({ segment, lines, parts, line, texts, large }, index)) continue;
    const { starts } = line;
    const bytes = line.bytes as Buffer;
    if (!straight) {
      if (at + SHORT > CHUNK_BYTES) {
        yield chunk.subarray(0, at);
        chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
        at = 0;
      }
      at = put(chunk, at, `${index}\t${STAGED.upsert}\t`);
    }
    for (let number = 0; number < parts.length; number++) {
      const part = parts[number] as Part;
      const text = texts[number] as string;
      const from = 'column' in part ? 0 : (starts[part.first] as number);
      const to = 'column' in part ? text.length * 3 : (starts[part.last + 1] as number) - 1;
      // One more for what stands behind it.
      if (at + (to - from) + 1 > CHUNK_BYTES) {
        yield chunk.subarray(0, at);
        chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
        at = 0;
      }
      if (to - from >= CHUNK_BYTES) {
        if (large[number] === true) yield* slices(text);
        else if ('column' in part) yield Buffer.from(text, 'utf8');
        else yield bytes.subarray(from, to);
      } else if ('column' in part) at = put(chunk, at, text);
      else at = copy(bytes, chunk, { at, from, to });
      chunk[at++] = number === parts.length - 1 ? NEWLINE : TAB;
    }
    into.sent.push(index);
  }
  if (into.sent.length > 0) into.counts.set(STAGED.upsert, into.sent.length);
  if (at > 0) yield chunk.subarray(0, at);
}

interface AtHand extends Splice {
  readonly segment: Segment;
  readonly line: Line;
  readonly texts: string[];
  /** Whether the text is to be escaped when its turn comes, slice by slice. */
  readonly large: boolean[];
}

/** Fills in the texts of what was made. `false`: there is no line of this record, and the faults say why. */
function isWritable(record: AtHand, index: number): boolean {
  try {
    fillTexts(record);
    return true;
  } catch (error) {
    if (!isTrueupError(error) || error.fault !== 'record') throw error;
    record.segment.into.faults.push({ index, code: error.code, message: error.message });
    return false;
  }
}

function fillTexts({ segment: { layout }, lines, parts, line, texts, large }: AtHand): void {
  for (const source of layout) {
    const cell = lines.cells[source.field] as number;
    if (source.lane.key && cell !== -1 && isNull(line.bytes, line.starts[cell] as number, (line.starts[cell + 1] as number) - 1))
      refuse(source, 'is part of the key and NULL');
  }
  for (let number = 0; number < parts.length; number++) {
    const part = parts[number] as Part;
    if (!('column' in part)) continue;
    const source = layout[part.column] as Segment['layout'][number];
    const text = checkedText(source, line.made[source.field], OP.upsert);
    if (text !== null && !text.isWellFormed())
      throw new TrueupError('E_RECORD_VALUE', 'a text holds a lone surrogate, which is no character');
    const isLarge = text !== null && text.length >= LARGE_CHARS;
    if (isLarge && text.includes('\0')) refuse(source, NUL);
    large[number] = isLarge;
    texts[number] = text === null ? COPY_NULL : isLarge ? text : (copyText(text) ?? refuse(source, NUL));
  }
}

/** Writes a text that there is room for. @returns where it ends */
function put(chunk: Buffer, at: number, text: string): number {
  if (text.length > SHORT) return at + chunk.write(text, at);
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) return at + chunk.write(text, at);
    chunk[at + index] = code;
  }
  return at + text.length;
}

function copy(bytes: Buffer, chunk: Buffer, { at, from, to }: { readonly at: number; readonly from: number; readonly to: number }): number {
  if (to - from > SHORT) return at + bytes.copy(chunk, at, from, to);
  for (let index = from; index < to; index++) chunk[at + index - from] = bytes[index] as number;
  return at + to - from;
}
