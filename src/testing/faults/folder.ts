import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Json } from '../../model/json.ts';
import type { OpenPair, Side } from './pair.ts';

export const JOB = 'faults';

/** The module itself, as it runs: TypeScript in a checkout, JavaScript in an installed package. */
const FAULTY = new URL(`./faulty-connector.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url).href;

export interface FolderOptions {
  readonly pair: OpenPair;
  readonly batchRows: number;
  readonly defaults?: Readonly<Record<string, Json>>;
  readonly job?: Readonly<Record<string, Json>>;
}

/** A folder as a user has one: a config whose two connectors are the real ones, with fail points around them. */
export interface Folder {
  readonly path: string;
  /** What the connectors read when they are loaded. */
  readonly planFile: string;
  remove(): Promise<void>;
}

export async function createFolder({ pair, batchRows, defaults = {}, job = {} }: FolderOptions): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'trueup-faults-'));
  const planFile = join(path, 'plan.json');
  const config = {
    connections: {
      source: { connector: './source.mjs', ...pair.source.options },
      target: { connector: './target.mjs', ...pair.target.options },
    },
    defaults: { batch: { rows: batchRows }, shutdownGrace: '3s', ...defaults },
    jobs: { [JOB]: { source: 'source', target: 'target', retries: { attempts: 8, maxDelay: '1s' }, ...pair.job, ...job } },
  };
  await writeFile(join(path, 'trueup.yaml'), JSON.stringify(config, null, 2)); // JSON is YAML
  await writeFile(join(path, 'source.mjs'), moduleText(pair.source, planFile));
  await writeFile(join(path, 'target.mjs'), moduleText(pair.target, planFile));
  for (const [name, text] of Object.entries(pair.files ?? {})) await writeFile(join(path, name), text);
  return { path, planFile, remove: () => rm(path, { recursive: true, force: true }) };
}

function moduleText({ connector }: Side, planFile: string): string {
  const isModule = URL.canParse(connector);
  const text = JSON.stringify;
  return `import { ${isModule ? '' : 'builtIn, '}faulty, stepsOf } from ${text(FAULTY)};
${isModule ? `import real from ${text(connector)};` : `const real = await builtIn(${text(connector)});`}
export default faulty(real, stepsOf(${text(planFile)}));
`;
}
