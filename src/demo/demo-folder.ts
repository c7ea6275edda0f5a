import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { TrueupError } from '../errors.ts';
import { canReach, serverUser } from './server-user.ts';

/** Where a demo lives: its config, its state and the data of its two servers. */
export interface DemoFolder {
  readonly path: string;
  readonly kept: boolean;
  /** Removes what is not to be kept. */
  close(): Promise<void>;
}

export const KEPT_NAME = 'trueup-demo';

/** @throws {TrueupError} `E_USAGE` when a kept folder is there already, or the servers could not work in it */
export async function openDemoFolder({ cwd, keep }: { readonly cwd: string; readonly keep: boolean }): Promise<DemoFolder> {
  if (keep) return { path: await keptFolder(cwd), kept: true, close: () => Promise.resolve() };
  const path = await mkdtemp(join(tmpdir(), 'trueup-demo-'));
  await chmod(path, 0o755); // As root, the servers run as another user, who must get in.
  return { path, kept: false, close: () => rm(path, { recursive: true, force: true }) };
}

async function keptFolder(cwd: string): Promise<string> {
  const path = resolve(cwd, KEPT_NAME);
  if (existsSync(path)) {
    throw new TrueupError('E_USAGE', `the folder ${KEPT_NAME}/ is there already`, {
      hint: '`trueup demo --serve` starts its servers again; remove the folder to begin anew.',
    });
  }
  const user = serverUser();
  if (user !== null && !canReach(path, user)) {
    throw new TrueupError('E_USAGE', `PostgreSQL does not run as root, and the user 'nobody' that it runs as cannot enter ${cwd}`, {
      hint: 'Run it in a folder that others may enter, such as one under /tmp or /srv, or not as root.',
    });
  }
  await mkdir(path, { mode: 0o755 });
  return path;
}

/** The servers of a kept demo by their ports, so that its config stays true. `mongo: null`: somebody's own server. */
export type KeptServers =
  | { readonly kind: 'tables'; readonly shop: number; readonly archive: number }
  | { readonly kind: 'documents'; readonly shop: number; readonly mongo: number | null };

const PORTS_FILE = 'ports.json';

export async function saveKept(folder: string, servers: KeptServers): Promise<void> {
  await writeFile(join(folder, PORTS_FILE), `${JSON.stringify(servers)}\n`);
}

/** A kept demo in `cwd` or in `trueup-demo/` below it. @throws {TrueupError} `E_USAGE` when there is none */
export async function findKeptDemo(cwd: string): Promise<{ readonly path: string; readonly servers: KeptServers }> {
  const path = [cwd, join(cwd, KEPT_NAME)].find((folder) => existsSync(join(folder, PORTS_FILE)));
  if (path === undefined) throw new TrueupError('E_USAGE', `there is no kept demo in ${cwd}`, { hint: '`trueup demo --keep` makes one.' });
  const servers = JSON.parse(await readFile(join(path, PORTS_FILE), 'utf8')) as KeptServers;
  return { path, servers: 'kind' in servers ? servers : { kind: 'tables', ...(servers as { shop: number; archive: number }) } };
}

export const JOB = 'shop-to-archive';

/** The config that the demo's runs use, for a reader to open. */
export async function writeDemoConfig(folder: string, urls: { readonly shop: string; readonly archive: string }): Promise<void> {
  await writeFile(
    join(folder, 'trueup.yaml'),
    `# What the demo keeps in step. Try \`trueup plan\`, \`trueup status\`, \`trueup run\` in this folder while the servers run.

connections:
  shop:    { connector: postgres, url: "${urls.shop}" }
  archive: { connector: postgres, url: "${urls.archive}" }

jobs:
  ${JOB}:
    source: shop
    target: archive
    streams:
      - from: public.customers
        changes: { by: cursor, field: updated_at }
      - from: public.orders
        changes: { by: cursor, field: updated_at }
`,
  );
}
