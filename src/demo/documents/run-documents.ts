import { join } from 'node:path';
import pg from 'pg';
import type { Client } from 'pg';
import type { Story } from '../demo-report.ts';
import { saveKept } from '../demo-folder.ts';
import { startEmbeddedPostgres } from '../embedded-postgres.ts';
import type { EmbeddedPostgres } from '../embedded-postgres.ts';
import { count, seconds, timed, valueOf } from '../stage.ts';
import { compareDocuments, compareTables } from './compare-sides.ts';
import { writeDocumentsConfig } from './config.ts';
import type { DocumentsReport, SideComparison } from './documents-report.ts';
import { findDemoMongo } from './find-mongo.ts';
import type { DemoMongo } from './find-mongo.ts';
import { childrenScene } from './scene-children.ts';
import { damageScene } from './scene-damage.ts';
import { loadScene } from './scene-load.ts';
import { tablesScene } from './scene-tables.ts';
import { fillShopTables } from './shop-tables.ts';
import type { ShopTables } from './shop-tables.ts';
import type { DocumentsStage } from './stage.ts';

export interface DocumentsOptions {
  readonly folder: string;
  readonly keep: boolean;
  readonly size: ShopTables;
  readonly story: Story;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
}

/** The demo's data can be made again. */
const SETTINGS = { fsync: 'off', synchronous_commit: 'off', max_wal_size: '2GB' };

/** Plays the demo of documents in a folder. Its servers and child processes have ended when it returns or throws. */
export async function runDocuments(options: DocumentsOptions): Promise<DocumentsReport> {
  const { folder, story, signal, env, keep } = options;
  story.working('starting PostgreSQL and MongoDB');
  const begun = performance.now();
  const mongo = await findDemoMongo(folder, env);
  let postgres: EmbeddedPostgres | null = null;
  const clients: Client[] = [];
  const onAbort = () => void postgres?.stop(); // Queries that are under way end with their server.
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'shop-server'), settings: SETTINGS });
    await saveKept(folder, { kind: 'documents', shop: postgres.port, mongo: mongo.port });
    return { ...(await play(options, postgres, mongo, clients)), durationMs: Math.round(performance.now() - begun) };
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await Promise.allSettled(clients.map((client) => client.end()));
    await Promise.allSettled([postgres?.stop(), mongo.stop(keep)]);
  }
}

async function play(
  options: DocumentsOptions,
  server: EmbeddedPostgres,
  mongo: DemoMongo,
  clients: Client[],
): Promise<Omit<DocumentsReport, 'durationMs'>> {
  const { folder } = options;
  const url = (name: string): string => Object.assign(new URL(server.url), { pathname: `/${name}` }).href;
  const connect = async (name: string): Promise<Client> => {
    const client = new pg.Client({ connectionString: url(name), application_name: 'trueup demo' });
    client.on('error', () => {}); // A server that stops ends its connections.
    await client.connect();
    clients.push(client);
    return client;
  };
  const admin = await connect('postgres');
  for (const name of ['shop', 'copy']) await admin.query(`create database ${name}`);
  const version = await valueOf<string>(admin, `select split_part(current_setting('server_version'), ' ', 1) as value`);
  await writeDocumentsConfig(folder, { shop: url('shop'), documents: mongo.url, copy: url('copy') }, mongo.isSet);
  const stage: DocumentsStage = {
    ...options,
    mongo,
    shop: await connect('shop'),
    copy: await connect('copy'),
    connect: () => connect('shop'),
  };
  const filled = await fillScene(stage, version);
  const firstLoad = await loadScene(stage);
  const changes = await childrenScene(stage);
  const proof = await damageScene(stage);
  const tables = await tablesScene(stage);
  const comparison = await comparisonScene(stage);
  const equal = comparison.every((side) => side.equal) && tables.verified && proof.restored === proof.damaged;
  return { postgres: version, mongodb: mongo.version, filled, firstLoad, changes, proof, tables, comparison, equal };
}

async function fillScene({ size, story, shop, mongo }: DocumentsStage, version: string): Promise<DocumentsReport['filled']> {
  story.working(`filling the shop with ${count(size.orders)} orders`);
  let items = 0;
  const durationMs = await timed(async () => (items = await fillShopTables(shop, size)));
  story.happened(`PostgreSQL ${version} and MongoDB ${mongo.version}`, [
    `${count(size.customers)} customers, ${count(size.orders)} orders and ${count(items)} items in three tables, made up in ${seconds(durationMs)}; MongoDB: empty`,
  ]);
  return { ...size, items, durationMs };
}

async function comparisonScene({ story, shop, copy, mongo }: DocumentsStage): Promise<SideComparison[]> {
  story.working('comparing all sides');
  const sides = [await compareDocuments(shop, mongo.client), ...(await compareTables(shop, copy))];
  story.happened(
    'All sides compared without trueup: every document with what one query over the shop gives, and every row that came back',
    sides.map(({ what, count: [from, to], md5, equal }) => {
      const verdict = equal ? 'equal' : 'NOT EQUAL';
      return `${what}: ${count(from)} and ${count(to)}, md5 ${md5[0].slice(0, 12)}… and ${md5[1].slice(0, 12)}…: ${verdict}`;
    }),
  );
  return sides;
}
