import { glob, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, matchesGlob, resolve, sep } from 'node:path';
import { TrueupError, isTrueupError } from '../../src/sdk.ts';
import type { LogicalType } from '../../src/sdk.ts';
import { fileFault, withFaults } from './faults.ts';
import { formatOf } from './format.ts';
import type { FileFacts } from './opened-file.ts';
import { declaredType } from './options.ts';
import type { FileOptions } from './options.ts';

export const STDIN = '-';

/** A stream: the files that it is made of, and what is declared of their fields. */
export interface FileStream {
  readonly name: string;
  /** A name or a glob, from the folder. */
  readonly files: string;
  readonly key: readonly string[];
  readonly declared: ReadonlyMap<string, LogicalType>;
  /** The field that says what happened. */
  readonly op: string | null;
}

/** What of the file system a connection sees. */
export interface Catalog {
  /** The absolute path, or `-`. */
  readonly path: string;
  streams(signal: AbortSignal): Promise<FileStream[]>;
  /** `query`: the files, where the job says so. */
  stream(name: string, query: string | undefined, signal: AbortSignal): Promise<FileStream>;
  /** The stream's files, by name. */
  files(stream: FileStream, signal: AbortSignal): Promise<FileFacts[]>;
}

export function openCatalog(options: FileOptions, baseDir: string): Catalog {
  const path = options.path === STDIN ? STDIN : resolve(baseDir, options.path);

  const made = (name: string, files?: string): FileStream => {
    const given = Object.hasOwn(options.streams, name) ? options.streams[name] : undefined;
    return {
      name,
      files: files ?? given?.files ?? name,
      key: given?.key ?? [],
      declared: new Map(Object.entries(given?.fields ?? {}).map(([field, type]) => [field, declaredType(type)])),
      op: given?.op ?? options.op ?? null,
    };
  };

  const root = async (): Promise<{ readonly folder: string; readonly only: string | null }> => {
    const found = await withFaults(path, () => stat(path));
    return found.isDirectory() ? { folder: path, only: null } : { folder: dirname(path), only: basename(path) };
  };

  const list = async (signal: AbortSignal): Promise<string[]> => {
    signal.throwIfAborted();
    if (path === STDIN) return [STDIN];
    const { folder, only } = await root();
    if (only !== null) return [only];
    const entries = await withFaults(path, () => readdir(folder, { recursive: true, withFileTypes: true }), signal);
    return entries
      .filter((entry) => entry.isFile() || entry.isSymbolicLink())
      .map((entry) =>
        join(entry.parentPath, entry.name)
          .slice(folder.length + 1)
          .split(sep)
          .join('/'),
      )
      .filter((name) => isVisible(name) && formatOf(name, {}) !== null)
      .sort(byCodeUnit);
  };

  return {
    path,
    async streams(signal) {
      const declared = Object.keys(options.streams).map((name) => made(name));
      const names = await list(signal);
      const single = names.filter((name) => !declared.some(({ files }) => name === files || matchesGlob(name, files)));
      return [...declared, ...single.map((name) => made(name))];
    },
    async stream(name, query, signal) {
      if (query !== undefined) return made(name, query);
      if (Object.hasOwn(options.streams, name)) return made(name);
      const names = await list(signal).catch((error: unknown): string[] => {
        if (isTrueupError(error) && error.code === 'E_STREAM_UNKNOWN') return [];
        throw error;
      });
      if (names.includes(name)) return made(name);
      const known = [...Object.keys(options.streams), ...names].slice(0, 12).join(', ');
      throw new TrueupError('E_STREAM_UNKNOWN', `There is no file '${name}' in ${path}. Streams: ${known || 'none'}.`);
    },
    async files(stream, signal) {
      if (path === STDIN) return [facts(STDIN, STDIN)];
      const { folder, only } = await root();
      const names = only === null ? await matching(folder, stream.files, signal) : [only];
      return names.map((name) => facts(name, join(folder, name)));
    },
  };

  function facts(name: string, at: string): FileFacts {
    return {
      name,
      path: at,
      format: formatOf(name, { format: options.format ?? 'jsonl', compression: options.compression }) as FileFacts['format'],
    };
  }
}

async function matching(folder: string, pattern: string, signal: AbortSignal): Promise<string[]> {
  if (pattern.startsWith('/') || pattern.split('/').includes('..'))
    throw new TrueupError('E_CONFIG_INVALID', `Files '${pattern}' lie outside of the connection's folder ${folder}.`);
  const direct = await stat(join(folder, pattern)).catch(() => null);
  if (direct?.isFile() === true) return [pattern];
  const names: string[] = [];
  try {
    for await (const name of glob(pattern, { cwd: folder })) {
      signal.throwIfAborted();
      const slashed = name.split(sep).join('/');
      if (isVisible(slashed) && (await stat(join(folder, name))).isFile()) names.push(slashed);
    }
  } catch (error) {
    throw fileFault(error, folder);
  }
  return names.sort(byCodeUnit);
}

function isVisible(name: string): boolean {
  return !name.split('/').some((part) => part.startsWith('.'));
}

/** The same on every machine. */
function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
