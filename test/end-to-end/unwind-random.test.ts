import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createMongoDatabase, describeWithMongo } from '../servers/mongo.ts';
import type { TestMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { openScenario, ranOf } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { verifiedOf } from './verify-scenario.ts';

/** The document's own row holds its arrays as well: what the tables should hold beside it, in any snapshot of the target. */
const MAPPING = `fields: { id: _id, version: version, items: items, tags: tags }
unwind:
  public.items:
    path: items
    key: [order_id, line_no]
    fields: { order_id: _id, line_no: "@index", sku: { from: items.sku, type: text }, qty: { from: items.qty, type: int32 } }
    unwind:
      public.parts:
        path: items.parts
        key: [order_id, line_no, part_no]
        fields: { order_id: _id, line_no: "items.@index", part_no: "@index", name: { from: items.parts.name, type: text } }
  public.tags:
    path: tags
    key: [order_id, tag_no]
    fields: { order_id: _id, tag_no: "@index", tag: { from: tags, type: text } }
`;

interface Item {
  readonly sku: string;
  readonly qty: number;
  readonly parts?: readonly { readonly name: string }[] | null;
}

interface Order {
  readonly _id: number;
  readonly version: number;
  readonly items?: readonly Item[] | null;
  readonly tags?: readonly string[];
}

const DOCUMENTS = 400;
const WRITERS = 4;
const KILLS = 4;

/** mulberry32 */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Random = () => number;

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

function randomItem(random: Random): Item {
  const parts = [undefined, null, []][below(random, 6)];
  const many = Array.from({ length: below(random, 4) }, () => ({ name: `p${below(random, 1000)}` }));
  return {
    sku: `s${below(random, 1000)}`,
    qty: below(random, 100),
    ...(parts === undefined && random() < 0.2 ? {} : { parts: parts ?? many }),
  };
}

/** What becomes of the arrays of a document: they grow, shrink, change order, are emptied, null, or gone. */
function changedArrays(random: Random, before: Order | null): Pick<Order, 'items' | 'tags'> {
  const items = [...(before?.items ?? [])];
  const tags = Array.from({ length: below(random, 4) }, () => `t${below(random, 50)}`);
  switch (below(random, 8)) {
    case 0:
      return { tags };
    case 1:
      return { items: null };
    case 2:
      return { items: [], tags };
    case 3:
      return { items: items.reverse(), tags };
    case 4:
      return { items: items.slice(1) };
    case 5:
      return { items: items.map((item) => (random() < 0.5 ? randomItem(random) : item)), tags };
    default:
      return { items: [...items, randomItem(random), randomItem(random)].slice(-6), tags };
  }
}

/** By the server's clock, which alone stands for the order of changes. */
async function change({ db }: TestMongo, random: Random, { version, deletes }: { version: number; deletes: boolean }): Promise<void> {
  const orders = db.collection<Order>('orders');
  const _id = below(random, DOCUMENTS);
  if (deletes && random() < 0.05) {
    await orders.deleteOne({ _id });
    return;
  }
  const arrays = changedArrays(random, await orders.findOne({ _id }));
  await orders.updateOne(
    { _id },
    [{ $replaceWith: { $mergeObjects: [{ $literal: { _id, version, ...arrays } }, { changed: '$$NOW' }] } }],
    { upsert: true },
  );
}

/** What the tables should hold, from the collection alone. */
async function flattened({ db }: TestMongo): Promise<Record<string, string[]>> {
  const orders = await db.collection<Order>('orders').find().toArray();
  const rows: Record<'orders' | 'items' | 'parts' | 'tags', string[]> = { orders: [], items: [], parts: [], tags: [] };
  for (const { _id, version, items, tags } of orders) {
    rows.orders.push(`(${_id},${version})`);
    tags?.forEach((tag, at) => rows.tags.push(`(${_id},${at},${tag})`));
    items?.forEach(({ sku, qty, parts }, line) => {
      rows.items.push(`(${_id},${line},${sku},${qty})`);
      parts?.forEach(({ name }, at) => rows.parts.push(`(${_id},${line},${at},${name})`));
    });
  }
  return Object.fromEntries(Object.entries(rows).map(([name, all]) => [name, all.sort()]));
}

async function held({ target }: Scenario): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const name of ['orders', 'items', 'parts', 'tags']) {
    const text = name === 'orders' ? '(id, version)::text' : 't::text';
    const rows = await target.query<{ row: string }>(`select ${text} as row from public.${name} t`);
    found[name] = rows.map(({ row }) => row).sort();
  }
  return found;
}

const ARRAY = (value: string): string =>
  `jsonb_array_elements(case jsonb_typeof(${value}) when 'array' then ${value} else '[]' end) with ordinality`;
const TORN = `
  with item as (select o.id, n - 1 as line, e from public.orders o, ${ARRAY('o.items')} as i(e, n)),
    part as (select id, line, p.n - 1 as no, p.e from item, ${ARRAY("item.e->'parts'")} as p(e, n)),
    wanted as (
      select 'items' as name, jsonb_build_array(id, line, e->'sku', e->'qty') as row from item
      union all select 'parts', jsonb_build_array(id, line, no, e->'name') from part
      union all select 'tags', jsonb_build_array(o.id, n - 1, e) from public.orders o, ${ARRAY('o.tags')} as t(e, n)),
    held as (
      select 'items' as name, jsonb_build_array(order_id, line_no, sku, qty) as row from public.items
      union all select 'parts', jsonb_build_array(order_id, line_no, part_no, name) from public.parts
      union all select 'tags', jsonb_build_array(order_id, tag_no, tag) from public.tags)
  select 'missing in ' || name || ' ' || row as row from (select * from wanted except select * from held) as missing
  union all select 'too many in ' || name || ' ' || row from (select * from held except select * from wanted) as extra limit 5`;

/** Rows that do not go with the row of their document, at this moment. */
async function torn({ target }: Scenario): Promise<string[]> {
  return (await target.query<{ row: string }>(TORN)).map(({ row }) => row);
}

interface Moment {
  /** When a checkpoint was last saved. */
  readonly saved: string;
  /** Whether rows are written that are not committed yet. */
  readonly writing: boolean;
}

async function momentOf({ target }: Scenario): Promise<Moment> {
  const [moment] = await target.query<Moment>(`select (select max(saved_at)::text from trueup.checkpoints) as saved,
    exists (select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_xid is not null) as writing`);
  return moment as Moment;
}

/** Kills a run once checkpoints moved that many times; `within`: in the middle of the transaction after that. Returns whether it fell. */
async function killedAfter(scenario: Scenario, moves: number, within: boolean): Promise<boolean> {
  let { saved } = await momentOf(scenario);
  const run = scenario.start(['run', '--json', '--log-level', 'error']);
  const ended = new AbortController();
  const exit = run.waitForExit(Number.POSITIVE_INFINITY).finally(() => ended.abort());
  try {
    for (let left = moves; !ended.signal.aborted;) {
      const now = await momentOf(scenario);
      if (now.saved !== saved) left -= 1;
      saved = now.saved;
      if (left <= 0 && (now.writing || !within)) break;
      expect(await torn(scenario)).toEqual([]);
    }
  } finally {
    run.kill('SIGKILL');
  }
  return (await exit).signal === 'SIGKILL';
}

/** A comparison would mend what writing left behind, so most seeds go without, and without deletes that only it finds. */
const comparesIn = (seed: number): boolean => seed === 1;

const CONFIG = (mongo: TestMongo, seed: number): string => `connections:
  shop: { connector: mongodb, url: "${mongo.url}" }
  copy: { connector: postgres, url: "\${COPY_URL}" }
defaults: { batch: { rows: 20 } }
jobs:
  orders:
    source: shop
    target: copy
    streams:
      - { from: orders, to: public.orders, mapping: orders.yaml, changes: { by: cursor, field: changed }, lookback: 5s${comparesIn(seed) ? ', deletes: { compare: {} }' : ''} }
`;

describeWithPostgres('child tables under random changes and kills', () => {
  describeWithMongo('MongoDB to Postgres', () => {
    it.each([1, 2, 3])('equal the flattened collection after the last run (seed %i)', { timeout: 300_000 }, async (seed) => {
      const scenario = await openScenario();
      const mongo = await createMongoDatabase('random');
      const random = seeded(seed);
      await scenario.write('orders.yaml', MAPPING);
      await scenario.write('trueup.yaml', CONFIG(mongo, seed));
      for (let index = 0; index < DOCUMENTS; index += 1) await change(mongo, random, { version: index, deletes: false });
      if (seed % 2 === 1) {
        expect((await scenario.trueup('plan', '--apply')).code).toBe(0);
        await scenario.target.query(`alter table public.items add foreign key (order_id) references public.orders;
          alter table public.tags add foreign key (order_id) references public.orders;
          alter table public.parts add foreign key (order_id, line_no) references public.items`);
      }
      // A whole load comes first: what follows changes rows that are there.
      expect((await scenario.trueup('run')).code).toBe(0);
      expect(await held(scenario)).toEqual(await flattened(mongo));
      const writing = new AbortController();
      const writers = Array.from({ length: WRITERS }, async (_unused, writer) => {
        const own = seeded(seed * 100 + writer);
        for (let version = DOCUMENTS; !writing.signal.aborted; version += 1) {
          await change(mongo, own, { version, deletes: comparesIn(seed) });
          await sleep(below(own, 8));
        }
      });
      let fell = 0;
      try {
        for (let kill = 0; kill < KILLS; kill += 1) {
          if (await killedAfter(scenario, 1 + below(random, 4), kill % 2 === 1)) fell += 1;
          expect(await torn(scenario)).toEqual([]);
        }
      } finally {
        writing.abort();
        await Promise.all(writers);
      }
      const last = ranOf(await scenario.trueup('run', '--json'));
      expect({ code: last.code, stderr: last.stderr }).toEqual({ code: 0, stderr: '' });
      expect(await held(scenario)).toEqual(await flattened(mongo));
      expect(fell).toBeGreaterThan(1);
      if (!comparesIn(seed)) return;
      const verified = verifiedOf(await scenario.trueup('verify', 'orders', '--json'));
      expect(verified.report.streams.map(({ missing, extra, different }) => missing + extra + different)).toEqual([0, 0, 0, 0]);
    });
  });
});
