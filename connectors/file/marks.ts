import { TrueupError } from '../../src/sdk.ts';
import { fingerprint } from './cursor.ts';
import type { FileMark, FilesCursor } from './cursor.ts';
import type { OpenedFile } from './opened-file.ts';

/** The mark that a file goes on from. `null`: it is new. `'done'`: nothing was added since. */
export type Standing = FileMark | null | 'done';

/**
 * Finds where each file stands. A file that was renamed keeps its mark; one that was truncated, rewritten or replaced has lost its position.
 */
export interface Standings {
  of(file: OpenedFile): Promise<Standing>;
  /** Marks of files that are gone and were not read to their end. */
  lost(): readonly FileMark[];
  /** Marks that no file has claimed: those of files that are gone. */
  unclaimed(): readonly FileMark[];
}

/** @param inodes of all files that there are now */
export function openStandings(cursor: FilesCursor, inodes: ReadonlySet<string>): Standings {
  const left = new Map(cursor.marks.map((mark) => [mark.name, mark]));

  const claim = (mark: FileMark): FileMark => {
    left.delete(mark.name);
    return mark;
  };

  return {
    async of(file) {
      if (cursor.folded.has(fingerprint({ name: file.name, inode: file.inode, proved: file.size }))) return 'done';
      const named = left.get(file.name);
      if (named?.inode === file.inode) return standing(file, claim(named));
      const renamed = [...left.values()].find((mark) => mark.inode === file.inode);
      if (renamed !== undefined && (await isSame(file, renamed))) return standing(file, claim(renamed));
      // A name may be taken by a new file once the old one was renamed.
      if (named !== undefined && !inodes.has(named.inode)) throw replaced(file, 'is another file than the one that was read before');
      return null;
    },
    lost: () => [...left.values()].filter((mark) => !mark.done),
    unclaimed: () => [...left.values()],
  };
}

async function isSame(file: OpenedFile, mark: FileMark): Promise<boolean> {
  return file.size >= mark.proved && (await file.proof(mark.proved)) === mark.proof;
}

async function standing(file: OpenedFile, mark: FileMark): Promise<Standing> {
  if (file.size < mark.proved) throw replaced(file, `was truncated: it has ${file.size} bytes, ${mark.proved} were read before`);
  if (!(await isSame(file, mark)))
    throw replaced(file, 'was rewritten: it begins otherwise than what was read before, or differs where it was left');
  if (file.size === mark.proved && mark.done) return 'done';
  return { ...mark, name: file.name };
}

function replaced(file: OpenedFile, what: string): TrueupError {
  return new TrueupError('E_POSITION_LOST', `File '${file.name}' ${what}.`, {
    hint: 'To read it from its beginning, set `onLostPosition: rebackfill` on the job, or run `trueup backfill <job> --restart`. For files that are replaced as a whole, use `changes: { by: snapshot }`.',
  });
}
