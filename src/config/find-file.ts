import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve, isAbsolute } from 'node:path';

export const CONFIG_NAMES = ['trueup.yaml', 'trueup.yml', 'trueup.config.ts', 'trueup.config.js'] as const;

/** The config file to read, or where one was looked for. Without a name the folder `cwd` is searched, then every folder above it. */
export function findConfigFile(named: string | undefined, cwd: string): { readonly file: string } | { readonly problem: string } {
  if (named !== undefined) {
    const file = resolve(cwd, named);
    return existsSync(file) ? { file } : { problem: `there is no file '${named}' (looked at ${file})` };
  }
  const folders: string[] = [];
  for (let folder = resolve(cwd), above = ''; folder !== above; above = folder, folder = dirname(folder)) {
    folders.push(folder);
    const name = CONFIG_NAMES.find((candidate) => existsSync(join(folder, candidate)));
    if (name !== undefined) return { file: join(folder, name) };
  }
  return {
    problem: `no ${CONFIG_NAMES.slice(0, -1).join(', ')} or ${CONFIG_NAMES.at(-1)} in ${folders.join(', ')}. \`trueup init\` writes one`,
  };
}

/** A path as a person in `cwd` would write it; absolute when it lies elsewhere. */
export function shownPath(file: string, cwd: string): string {
  const path = relative(cwd, file);
  return path === '' || path.startsWith('..') || isAbsolute(path) ? file : path;
}
