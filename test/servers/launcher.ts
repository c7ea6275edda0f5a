import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '../../tools/build.ts';

export interface BuiltTrueup {
  /** What `trueup` is when it is installed. */
  readonly launcher: string;
  remove(): Promise<void>;
}

/** The sources as they are published, in a folder of this run: its processes start in a fraction of the time, and what is tested is what people get. */
export async function buildTrueup(): Promise<BuiltTrueup> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const folder = await mkdtemp(join(tmpdir(), 'trueup-built-'));
  await bundle(join(folder, 'dist'));
  for (const part of ['bin', 'package.json']) await cp(join(root, part), join(folder, part), { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  return { launcher: join(folder, 'bin/trueup.js'), remove: () => rm(folder, { recursive: true, force: true }) };
}
