import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { expect, it } from 'vitest';
import { createMongoDatabase, describeWithOwnMongo, startOwnMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import type { TrueupProcess } from '../processes.ts';
import { LOADED, contentOf, seed, startWriters } from './log-mongodb-writers.ts';
import { openScenario, ranOf } from './scenario.ts';
import type { Scenario } from './scenario.ts';

const JOB = `
  load:
    source: shop
    target: copy
    retries: { attempts: 20, maxDelay: 2s }
    streams:
      - { from: a, to: public.a, changes: { by: log }, backfill: { partitions: 2 } }
      - { from: b, to: public.b, changes: { by: log }, backfill: { partitions: 2 } }
`;

const DOCUMENTS = 25_000;
const KILLS = 20;
/** So many of them fall into the first load. */
const EARLY = 8;

async function openLoad(url: string): Promise<Scenario> {
  const scenario = await openScenario({ sourceUrl: url });
  await scenario.write(
    'trueup.yaml',
    `connections:\n  shop: { connector: mongodb, url: "\${SHOP_URL}" }\n  copy: { connector: postgres, url: "\${COPY_URL}" }\ndefaults: { batch: { rows: 100 } }\njobs:${JOB}`,
  );
  return scenario;
}

async function targetContent(scenario: Scenario, name: string): Promise<string[]> {
  return (await scenario.target.query<{ text: string }>(`select concat_ws(' ', _id, v, s) as text from public.${name} order by _id`)).map(
    ({ text }) => text,
  );
}

async function isLoading(scenario: Scenario): Promise<boolean> {
  const held = await scenario.target.query(`select from trueup.checkpoints where state = 'held'`).catch(() => []);
  return held.length > 0;
}

/** It reads from the source, or it has read everything. */
async function untilLoading(scenario: Scenario, running: TrueupProcess): Promise<void> {
  let ended = false;
  void running.waitForExit(120_000).then(() => (ended = true));
  await expect.poll(async () => ended || (await isReading(scenario)), { timeout: 60_000, interval: 20 }).toBe(true);
}

async function isReading(scenario: Scenario): Promise<boolean> {
  const live = await scenario.target.query(
    `select from pg_stat_activity where datname = current_database() and query ilike any (array['copy%', 'merge%', 'insert%', 'commit%'])`,
  );
  return live.length > 0 && (await isLoading(scenario));
}

async function stepDown(url: string): Promise<void> {
  const client = await new MongoClient(url).connect();
  await client
    .db('admin')
    .command({ replSetStepDown: 2, secondaryCatchUpPeriodSecs: 1, force: true })
    .catch(() => undefined);
  await client.close();
}

describeWithPostgres('the log of MongoDB under writers, kills and failovers', { timeout: 400_000 }, () => {
  describeWithOwnMongo('on a replica set of three', () => {
    it('leaves both sides equal, deletes included, after kills and a step-down in the first load and later', async () => {
      const set = await startOwnMongo({ members: 3 });
      const mongo = await createMongoDatabase('writers', set.url);
      await seed(mongo.db, DOCUMENTS);
      const scenario = await openLoad(mongo.url);
      const writers = await startWriters(set.url, mongo.name, { writers: 8, documents: DOCUMENTS });
      let whileLoading = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const follows = kill >= KILLS - 5;
        const running = scenario.start(['run', ...(follows ? ['--follow'] : []), '--json', '--log-level', 'error']);
        if (kill === 3 || kill === KILLS - 3) void sleep(900).then(() => stepDown(set.url));
        if (kill < EARLY) await untilLoading(scenario, running);
        await sleep(kill < EARLY ? Math.random() * 400 : 500 + Math.random() * 1500);
        if (await isLoading(scenario)) whileLoading += 1;
        running.kill('SIGKILL');
        const exit = await running.waitForExit(120_000);
        if (exit.signal === null) expect(ranOf(exit).code).toBe(0);
      }
      await writers.stop();
      const last = await scenario.run();
      expect(last.stderr).toBe('');
      expect(last.code).toBe(0);
      for (const name of LOADED) expect(await targetContent(scenario, name)).toEqual(await contentOf(mongo.db, name));
      expect(Math.min(...Object.values(writers.counts))).toBeGreaterThan(20);
      expect(whileLoading).toBeGreaterThan(2);
      await set.stop();
    });
  });
});
