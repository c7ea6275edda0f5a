import { existsSync, globSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { runCases } from '../mapping/cases.ts';
import type { CaseResult } from '../mapping/cases.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { LoadConnector } from './connectors.ts';
import { findConfigFile } from './find-file.ts';
import { loadConfig } from './load-config.ts';
import { readUtf8 } from './read-document.ts';
import { createReferenceResolver } from './references.ts';

export interface MappingTestRequest {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly configFile?: string;
  readonly loadConnector: LoadConnector;
}

export interface MappingTestReport {
  readonly files: readonly { readonly file: string; readonly cases: readonly CaseResult[] }[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Runs the cases of mappings: those of `orders.yaml` stand in `orders.test.yaml` beside it.
 *
 * @param files mapping or case files; none: every mapping that the config uses, or without a config those in `mappings/`
 */
export async function testMappings(request: MappingTestRequest, files: readonly string[]): Promise<MappingTestReport> {
  const found =
    files.length > 0
      ? { mappings: files.map((file) => resolve(request.cwd, mappingOf(file))), diagnostics: [] }
      : await usedMappings(request);
  const reports = [...new Set(found.mappings)].map((mapping) => testMapping(request, mapping));
  return {
    files: reports.map(({ file, cases }) => ({ file, cases })),
    diagnostics: [...found.diagnostics, ...reports.flatMap((report) => report.diagnostics)],
  };
}

async function usedMappings(
  request: MappingTestRequest,
): Promise<{ readonly mappings: readonly string[]; readonly diagnostics: readonly Diagnostic[] }> {
  const { cwd, env, configFile, loadConnector } = request;
  const config = findConfigFile(configFile, cwd);
  if ('problem' in config && configFile === undefined && existsSync(resolve(cwd, 'mappings')))
    return {
      mappings: globSync('mappings/**/*.test.yaml', { cwd })
        .sort()
        .map((file) => resolve(cwd, mappingOf(file))),
      diagnostics: [],
    };
  const loaded = await loadConfig({ ...(configFile === undefined ? {} : { file: configFile }), cwd, env, loadConnector });
  const sources = [...(loaded.config?.jobs.values() ?? [])].flatMap((job) =>
    job.streams.flatMap((stream) => (stream.mapping === null ? [] : [stream.mapping.file])),
  );
  return { mappings: sources.map((file) => resolve(cwd, file)), diagnostics: loaded.diagnostics };
}

function testMapping(
  { cwd, env }: MappingTestRequest,
  mapping: string,
): { readonly file: string; readonly cases: readonly CaseResult[]; readonly diagnostics: readonly Diagnostic[] } {
  const caseFile = mapping.replace(/\.(ya?ml)$/, '.test.$1');
  const shown = (file: string): string => relative(cwd, file);
  const texts = { mapping: readUtf8(mapping), cases: readUtf8(caseFile) };
  const problems = [
    ...('problem' in texts.mapping ? [unreadable(shown(mapping), texts.mapping.problem)] : []),
    ...('problem' in texts.cases
      ? [unreadable(shown(caseFile), `${texts.cases.problem}. The cases of '${shown(mapping)}' are looked for there`)]
      : []),
  ];
  if ('problem' in texts.mapping || 'problem' in texts.cases) return { file: shown(caseFile), cases: [], diagnostics: problems };
  const run = runCases({
    file: shown(caseFile),
    text: texts.cases.text,
    mapping: { file: shown(mapping), text: texts.mapping.text },
    secrets: createReferenceResolver({ env, baseDir: cwd }),
  });
  return { file: shown(caseFile), ...run };
}

function unreadable(file: string, message: string): Diagnostic {
  return { file, line: 1, column: 1, code: 'E_CONFIG_NOT_FOUND', severity: 'error', message };
}

function mappingOf(file: string): string {
  return file.replace(/\.test\.(ya?ml)$/, '.$1');
}
