import type { RecordFault } from '../../../src/sdk.ts';
import { copyText } from '../values/encode.ts';

/** A text that is escaped and encoded slice by slice when its turn comes, so that a record of megabytes is not copied as a whole. */
export interface LargeText {
  readonly text: string;
}

/** From this length on (UTF-16 units) a cell is sent in slices. */
export const LARGE_CHARS = 256 * 1024;
const SLICE_CHARS = 64 * 1024;

/** One line of COPY's text format: strings are ready to be sent. */
export interface StagedLine {
  /** Of the record within its batch. */
  readonly index: number;
  /** What stands in `_o`. */
  readonly op: number;
  readonly parts: readonly (string | LargeText)[];
}

export interface Sent {
  /** Record index of each line, for errors that name a line. */
  readonly sent: number[];
  readonly faults: RecordFault[];
  /** How many lines have which `_o`. */
  readonly counts: Map<number, number>;
}

export function lineChars({ parts }: StagedLine): number {
  return parts.reduce((sum, part) => sum + (typeof part === 'string' ? part.length : part.text.length), 0);
}

/** Lines as bytes. Encoding would turn a lone surrogate into U+FFFD without a word: lines that hold one become faults. */
export function* sendLines(lines: readonly StagedLine[], into: Sent): Generator<Buffer> {
  let together = '';
  for (const { index, op, parts } of wellFormed(lines, into)) {
    for (const part of parts) {
      if (typeof part === 'string') {
        together += part;
        continue;
      }
      yield Buffer.from(together, 'utf8');
      together = '';
      yield* slices(part.text);
    }
    into.sent.push(index);
    into.counts.set(op, (into.counts.get(op) ?? 0) + 1);
  }
  if (together !== '') yield Buffer.from(together, 'utf8');
}

function wellFormed(lines: readonly StagedLine[], { faults }: Sent): readonly StagedLine[] {
  const isWhole = ({ parts }: StagedLine) => parts.every((part) => (typeof part === 'string' ? part : part.text).isWellFormed());
  if (lines.every(isWhole)) return lines;
  for (const line of lines) {
    if (!isWhole(line))
      faults.push({ index: line.index, code: 'E_RECORD_VALUE', message: 'a text holds a lone surrogate, which is no character' });
  }
  return lines.filter(isWhole);
}

/** A large text as it stands in a line, piece by piece. Never cut between the two halves of a character. */
export function* slices(text: string): Generator<Buffer> {
  for (let from = 0; from < text.length;) {
    const last = text.charCodeAt(from + SLICE_CHARS - 1);
    const to = from + SLICE_CHARS + (last >= 0xd800 && last <= 0xdbff ? 1 : 0);
    yield Buffer.from(copyText(text.slice(from, to)) as string, 'utf8');
    from = to;
  }
}
