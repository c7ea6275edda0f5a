import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { connectors } from '../connectors/index.ts';
import { configJsonSchema, mappingJsonSchema } from '../src/config/json-schema.ts';
import { configReference, errorReference } from '../src/config/reference.ts';
import type { Connector } from '../src/model/connector.ts';
import { promisesPage } from './promises.ts';

/** The files that are made from the code, by path from the root of the checkout. A test compares them with what is on disk. */
export async function generatedFiles(): Promise<Readonly<Record<string, string>>> {
  const described: Connector[] = [];
  for (const load of Object.values(connectors)) described.push((await load()).default);
  const json = (schema: object): string => `${JSON.stringify(schema, null, 2)}\n`;
  return {
    'schema/config.json': json(configJsonSchema(described)),
    'schema/mapping.json': json(mappingJsonSchema()),
    'docs/config.md': configReference(described),
    'docs/errors.md': errorReference(),
    'docs/promises.md': promisesPage(described),
  };
}

if (import.meta.main) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  await mkdir(`${root}/schema`, { recursive: true });
  for (const [path, text] of Object.entries(await generatedFiles())) await writeFile(`${root}/${path}`, text);
}
