import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SmallDisk extends Disposable {
  /** The mount point. Anybody may write there. */
  readonly path: string;
  /** Takes all the room that is left. */
  fill(): void;
  /** Gives it back. */
  free(): void;
  unmount(): void;
}

/**
 * A file system of this size, in memory, for tests of what happens when a disk is full. `null` where mounting is not allowed: it takes root, and
 * some sandboxes refuse even that. A test then has to be skipped, and should say so.
 */
export function mountSmallDisk(mebibytes: number): SmallDisk | null {
  if (process.getuid?.() !== 0 || process.platform !== 'linux') return null;
  const path = mkdtempSync(join(tmpdir(), 'trueup-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0777`, 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    rmdirSync(path);
    return null;
  }
  const unmount = () => {
    execFileSync('umount', ['--lazy', path]); // Lazy: a server that was just stopped may still be closing its files.
    rmdirSync(path);
  };
  const ballast = join(path, 'ballast');
  const free = () => rmSync(ballast, { force: true });
  return { path, fill: () => fillWith(ballast), free, unmount, [Symbol.dispose]: unmount };
}

function fillWith(file: string): void {
  const block = Buffer.alloc(64 * 1024);
  const out = openSync(file, 'a');
  try {
    // A short write is followed by one that fails: then not a byte is left.
    for (;;) writeSync(out, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(out);
  }
}
