import { closeSync, existsSync, fstatSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { TrueupError } from '../../src/sdk.ts';
import type { Notes } from '../../src/sdk.ts';
import { fileFault } from './faults.ts';
import type { TargetFile } from './target-files.ts';

/*
 * How much of a file counts is noted in the transaction of the checkpoint, once the bytes are on disk. What stands behind it was written by a process that
 * died before that, and is cut off by the next one. All of it happens inside of that transaction, which one process has at a time: one that lost its lease
 * is refused before it writes a byte.
 */

/** `null`: nothing was ever written by this connector. */
export function notedSize(notes: Notes, { name }: TargetFile): number | null {
  const text = notes.get(`size:${name}`);
  return text === null ? null : Number(text);
}

/** Makes the file with its first bytes, in one step: nobody sees a part of them. */
export function createFile(notes: Notes, file: TargetFile, first: Buffer): void {
  guarded(file, () => {
    if (existsSync(file.path)) return;
    mkdirSync(dirname(file.path), { recursive: true });
    const made = `${file.path}.new`;
    const handle = openSync(made, 'w');
    try {
      writeAll(handle, first, 0);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(made, file.path);
    syncFolder(dirname(file.path));
    notes.set(`size:${file.name}`, String(first.length));
  });
}

/** Cuts off what nobody committed. A file that this connector did not make is taken over as it is. */
export function takeFile(notes: Notes, file: TargetFile): void {
  guarded(file, () => {
    if (!existsSync(file.path)) throw new TrueupError('E_TARGET_LOST', `File '${file.path}' is gone.`);
    const handle = openSync(file.path, 'r+');
    try {
      const noted = notedSize(notes, file);
      if (noted !== null) return void cutBack(handle, file, noted);
      const { size } = fstatSync(handle);
      if (!endsLine(handle, file, size))
        throw new TrueupError(
          'E_CONFIG_INVALID',
          `File '${file.path}' was there before and ends in the middle of a line, so nothing can be appended to it.`,
        );
      notes.set(`size:${file.name}`, String(size));
    } finally {
      closeSync(handle);
    }
  });
}

function endsLine(handle: number, { format }: TargetFile, size: number): boolean {
  if (size === 0 || format.compression !== 'none') return true;
  const last = Buffer.alloc(1);
  readSync(handle, last, 0, 1, size - 1);
  return last[0] === 10;
}

/** Durable on return, but for the note, which is the transaction's. */
export function appendToFile(notes: Notes, file: TargetFile, bytes: Iterable<Buffer>): void {
  guarded(file, () => {
    const noted = notedSize(notes, file);
    if (noted === null) throw new TrueupError('E_BUG', `Nothing is known of file '${file.path}', which a lane was opened for.`);
    const handle = openSync(file.path, 'r+');
    try {
      let at = cutBack(handle, file, noted);
      for (const piece of bytes) at = writeAll(handle, piece, at);
      fsyncSync(handle);
      notes.set(`size:${file.name}`, String(at));
    } finally {
      closeSync(handle);
    }
  });
}

function cutBack(handle: number, file: TargetFile, noted: number): number {
  const { size } = fstatSync(handle);
  if (size < noted)
    throw new TrueupError(
      'E_TARGET_LOST',
      `File '${file.path}' has ${size} bytes, but ${noted} were committed: somebody cut or replaced it.`,
    );
  if (size > noted) ftruncateSync(handle, noted);
  return noted;
}

function writeAll(handle: number, bytes: Buffer, position: number): number {
  for (let written = 0; written < bytes.length;) written += writeSync(handle, bytes, written, bytes.length - written, position + written);
  return position + bytes.length;
}

/** Without it, a new file may be gone after a loss of power. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function guarded(file: TargetFile, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw fileFault(error, file.path);
  }
}
