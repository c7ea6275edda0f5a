import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Diagnostic } from '../model/diagnostic.ts';
import { parseYaml } from '../model/yaml.ts';
import { diagnose } from './document.ts';
import type { ConfigDocument, Reference } from './document.ts';
import { importModule } from './import-module.ts';
import { hasReference, interpolate, systemCode } from './interpolate.ts';
import { isRecord, pathKey, walk } from './plain-data.ts';
import type { Path } from './plain-data.ts';
import { plainFromModule } from './plain-from-module.ts';

type Written = Pick<ConfigDocument, 'file' | 'shownAs' | 'baseDir' | 'kind' | 'written' | 'at'>;

/** The end of a parser's message that repeats the text, which may be a password behind a forgotten quote. */
const QUOTED_TOKEN = /(?<=token)(?: in \w+ stream)?: ".*"$/;

export interface ReadResult {
  /** `null` when nothing of the file can be used. */
  readonly document: ConfigDocument | null;
  readonly diagnostics: readonly Diagnostic[];
}

export interface ReadRequest {
  /** Absolute path. */
  readonly file: string;
  readonly shownAs: string;
  /** What to read in place of the file. */
  readonly text?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Reads a config file and replaces its references: YAML with positions, or a module's default export. */
export async function readDocument(request: ReadRequest): Promise<ReadResult> {
  const { file, shownAs, text, env } = request;
  const isModule = text === undefined && /\.[cm]?[jt]s$/.test(file);
  const read = isModule ? await readModule(file, shownAs) : readYaml(file, shownAs, text === undefined ? readUtf8(file) : { text });
  if (read.written === null) return { document: null, diagnostics: read.diagnostics };
  return withReferences(read.written, env);
}

function readYaml(
  file: string,
  shownAs: string,
  text: ReturnType<typeof readUtf8>,
): { written: Written | null; diagnostics: readonly Diagnostic[] } {
  if ('problem' in text) return { written: null, diagnostics: [atStart(shownAs, text.problem)] };
  const yaml = parseYaml(text.text, shownAs);
  const { data, diagnostics } = yaml;
  if (diagnostics.length > 0)
    return { written: null, diagnostics: diagnostics.map((one) => ({ ...one, message: one.message.replace(QUOTED_TOKEN, '') })) };
  if (data === null || data === undefined)
    return {
      written: null,
      diagnostics: [atStart(shownAs, 'the file is empty. Expected keys: connections, jobs. `trueup init` writes an example')],
    };
  return {
    written: { file, shownAs, baseDir: dirname(file), kind: 'yaml', written: data, at: (path, part) => yaml.at(path, part) },
    diagnostics: [],
  };
}

async function readModule(file: string, shownAs: string): Promise<{ written: Written | null; diagnostics: readonly Diagnostic[] }> {
  const loaded = await importModule(file);
  if ('problem' in loaded) return { written: null, diagnostics: [atStart(shownAs, `the config module failed to load: ${loaded.problem}`)] };
  const plain = plainFromModule(loaded.exports);
  if ('problem' in plain) return { written: null, diagnostics: [atStart(shownAs, plain.problem)] };
  return {
    written: { file, shownAs, baseDir: dirname(file), kind: 'module', written: plain.data, at: () => ({ line: 1, column: 1 }) },
    diagnostics: [],
  };
}

/** The text of a file, which must be UTF-8; or why there is none. */
export function readUtf8(file: string): { readonly text: string } | { readonly problem: string } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file)) };
  } catch (error) {
    if (error instanceof TypeError && 'code' in error && error.code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      return { problem: 'the file is not UTF-8 text' };
    return { problem: `the file cannot be read: ${systemCode(error)}` };
  }
}

function atStart(file: string, message: string): Diagnostic {
  return { file, line: 1, column: 1, code: 'E_CONFIG_INVALID', severity: 'error', message };
}

function withReferences(written: Written, env: Readonly<Record<string, string | undefined>>): ReadResult {
  const replaced = new Map<string, readonly Reference[]>();
  const unresolved = new Set<string>();
  const diagnostics: Diagnostic[] = [];
  for (const { value, path } of walk(written.written)) {
    if (isRecord(value) && Object.hasOwn(value, '__proto__'))
      diagnostics.push(diagnose(written, { path: [...path, '__proto__'], part: 'key', message: "unknown key '__proto__'" }));
  }
  const change = (text: string, path: Path): string => {
    if (!hasReference(text)) return text;
    const result = interpolate(text, { env, baseDir: written.baseDir });
    if (result.references.length > 0) replaced.set(pathKey(path), result.references);
    if (result.problems.length > 0) unresolved.add(pathKey(path));
    diagnostics.push(...result.problems.map((message) => diagnose(written, { path, part: 'value', message, code: 'E_CONFIG_SECRET' })));
    return result.text;
  };
  return { document: { ...written, data: withTexts(written.written, change, []), replaced, unresolved }, diagnostics };
}

/** A copy in which `change` was applied to every text. Leaves `__proto__` keys out. */
function withTexts(value: unknown, change: (text: string, path: Path) => string, path: Path): unknown {
  if (typeof value === 'string') return change(value, path);
  if (Array.isArray(value)) return value.map((item, index) => withTexts(item, change, [...path, index]));
  if (!isRecord(value)) return value;
  const members = Object.entries(value).filter(([key]) => key !== '__proto__');
  return Object.fromEntries(members.map(([key, item]) => [key, withTexts(item, change, [...path, key])]));
}
