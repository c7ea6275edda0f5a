import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { serverEnvironment } from './postgres-process.ts';
import type { ServerUser } from './server-user.ts';

/**
 * The superuser `postgres` enters without a password, as the server listens on loopback alone; every other role needs its own, so that wrong
 * passwords are refused as they would be in production.
 */
const HBA = `host all postgres 127.0.0.1/32 trust
host replication postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
`;

/** A new scratch folder that belongs to the user whom the server runs as. */
export async function createScratch(user: ServerUser | null): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'trueup-postgres-'));
  if (user !== null) await chown(folder, user.uid, user.gid);
  return folder;
}

/** Makes a database cluster in `dataDir`, or leaves the one that is there as it is. */
export async function ensureCluster(binDir: string, dataDir: string, user: ServerUser | null): Promise<void> {
  if (existsSync(join(dataDir, 'PG_VERSION'))) return;
  await mkdir(dataDir, { recursive: true });
  await chmod(dataDir, 0o700);
  if (user !== null) await chown(dataDir, user.uid, user.gid);
  // Encoding and locale are named because the defaults come from the surroundings: none gives SQL_ASCII, one that is not installed fails.
  const locale = process.platform === 'linux' ? 'C.UTF-8' : 'C';
  const args = ['-D', dataDir, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', `--locale=${locale}`, '--no-sync'];
  try {
    await promisify(execFile)(join(binDir, 'initdb'), args, { ...user, cwd: '/', env: serverEnvironment() });
  } catch (error) {
    const { message, stderr } = error as Error & { stderr?: string };
    throw new Error(`initdb failed: ${stderr?.trim() || message}`, { cause: error });
  }
  await writeFile(join(dataDir, 'pg_hba.conf'), HBA);
}
