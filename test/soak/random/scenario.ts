import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EmbeddedPostgres } from '../../../src/demo/embedded-postgres.ts';
import { spawnTrueup } from '../../processes.ts';
import type { TrueupOptions, TrueupProcess } from '../../processes.ts';
import { dropDatabase, uniqueName, withClient, withDatabase } from '../../servers/postgres-admin.ts';
import { startTcpProxy } from '../../servers/tcp-proxy.ts';
import type { Side } from './faults.ts';
import { MASK_ENV } from './mapping-fields.ts';
import type { ScenarioPlan, TablePlan } from './plan.ts';
import type { Random } from './prng.ts';
import { insertRows } from './statements.ts';
import { configText, mappingFile, mappingText, sourceTables } from './texts.ts';

/** Databases, proxies and a folder with a config, as a plan says. */
export interface RandomScenario extends AsyncDisposable {
  readonly source: Side;
  readonly target: Side;
  readonly dir: string;
  start(args: readonly string[], options?: TrueupOptions): TrueupProcess;
}

export interface Servers {
  readonly source: EmbeddedPostgres;
  readonly target: EmbeddedPostgres;
}

export interface OpenScenario {
  readonly servers: Servers;
  readonly plan: ScenarioPlan;
  readonly random: Random;
  /** Of the source; default: postgres. */
  readonly connector?: string;
}

export async function openRandomScenario({ servers, plan, random, connector }: OpenScenario): Promise<RandomScenario> {
  const source = await openSide(servers.source, 'source');
  const target = await openSide(servers.target, 'target');
  for (const setting of plan.settings)
    await withClient(source.url, (client) => client.query(`alter database ${nameOf(source)} set ${setting}`));
  for (const setting of random.sample(plan.settings, 2))
    await withClient(target.url, (client) => client.query(`alter database ${nameOf(target)} set ${setting}`));
  await withClient(source.url, async (client) => {
    await client.query(sourceTables(plan));
    for (const table of plan.tables) await client.query(seedText(table, random));
  });
  const dir = await mkdtemp(join(tmpdir(), 'trueup-soak-'));
  await writeFile(join(dir, 'trueup.yaml'), configText(plan, connector));
  for (const table of plan.tables) {
    const text = mappingText(table);
    if (text !== null) await writeFile(join(dir, mappingFile(plan, table)), text);
  }
  const env = { SHOP_URL: source.proxy.url(source.url), COPY_URL: target.proxy.url(target.url), ...MASK_ENV };
  return {
    source,
    target,
    dir,
    start: (args, options = {}) => spawnTrueup(args, { cwd: dir, ...options, env: { ...env, ...options.env } }),
    async [Symbol.asyncDispose]() {
      for (const side of [source, target]) {
        await side.proxy.close();
        await dropDatabase(side.server.url, nameOf(side));
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function openSide(server: EmbeddedPostgres, tag: string): Promise<Side> {
  const name = uniqueName(tag);
  await withClient(server.url, (admin) => admin.query(`create database ${name}`));
  return { server, proxy: await startTcpProxy(server.url), url: withDatabase(server.url, name) };
}

function nameOf({ url }: Side): string {
  return new URL(url).pathname.slice(1);
}

function seedText(table: TablePlan, random: Random): string {
  const keys = random.sample(table.universe, table.rowsAtStart);
  return keys.length === 0 ? 'select 1' : insertRows(table, random, keys);
}
