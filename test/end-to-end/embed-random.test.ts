import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { expect, it } from 'vitest';
import { describeWithMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { jobOf, openEmbedScenario, seed } from './embed-scenario.ts';
import type { EmbedScenario } from './embed-scenario.ts';

const ORDERS = 60;
const WRITERS = 8;
const KILLS = 3;
const SMALL = 'defaults: { batch: { rows: 50 } }\n';

/** The same numbers for the same seed (mulberry32). */
function randomOf(seedOf: number): () => number {
  let state = seedOf;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What the feeds of the document and of its children deliver by themselves: inserts and updates of an order, an item, a part or a customer. */
function delivered(random: () => number): string {
  const upTo = (limit: number): number => Math.floor(random() * limit);
  const now = 'updated_at = clock_timestamp()';
  const order = 1 + upTo(ORDERS + 20);
  const item = order * 10 + upTo(6);
  const kinds = [
    `update public.orders set status = 's${upTo(100)}', customer_id = ${upTo(20)}, ${now} where id = ${order}`,
    `insert into public.orders values (${order}, ${upTo(20)}, 'again') on conflict (id) do update set status = 'twice', ${now}`,
    `insert into public.order_items values (${item}, ${order}, ${upTo(3)}, 'n${upTo(9)}', ${upTo(900)}.25) on conflict (id) do update set price = ${upTo(9)}, ${now}`,
    `update public.order_items set price = price + 1, line_no = ${upTo(4)}, sku = case when ${upTo(5)} = 0 then 'hidden' else sku end, ${now} where order_id = ${order}`,
    `insert into public.parts values (${item}, ${upTo(3)}, 'p${upTo(9)}') on conflict (item_id, no) do update set label = 'q${upTo(9)}', ${now}`,
    `update public.customers set name = 'c${upTo(99)}', ${now} where id = ${upTo(20)}`,
  ];
  return kinds[upTo(kinds.length)] as string;
}

/** What only a comparison finds: deletes, moves from one parent to another, changes of keys. */
function compared(random: () => number): string {
  const upTo = (limit: number): number => Math.floor(random() * limit);
  const now = 'updated_at = clock_timestamp()';
  const order = 1 + upTo(ORDERS + 20);
  const item = order * 10 + upTo(6);
  const kinds = [
    `delete from public.orders where id = ${order}`,
    `update public.orders set id = ${ORDERS + 100 + upTo(50)}, ${now} where id = ${order} and not exists (select from public.orders where id > ${ORDERS + 99})`,
    `update public.order_items set order_id = ${1 + upTo(ORDERS)}, ${now} where id = ${item}`,
    `delete from public.order_items where id = ${item}`,
    `update public.parts set item_id = ${item + 1}, ${now} where item_id = ${item} and not exists (select from public.parts where item_id = ${item + 1})`,
    `delete from public.parts where item_id = ${item}`,
  ];
  return kinds[upTo(kinds.length)] as string;
}

type Statement = (random: () => number) => string;

/** Transactions of a few changes each: most commit at once, some stay open for a while, some roll back. */
async function write(url: string, random: () => number, statement: Statement, stop: AbortSignal): Promise<number> {
  const client = new pg.Client(url);
  client.on('error', () => {});
  await client.connect();
  let committed = 0;
  while (!stop.aborted) {
    try {
      await client.query('begin');
      await client.query("set local lock_timeout = '2s'");
      for (let left = 1 + Math.floor(random() * 4); left > 0; left -= 1) await client.query(statement(random));
      if (random() < 0.1) await sleep(300 + random() * 1500);
      await client.query(random() < 0.15 ? 'rollback' : 'commit');
      committed += 1;
    } catch {
      // A deadlock, a key that is taken, or a lock that somebody keeps: as in life.
      await client.query('rollback');
    }
    await sleep(20 + random() * 60);
  }
  await client.end();
  return committed;
}

interface Writers {
  /** Lets each end its transaction. @returns how many were committed */
  stop(): Promise<number>;
}

function startWriters(url: string, seedOf: number, statement: Statement): Writers {
  const over = new AbortController();
  const writers = Array.from({ length: WRITERS }, (_, writer) => write(url, randomOf(seedOf * 100 + writer), statement, over.signal));
  return {
    async stop() {
      over.abort();
      return (await Promise.all(writers)).reduce((sum, one) => sum + one, 0);
    },
  };
}

/** Kills a run right after a write of its: of the so-many-th document, or of the checkpoint that comes after it. Returns whether it fell. */
async function killedAfter(scenario: EmbedScenario, documents: number, within: 'documents' | 'checkpoints'): Promise<boolean> {
  const changes = scenario.mongo.db.watch();
  await changes.tryNext(); // It looks from here on.
  const run = scenario.start(['run', '--json', '--log-level', 'error']);
  const exit = run.waitForExit(Number.POSITIVE_INFINITY).finally(() => void changes.close());
  try {
    let left = documents;
    for await (const change of changes) {
      const { coll } = (change as { readonly ns: { readonly coll?: string } }).ns;
      if (coll === 'orders') left -= 1;
      if (left <= 0 && (within === 'documents' || coll === 'trueup.checkpoints')) break;
    }
  } finally {
    run.kill('SIGKILL');
  }
  return (await exit).signal === 'SIGKILL';
}

/** A comparison would mend what the feeds of children left out, so most seeds go without, and without what only it finds. */
const comparesIn = (seedOf: number): boolean => seedOf === 1;
const anyOf: Statement = (random) => (random() < 0.4 ? compared(random) : delivered(random));

describeWithPostgres('documents under writers and kills', () => {
  describeWithMongo('from Postgres into MongoDB', () => {
    it.each([
      [1, '{ by: xmin }'],
      [2, '{ by: cursor, field: updated_at }'],
      [3, '{ by: xmin }'],
    ])('are what one query over the source says after every kill, seed %i, changes %s', { timeout: 300_000 }, async (seedOf, changes) => {
      const compares = comparesIn(seedOf) ? ', deletes: { compare: { maxShare: 1 } }' : '';
      const scenario = await openEmbedScenario(jobOf(changes, `, backfill: { partitions: 3 }${compares}`), SMALL);
      await seed(scenario.source, ORDERS);
      const random = randomOf(seedOf);
      let [fell, committed] = [0, 0];
      // The first falls in the middle of the first load.
      for (let kill = 0; kill < KILLS; kill += 1) {
        const writers = startWriters(scenario.source.url, seedOf * 10 + kill, comparesIn(seedOf) ? anyOf : delivered);
        try {
          if (kill > 0) await sleep(500);
          if (await killedAfter(scenario, 1 + Math.floor(random() * 25), kill % 2 === 0 ? 'documents' : 'checkpoints')) fell += 1;
        } finally {
          committed += await writers.stop();
        }
        const next = await scenario.run();
        expect({ code: next.code, stderr: next.stderr }).toEqual({ code: 0, stderr: '' });
        expect(await scenario.differing()).toEqual([]);
      }
      expect({ fell: fell > 1, committed: committed > 50 }).toEqual({ fell: true, committed: true });
      const verified = await scenario.trueup('verify', 'orders', '--json');
      expect({ code: verified.code, out: verified.code === 0 ? '' : verified.stdout }).toEqual({ code: 0, out: '' });
    });
  });
});
