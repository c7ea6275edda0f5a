import { saveKept, writeDemoConfig } from './demo-folder.ts';
import type { DemoReport, Story } from './demo-report.ts';
import { createDemoDatabases, startDemoServers } from './demo-servers.ts';
import type { DemoServers } from './demo-servers.ts';
import { compareTable } from './equality.ts';
import { deadLetterScene } from './scene-dead-letter.ts';
import { deletesScene } from './scene-deletes.ts';
import { firstLoadScene } from './scene-first-load.ts';
import { lateCommitScene } from './scene-late-commit.ts';
import { proofScene } from './scene-proof.ts';
import { fillShop } from './shop.ts';
import type { ShopSize } from './shop.ts';
import { count, seconds, timed } from './stage.ts';
import type { Stage } from './stage.ts';

export interface DemoOptions {
  readonly folder: string;
  readonly size: ShopSize;
  readonly story: Story;
  readonly signal: AbortSignal;
}

/** Plays the demo in a folder. Its servers and child processes have ended when it returns or throws. */
export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const { signal, story, folder } = options;
  story.working('starting two PostgreSQL servers');
  const begun = performance.now();
  const servers = await startDemoServers(folder);
  // Queries that are under way end with their server.
  const onAbort = () => void servers.stop();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return { ...(await play(servers, options)), durationMs: Math.round(performance.now() - begun) };
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await servers.stop();
  }
}

async function play(servers: DemoServers, options: DemoOptions): Promise<Omit<DemoReport, 'durationMs'>> {
  const { folder } = options;
  await saveKept(folder, { kind: 'tables', ...servers.ports });
  await writeDemoConfig(folder, servers.urls);
  const postgres = await createDemoDatabases(servers.urls);
  const stage: Stage = { ...options, servers, shop: await servers.connect('shop'), archive: await servers.connect('archive') };
  const filled = await fillScene(stage, postgres);
  const firstLoad = await firstLoadScene(stage);
  const changes = await lateCommitScene(stage);
  const deadLetter = await deadLetterScene(stage);
  const proof = await proofScene(stage);
  const deletes = await deletesScene(stage);
  const comparison = await comparisonScene(stage);
  return {
    postgres,
    filled,
    firstLoad,
    ...changes,
    deadLetter,
    proof,
    deletes,
    comparison,
    equal: comparison.every((table) => table.equal),
  };
}

async function fillScene({ size, story, shop }: Stage, postgres: string): Promise<DemoReport['filled']> {
  story.working(`filling the shop with ${count(size.orders)} orders`);
  const durationMs = await timed(() => fillShop(shop, size));
  story.happened(`Two PostgreSQL ${postgres} servers: shop and archive`, [
    `shop: ${count(size.customers)} customers and ${count(size.orders)} orders, made up in ${seconds(durationMs)}; archive: empty`,
  ]);
  return { ...size, durationMs };
}

async function comparisonScene({ story, shop, archive }: Stage): Promise<DemoReport['comparison']> {
  story.working('comparing both sides');
  const tables = [await compareTable(shop, archive, 'customers'), await compareTable(shop, archive, 'orders')];
  story.happened(
    'Both sides compared with plain SQL: every row, every column',
    tables.map(({ table, rows, md5, equal }) => {
      const verdict = equal ? 'equal' : 'NOT EQUAL';
      return `${table}: ${count(rows.shop)} and ${count(rows.archive)} rows, md5 ${md5.shop.slice(0, 12)}… and ${md5.archive.slice(0, 12)}…: ${verdict}`;
    }),
  );
  return tables;
}
