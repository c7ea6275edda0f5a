import { TrueupError, isTrueupError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

/** Primary result codes, https://www.sqlite.org/rescode.html. The extended ones carry more in the upper bits. */
const SQLITE = { perm: 3, busy: 5, locked: 6, readonly: 8, ioerr: 10, corrupt: 11, full: 13, cantopen: 14, notadb: 26 } as const;

export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === SQLITE.busy || code === SQLITE.locked;
}

/** What went wrong with the state file, as an error that says what to do. An error of trueup itself stays as it is. */
export function stateError(path: string, error: unknown): unknown {
  if (isTrueupError(error)) return error;
  const known = bySqlite(resultCode(error)) ?? bySystem(error);
  if (known === null) return error;
  const [code, text, hint] = known;
  return new TrueupError(code, `The state file ${path} ${text}.`, { cause: error, hint });
}

type Known = readonly [code: ErrorCode, text: string, hint: string];

const NOT_WRITABLE = 'Give this user write access to the file and its folder, or name another file with `state:` in the config.';

function bySqlite(code: number | null): Known | null {
  switch (code) {
    case SQLITE.busy:
    case SQLITE.locked:
      return [
        'E_BUSY',
        'has been locked by another process for too long',
        'Look for another trueup, or a database tool, that keeps a transaction open on it.',
      ];
    case SQLITE.perm:
    case SQLITE.readonly:
    case SQLITE.cantopen:
      return ['E_STATE', 'cannot be opened for writing', NOT_WRITABLE];
    case SQLITE.corrupt:
    case SQLITE.notadb:
      return [
        'E_STATE',
        'is damaged, or no SQLite file',
        'Restore it from a backup, or move it away: every job then begins with a first load.',
      ];
    case SQLITE.full:
    case SQLITE.ioerr:
      return [
        'E_RESOURCES',
        'cannot be written: the disk is full or fails',
        'Free disk space; the next run resumes from the last checkpoint.',
      ];
    default:
      return null;
  }
}

/** Failures to make the folder. */
function bySystem(error: unknown): Known | null {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'ENOSPC' || code === 'EDQUOT') return bySqlite(SQLITE.full);
  const refused = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENAMETOOLONG', 'ENOENT'];
  return typeof code === 'string' && refused.includes(code)
    ? ['E_STATE', 'cannot be made: its folder is not writable', NOT_WRITABLE]
    : null;
}

function resultCode(error: unknown): number | null {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : null;
}
