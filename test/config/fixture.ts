import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { createConnectorLoader } from '../../src/config/connectors.ts';
import type { BuiltInConnectors } from '../../src/config/connectors.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import type { LoadedConfig } from '../../src/config/load-config.ts';
import { defineConnector } from '../../src/model/connector.ts';
import type { Connector } from '../../src/model/connector.ts';
import { diagnosticText } from '../../src/model/diagnostic.ts';

/** A folder with these files, by path, removed after the test. */
export function folder(files: Readonly<Record<string, string | Uint8Array>>): string {
  const path = mkdtempSync(join(tmpdir(), 'trueup-config-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return path;
}

/** Connectors whose options have every trait that the config looks at. They open nothing: loading a config never does. */
const shop = defineConnector({
  name: 'shop',
  summary: 'A shop.',
  cursorVersion: 1,
  options: z.strictObject({
    url: z.url().optional().meta({ description: 'Address.' }),
    password: z.string().min(8).optional().meta({ description: 'Password.', secret: true }),
    port: z.int().min(1).max(65_535).default(5432).meta({ description: 'Port.' }),
    tls: z.boolean().default(false).meta({ description: 'TLS.' }),
    database: z.string().optional().meta({ description: 'Database.' }),
    mode: z.enum(['fast', 'safe']).default('safe').meta({ description: 'Mode.' }),
    auth: z
      .union([
        z.strictObject({ bearer: z.string().meta({ secret: true }) }),
        z.strictObject({ user: z.string(), pin: z.string().regex(/^\d+$/).meta({ secret: true }) }),
      ])
      .optional(),
  }),
  openSource: () => unopened(),
  openTarget: () => unopened(),
});

const reader = defineConnector({
  name: 'reader',
  summary: 'Reads only.',
  cursorVersion: 1,
  options: z.object({ path: z.string().default('.') }),
  openSource: () => unopened(),
});

function unopened(): never {
  throw new Error('loading a config opened a connector');
}

export const builtIn: BuiltInConnectors = {
  shop: async () => ({ default: shop as unknown as Connector }),
  reader: async () => ({ default: reader as unknown as Connector }),
};

/** Loads `trueup.yaml` of a folder of files; a string is the text of that file. */
export async function load(
  files: string | Readonly<Record<string, string | Uint8Array>>,
  env: Readonly<Record<string, string>> = {},
): Promise<LoadedConfig & { readonly texts: readonly string[] }> {
  const cwd = folder(typeof files === 'string' ? { 'trueup.yaml': files } : files);
  const loaded = await loadConfig({ cwd, env, loadConnector: createConnectorLoader(builtIn) });
  return { ...loaded, texts: loaded.diagnostics.map((one) => diagnosticText(one).replaceAll(cwd, '<cwd>')) };
}

/** Two connections and the start of a job, whose streams follow. */
export const HEAD = `connections:
  a: { connector: shop }
  b: { connector: shop, database: other }
jobs:
  copy:
    source: a
    target: b
`;
