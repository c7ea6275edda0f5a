import { createHash } from 'node:crypto';
import { TrueupError } from '../../src/sdk.ts';
import type { Cursor } from '../../src/sdk.ts';

/* The one module that writes, reads and explains cursors. */

/** How far one file was read. */
export interface FileMark {
  readonly name: string;
  readonly inode: string;
  /** How many of the file's first bytes `proof` tells of: those before the place in a plain file, all that there were of a compressed one. */
  readonly proved: number;
  readonly proof: string;
  /** The place in the text, bytes, decompressed, and its line. */
  readonly offset: number;
  readonly line: number;
  /** Bytes of a last record without a line end that was delivered all the same; `offset` stands before it. */
  readonly unended: number;
  /** Whether everything that the file held was delivered. */
  readonly done: boolean;
}

export interface FilesCursor {
  /** By name. */
  readonly marks: readonly FileMark[];
  /** Fingerprints of files that were done with long ago, when there are too many to keep a mark of each. */
  readonly folded: ReadonlySet<string>;
}

type StoredMark = readonly [
  name: string,
  inode: string,
  proved: number,
  proof: string,
  offset: number,
  line: number,
  unended: number,
  done: 0 | 1,
];

const FINGERPRINT = 8;
/** Of 64 KiB that a cursor may have. */
const MAX_MARKS = 40_000;
const MAX_FOLDED = 2600;

export const BEGINNING: FilesCursor = { marks: [], folded: new Set() };

export function readCursor(cursor: Cursor | null): FilesCursor {
  if (cursor === null) return BEGINNING;
  const { files, folded } = cursor as { readonly files?: readonly StoredMark[]; readonly folded?: string };
  if (!Array.isArray(files)) throw new TrueupError('E_POSITION_LOST', "This is no cursor of the file connector: 'files' is missing.");
  const marks = (files as readonly StoredMark[]).map(([name, inode, proved, proof, offset, line, unended, done]): FileMark => ({
    name,
    inode,
    proved,
    proof,
    offset,
    line,
    unended,
    done: done === 1,
  }));
  return { marks, folded: new Set((folded ?? '').match(/.{8}/g) ?? []) };
}

/** Keeps within the size of a cursor: of files that were done with, the first by name are kept as fingerprints only. */
export function foldMarks({ marks, folded }: FilesCursor): FilesCursor {
  let size = marks.reduce((sum, mark) => sum + markSize(mark), 0);
  if (size <= MAX_MARKS) return { marks, folded };
  const prints = new Set(folded);
  const kept = [...marks]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .filter((mark, index, { length }) => {
      if (size <= MAX_MARKS || !mark.done || index === length - 1) return true;
      prints.add(fingerprint(mark));
      size -= markSize(mark);
      return false;
    });
  return { marks: kept, folded: prints };
}

export function writeCursor(cursor: FilesCursor): Cursor {
  const { marks, folded } = foldMarks(cursor);
  if (folded.size > MAX_FOLDED || marks.reduce((sum, mark) => sum + markSize(mark), 0) > MAX_MARKS)
    throw new TrueupError('E_CONFIG_INVALID', `A stream of more than ${MAX_FOLDED} files has no place in a checkpoint.`, {
      hint: 'Move files that were read out of the folder, or make several streams of them.',
    });
  const stored = marks.map((mark): StoredMark => [
    mark.name,
    mark.inode,
    mark.proved,
    mark.proof,
    mark.offset,
    mark.line,
    mark.unended,
    mark.done ? 1 : 0,
  ]);
  return { files: stored as never, ...(folded.size === 0 ? {} : { folded: [...folded].join('') }) };
}

function markSize(mark: FileMark): number {
  return mark.name.length + 90;
}

/** A file that was done with, as it was then: its size and inode, not its bytes. */
export function fingerprint({ name, inode, proved }: Pick<FileMark, 'name' | 'inode' | 'proved'>): string {
  return createHash('sha256')
    .update(JSON.stringify([name, inode, proved]))
    .digest('base64url')
    .slice(0, FINGERPRINT);
}

export function explainCursor(cursor: Cursor): string {
  const { marks, folded } = readCursor(cursor);
  const last = marks.at(-1);
  if (last === undefined) return folded.size === 0 ? 'the beginning' : `after ${folded.size} files`;
  const others = marks.length - 1 + folded.size;
  return `${last.name}:${last.line}${others === 0 ? '' : `, and ${others} other file${others === 1 ? '' : 's'}`}`;
}
