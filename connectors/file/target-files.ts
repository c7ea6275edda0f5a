import { basename, dirname, join, resolve } from 'node:path';
import { stat } from 'node:fs/promises';
import { TrueupError } from '../../src/sdk.ts';
import type { TargetStream } from '../../src/sdk.ts';
import { formatOf, withEnds } from './format.ts';
import type { Format } from './format.ts';
import type { FileOptions } from './options.ts';

/** A file that a stream is written to. */
export interface TargetFile {
  /** From the folder; what its size is noted under. */
  readonly name: string;
  readonly path: string;
  readonly format: Format;
}

/** Where a connection writes. */
export interface TargetPlace {
  readonly folder: string;
  /** Beside the files: leases, checkpoints, letters, and how much of each file counts. */
  readonly control: string;
  fileOf(stream: Pick<TargetStream, 'target'>): TargetFile;
}

/** `path` is a folder, or a file when its name says a format or a file is there. */
export async function openPlace(options: FileOptions, baseDir: string): Promise<TargetPlace> {
  const path = resolve(baseDir, options.path);
  const found = await stat(path).catch(() => null);
  const single = found === null ? formatOf(path, {}) !== null : found.isFile();
  const folder = single ? dirname(path) : path;
  return {
    folder,
    control: join(folder, '.trueup', 'files.sqlite'),
    fileOf({ target }) {
      const name = single ? basename(path) : withEnds(plain(target), options);
      if (name.startsWith('/') || name.split('/').some((part) => part.startsWith('.') || part === ''))
        throw new TrueupError(
          'E_CONFIG_INVALID',
          `'${target}' is no name of a file in ${folder}: parts must not be empty or begin with a dot.`,
        );
      return {
        name,
        path: join(folder, name),
        format: formatOf(name, { format: options.format ?? 'jsonl', compression: options.compression }) as Format,
      };
    },
  };
}

/** `public.orders\.old` is the file `public.orders.old`. */
function plain(target: string): string {
  return target.replaceAll(/\\(.)/gs, '$1');
}
