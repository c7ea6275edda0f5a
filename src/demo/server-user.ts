import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Who the server runs as. PostgreSQL refuses to run as root, so root lends it `nobody`, which exists everywhere; initdb wants a user with a
 * passwd entry. Anybody else runs it as themselves: `null`.
 */
export function serverUser(): ServerUser | null {
  if (process.getuid?.() !== 0) return null;
  const nobody = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === 'nobody');
  const uid = Number(nobody?.[2] ?? 65534);
  const gid = Number(nobody?.[3] ?? 65534);
  return { uid, gid };
}

/** Whether the user may enter every folder above the path: a checkout in a 0700 home folder hides its binaries from `nobody`. */
export function canReach(path: string, user: ServerUser): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const stat = statSync(folder);
    const bit = stat.uid === user.uid ? 0o100 : stat.gid === user.gid ? 0o010 : 0o001;
    if ((stat.mode & bit) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}
