import { pathToFileURL } from 'node:url';

const TIMEOUT_MS = 30_000;

/** The exports of a module that a person wrote, or why it could not be loaded: its own message, never a stack trace. */
export async function importModule(
  file: string,
): Promise<{ readonly exports: Readonly<Record<string, unknown>> } | { readonly problem: string }> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not finish loading within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
  });
  try {
    const exports = (await Promise.race([import(pathToFileURL(file).href), tooLong])) as Record<string, unknown>;
    return { exports };
  } catch (error) {
    return { problem: thrownText(error) };
  } finally {
    clearTimeout(timer);
  }
}

/** What was thrown, on one line and of bounded length. */
export function thrownText(error: unknown): string {
  const text =
    error instanceof Error
      ? `${error.name === 'Error' ? '' : `${error.name}: `}${error.message}`
      : typeof error === 'string'
        ? error
        : `a thrown ${typeof error}`;
  const flat = text.replaceAll(/\s+/g, ' ').trim();
  return flat.length > 300 ? `${flat.slice(0, 300)}…` : flat;
}
