import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Reference } from './document.ts';

/*
 * `${NAME}` is an environment variable, `${file:PATH}` the text of a file, `$${` a literal `${`. What is put in is not looked at again,
 * so a value cannot smuggle in another reference.
 */

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths start from. */
  readonly baseDir: string;
}

export interface Interpolated {
  readonly text: string;
  readonly references: readonly Reference[];
  /** What is wrong with each reference that has no value. Never a value. */
  readonly problems: readonly string[];
}

const MAX_SECRET_BYTES = 64 * 1024;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function hasReference(text: string): boolean {
  return text.includes('${');
}

/** Replaces every reference of a text. A reference without a value stays as it was written. */
export function interpolate(text: string, surroundings: Surroundings): Interpolated {
  const references: Reference[] = [];
  const problems: string[] = [];
  const replaced = text.replaceAll(/\$\$\{|\$\{([^}]*)\}?/g, (found: string, inner: string | undefined) => {
    if (inner === undefined) return '${';
    const read = found.endsWith('}')
      ? readReference(inner, surroundings)
      : { problem: `'${found}' has no closing brace; write $\${ for a literal \${` };
    if ('problem' in read) {
      problems.push(read.problem);
      return found;
    }
    references.push(read);
    return read.value;
  });
  return { text: replaced, references, problems };
}

function readReference(inner: string, { env, baseDir }: Surroundings): Reference | { readonly problem: string } {
  if (inner.startsWith('file:')) return readSecretFile(inner.slice('file:'.length), baseDir);
  if (!NAME.test(inner))
    return { problem: `'\${${inner}}' names no environment variable: expected \${NAME} or \${file:PATH}; write $\${ for a literal \${` };
  const value = Object.hasOwn(env, inner) ? env[inner] : undefined;
  if (value === undefined) return { problem: `environment variable ${inner} is not set` };
  if (value === '') return { problem: `environment variable ${inner} is set but empty` };
  return { kind: 'env', name: inner, value };
}

function readSecretFile(path: string, baseDir: string): Reference | { readonly problem: string } {
  const file = resolve(baseDir, path);
  try {
    const stat = statSync(file);
    if (!stat.isFile()) return { problem: `secret file '${path}' is not a regular file (looked at ${file})` };
    if (stat.size > MAX_SECRET_BYTES) return { problem: `secret file '${path}' has ${stat.size} bytes, more than ${MAX_SECRET_BYTES}` };
    // Editors and `echo` end a file with a line break that is not part of the secret.
    const value = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    return value === '' ? { problem: `secret file '${path}' is empty` } : { kind: 'file', name: path, value };
  } catch (error) {
    return { problem: `secret file '${path}' cannot be read: ${systemCode(error)} (looked at ${file})` };
  }
}

/** `ENOENT`, `EACCES`: the part of a file system error that tells no more than it has to. */
export function systemCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'unreadable';
}
