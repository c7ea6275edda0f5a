import type { z } from 'zod';
import type { Connector } from '../model/connector.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import { knownNames } from '../model/suggest.ts';
import type { LoadConnector } from './connectors.ts';
import { decodeValue } from './decode.ts';
import { diagnose } from './document.ts';
import type { ConfigDocument, Finding } from './document.ts';
import { thrownText } from './import-module.ts';
import { checkLimits, resolveLimits } from './limits.ts';
import type { ConnectionPart, JobPart, Parts } from './parts.ts';
import type { Connection } from './resolved.ts';
import { definitionOf, keysAt } from './schema-walk.ts';
import { connectionSecrets } from './secrets.ts';

export interface CheckedConnections {
  /** Those without a problem. */
  readonly connections: readonly Connection[];
  readonly diagnostics: readonly Diagnostic[];
  readonly secrets: ReadonlySet<string>;
}

interface Loaded {
  readonly part: ConnectionPart;
  readonly connector: Connector | null;
}

/** Finds the connector of every connection and checks the options against its schema; then whether jobs use it for what it can. */
export async function checkConnections(parts: Parts, document: ConfigDocument, loadConnector: LoadConnector): Promise<CheckedConnections> {
  const connections: Connection[] = [];
  const diagnostics: Diagnostic[] = [];
  const secrets = new Set<string>();
  const loaded: Loaded[] = [];
  for (const part of parts.connections) {
    const found = part.connector === null ? null : await loadConnector(part.connector, document.baseDir);
    const connector = found !== null && 'connector' in found ? found.connector : null;
    loaded.push({ part, connector });
    for (const secret of connectionSecrets(part.options, { document, path: part.path, schema: connector?.options ?? null }))
      secrets.add(secret);
    if (found !== null && 'problem' in found)
      diagnostics.push(
        diagnose(document, { path: [...part.path, 'connector'], part: 'value', message: found.problem, code: 'E_CONNECTOR_UNKNOWN' }),
      );
    if (found === null || connector === null) continue;
    const options = checkOptions(part, connector, document);
    diagnostics.push(...options.diagnostics, ...checkLimits(part, connector).map((finding) => diagnose(document, finding)));
    if (options.value !== null)
      connections.push({
        name: part.name,
        connector: (found as { resolved: string }).resolved,
        options: options.value,
        limits: resolveLimits(part.limits),
      });
  }
  diagnostics.push(...parts.jobs.flatMap((job) => checkRoles(job, loaded)).map((finding) => diagnose(document, finding)));
  return { connections, diagnostics, secrets };
}

function checkOptions(
  part: ConnectionPart,
  connector: Connector,
  document: ConfigDocument,
): { readonly value: Record<string, unknown> | null; readonly diagnostics: readonly Diagnostic[] } {
  try {
    const { value, diagnostics } = decodeValue(connector.options, document, { path: part.path, value: part.options });
    const unknown = unknownOptions(part, connector.options).map((finding) => diagnose(document, finding));
    return { value: unknown.length === 0 ? value : null, diagnostics: [...diagnostics, ...unknown] };
  } catch (error) {
    return {
      value: null,
      diagnostics: [
        diagnose(document, {
          path: part.path,
          part: 'key',
          message: `connector '${connector.name}' failed to check its options: ${thrownText(error)}`,
        }),
      ],
    };
  }
}

/** Of a schema that is not strict, which would drop a misspelt option without a word. */
function unknownOptions(part: ConnectionPart, schema: z.ZodObject): readonly Finding[] {
  const definition = definitionOf(schema) as { catchall?: unknown };
  if (definition.catchall !== undefined) return [];
  const known = keysAt(schema, []);
  const unknown = Object.keys(part.options).filter((key) => !known.includes(key));
  return unknown.map((key) => ({ path: [...part.path, key], part: 'key', message: `unknown key '${key}'.${knownNames(key, known)}` }));
}

function checkRoles(job: JobPart, loaded: readonly Loaded[]): readonly Finding[] {
  const open = { source: 'openSource', target: 'openTarget' } as const;
  return (['source', 'target'] as const).flatMap((end): Finding[] => {
    const connector = loaded.find(({ part }) => part.name === job.config?.[end])?.connector;
    if (connector === undefined || connector === null || typeof connector[open[end]] === 'function') return [];
    return [{ path: [...job.path, end], part: 'value', message: `connector '${connector.name}' of this connection cannot be a ${end}` }];
  });
}
