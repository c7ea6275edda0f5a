import { existsSync, readdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseMapping } from '../mapping/parse.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { MappingSource } from '../model/job.ts';
import { didYouMean } from '../model/suggest.ts';
import { parseYaml } from '../model/yaml.ts';
import { diagnose } from './document.ts';
import type { ConfigDocument } from './document.ts';
import { shownPath } from './find-file.ts';
import { interpolate } from './interpolate.ts';
import type { Surroundings } from './interpolate.ts';
import type { Parts } from './parts.ts';
import { pathKey, valueAt, walk } from './plain-data.ts';
import type { Path } from './plain-data.ts';
import { readUtf8 } from './read-document.ts';

export interface ReadMappings {
  /** By `pathKey` of the stream entry. */
  readonly mappings: ReadonlyMap<string, MappingSource>;
  readonly diagnostics: readonly Diagnostic[];
  /** What stands for the references in them. The texts keep the references. */
  readonly secrets: ReadonlySet<string>;
}

/** Reads the mapping of every stream and parses it, so that its problems are known before a source is asked. */
export function readMappings(parts: Parts, document: ConfigDocument, surroundings: Surroundings & { readonly cwd: string }): ReadMappings {
  const mappings = new Map<string, MappingSource>();
  const diagnostics: Diagnostic[] = [];
  const secrets = new Set<string>();
  const checked = new Set<string>();
  for (const { path, config } of parts.jobs.flatMap((job) => job.streams)) {
    if (config?.mapping === undefined || (typeof config.mapping !== 'string' && document.kind === 'yaml')) continue;
    const read =
      typeof config.mapping === 'string'
        ? readFile(config.mapping, { document, path: [...path, 'mapping'], cwd: surroundings.cwd })
        : inline(document, path);
    if ('problem' in read) {
      diagnostics.push(read.problem);
      continue;
    }
    mappings.set(pathKey(path), read);
    const isInline = typeof config.mapping !== 'string';
    if (!isInline && checked.has(read.file)) continue;
    checked.add(read.file);
    const found = checkMapping(read, surroundings);
    for (const value of found.secrets) secrets.add(value);
    // A mapping inside a module has no lines of its own.
    diagnostics.push(
      ...(isInline
        ? found.diagnostics.map(({ message, code }) => diagnose(document, { path: [...path, 'mapping'], part: 'value', message, code }))
        : found.diagnostics),
    );
  }
  return { mappings, diagnostics, secrets };
}

function readFile(
  name: string,
  { document, path, cwd }: { readonly document: ConfigDocument; readonly path: Path; readonly cwd: string },
): MappingSource | { readonly problem: Diagnostic } {
  const file = resolve(document.baseDir, name);
  const read = readUtf8(file);
  if ('text' in read) return { file: shownPath(file, cwd), text: read.text };
  const message = existsSync(file)
    ? `mapping '${name}': ${read.problem}`
    : `there is no mapping file '${name}' (looked at ${file})${nearFile(file)}`;
  return { problem: diagnose(document, { path, part: 'value', message }) };
}

function nearFile(file: string): string {
  const folder = dirname(file);
  if (!existsSync(folder)) return '';
  const near = didYouMean(
    file,
    readdirSync(folder).map((name) => resolve(folder, name)),
  );
  return near === null ? '' : `. Did you mean '${near}'?`;
}

/** As written, so that references stay references. */
function inline(document: ConfigDocument, path: Path): MappingSource {
  return { file: document.shownAs, text: JSON.stringify(valueAt(document.written, [...path, 'mapping'])) };
}

function checkMapping(
  source: MappingSource,
  surroundings: Surroundings,
): { readonly diagnostics: readonly Diagnostic[]; readonly secrets: readonly string[] } {
  const { diagnostics } = parseMapping(source);
  const yaml = parseYaml(source.text, source.file, 'E_MAPPING_INVALID');
  const { data } = yaml;
  const secrets: string[] = [];
  const unresolved: Diagnostic[] = [];
  for (const { value, path } of walk(data)) {
    if (typeof value !== 'string') continue;
    const { references, problems } = interpolate(value, surroundings);
    secrets.push(...references.map((reference) => reference.value));
    unresolved.push(
      ...problems.map((message): Diagnostic => ({
        file: source.file,
        ...yaml.at(path),
        code: 'E_CONFIG_SECRET',
        severity: 'error',
        message,
      })),
    );
  }
  return { diagnostics: [...diagnostics, ...unresolved], secrets };
}
