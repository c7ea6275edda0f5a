import { resolve } from 'node:path';
import type { Diagnostic } from '../model/diagnostic.ts';
import { checkConnections } from './check-connections.ts';
import { checkParts } from './check-jobs.ts';
import type { LoadConnector } from './connectors.ts';
import { diagnose } from './document.ts';
import type { ConfigDocument } from './document.ts';
import { findConfigFile, shownPath } from './find-file.ts';
import { decodeParts } from './parts.ts';
import { pathKey } from './plain-data.ts';
import { readDocument } from './read-document.ts';
import { readMappings } from './read-mappings.ts';
import { createRedactor } from './redact.ts';
import { resolveConfig } from './resolve.ts';
import type { ResolvedConfig } from './resolved.ts';
import { otherSecrets } from './secrets.ts';

/*
 * find → parse → replace `${…}` → decode → check → connectors and their options → mappings → resolve. The stages after parsing all run,
 * whatever the ones before found, so that every problem is told at once.
 */

export interface LoadRequest {
  /** A path, or absent: searched for from `cwd` upwards. */
  readonly file?: string;
  /** The text of the config, for one that is on no disk; `file` then says what file it stands for. Without one its problems have no place. */
  readonly text?: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly loadConnector: LoadConnector;
}

export interface LoadedConfig {
  /** `null` when a diagnostic is an error. */
  readonly config: ResolvedConfig | null;
  /** By file and place. No message holds a secret. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Loads a config with everything that it names. Never throws on what a person wrote. */
export async function loadConfig(request: LoadRequest): Promise<LoadedConfig> {
  const found =
    request.text === undefined ? findConfigFile(request.file, request.cwd) : { file: resolve(request.cwd, request.file ?? 'trueup.yaml') };
  if ('problem' in found) {
    const file = request.file ?? 'trueup.yaml';
    return {
      config: null,
      diagnostics: [{ file, line: 1, column: 1, code: 'E_CONFIG_NOT_FOUND', severity: 'error', message: found.problem }],
    };
  }
  const read = await readDocument({ ...request, file: found.file, shownAs: isInNoFile(request) ? '' : shownPath(found.file, request.cwd) });
  if (read.document === null) return { config: null, diagnostics: read.diagnostics };
  return loadDocument(read.document, read.diagnostics, request);
}

async function loadDocument(document: ConfigDocument, before: readonly Diagnostic[], request: LoadRequest): Promise<LoadedConfig> {
  const { parts, diagnostics: decoding } = decodeParts(document);
  const checks = checkParts(parts, document).filter((finding) => !isConsequence(document, finding.path));
  const connections = await checkConnections(parts, document, request.loadConnector);
  const mappings = readMappings(parts, document, { env: request.env, baseDir: document.baseDir, cwd: request.cwd });
  const secrets = new Set([...connections.secrets, ...mappings.secrets, ...otherSecrets(document)]);
  const redact = createRedactor(secrets);
  const asWritten = referenceNames(document);
  const all = [
    ...before,
    ...decoding,
    ...checks.map((finding) => diagnose(document, finding)),
    ...connections.diagnostics,
    ...mappings.diagnostics,
  ];
  const diagnostics = sorted(all, document.shownAs).map((one) => ({ ...one, message: redact(asWritten(one.message)) }));
  if (diagnostics.some((one) => one.severity === 'error')) return { config: null, diagnostics };
  return {
    config: resolveConfig({ parts, document, connections: connections.connections, mappings: mappings.mappings, secrets }),
    diagnostics,
  };
}

/** Then nobody can look at a line of it. */
function isInNoFile({ text, file }: LoadRequest): boolean {
  return text !== undefined && file === undefined;
}

/** A text whose `${…}` has no value cannot be judged any further. */
function isConsequence(document: ConfigDocument, path: readonly PropertyKey[]): boolean {
  return document.unresolved.has(pathKey(path));
}

/** Puts references back in the place of their values: what came out of the environment is not shown, even where no secret was expected. */
function referenceNames(document: ConfigDocument): (text: string) => string {
  const references = [...document.replaced.values()].flat().sort((a, b) => b.value.length - a.value.length);
  return (text) =>
    references.reduce((shown, { kind, name, value }) => {
      const written = `\${${kind === 'file' ? 'file:' : ''}${name}}`;
      // A short value may be any word; in quotes it is the value that the message is about.
      return value.length >= 8 ? shown.replaceAll(value, () => written) : shown.replaceAll(`'${value}'`, () => `'${written}'`);
    }, text);
}

/** The config first, then its mappings; within a file from top to bottom. What is said twice about one place is told once. */
function sorted(diagnostics: readonly Diagnostic[], first: string): Diagnostic[] {
  const unique = new Map(diagnostics.map((one) => [`${one.file}:${one.line}:${one.column}:${one.message}`, one]));
  const rank = (file: string): string => (file === first ? '' : file);
  return [...unique.values()].sort((a, b) => rank(a.file).localeCompare(rank(b.file), 'en') || a.line - b.line || a.column - b.column);
}
