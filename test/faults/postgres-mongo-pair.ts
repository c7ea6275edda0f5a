import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Json } from '../../src/sdk.ts';
import type { ContentRow, OpenPair, Pair } from '../../src/testing/faults/pair.ts';
import { contentRow, countWrites } from './mongo-content.ts';
import { openMongoSide } from './mongo-side.ts';
import type { MongoServer, MongoSide } from './mongo-side.ts';
import { POSTGRES_KINDS } from './postgres-kinds.ts';
import type { PostgresKind } from './postgres-kinds.ts';
import { openPostgresSide } from './postgres-side.ts';
import type { PostgresSide } from './postgres-side.ts';
import { createHeap, insertHeap } from './postgres-tables.ts';
import { CREATE_ORDERS, TRANSACTION_KINDS, beginTransaction, changeOrders, insertOrders } from './postgres-workload.ts';

export interface PostgresMongoOptions {
  readonly serverUrl: string;
  readonly mongo: MongoServer;
  readonly checkpoints: 'beside' | 'atomic';
  readonly lacks: Pair['lacks'];
}

const KIND = POSTGRES_KINDS[0] as PostgresKind;
const LACKS: Pair['lacks'] = {
  extremes: 'what documents hold exactly of every type is tried by round trips',
  'disk-target': 'a mongod on a full disk ends itself, which restart-target tries',
};
const EXACT_TO_MS = 'fields:\n  updated_at: { from: updated_at, onLoss: truncate }\notherFields: keep\n';

/** Rows of Postgres as documents. */
export function postgresMongoPair({ serverUrl, mongo, checkpoints, lacks }: PostgresMongoOptions): Pair {
  return {
    name: `postgres → mongodb (${checkpoints})`,
    lacks: { ...lacks, ...LACKS },
    async open(needs) {
      const source = await openPostgresSide(serverUrl, 'source', needs);
      try {
        const target = await openMongoSide(mongo, 'target', needs);
        return openPair({ source, target, checkpoints, bulk: needs.includes('bulk') });
      } catch (error) {
        await source.close();
        throw error;
      }
    },
  };
}

interface Parts {
  readonly source: PostgresSide;
  readonly target: MongoSide;
  readonly checkpoints: 'beside' | 'atomic';
  readonly bulk: boolean;
}

function openPair({ source, target, checkpoints, bulk }: Parts): OpenPair {
  const stream = (from: string): Record<string, Json> => ({ from, changes: KIND.changes, mapping: 'exact-to-ms.yaml' });
  const streams: Json[] = [{ ...stream('public.orders'), deletes: { when: 'gone' } }, ...(bulk ? [stream('public.heap')] : [])];
  return {
    source: source.side,
    target: target.side,
    job: { checkpoints, streams },
    files: { 'exact-to-ms.yaml': EXACT_TO_MS },
    seed: (records) =>
      source.with(async (client) => {
        await client.query(`${CREATE_ORDERS}; create index on public.orders (updated_at, id);
          ${insertOrders(records, `timestamptz '2026-01-01 00:00:00.123456Z' + n * interval '1 millisecond'`)}; analyze public.orders`);
        if (bulk) await createHeap(client);
      }),
    change: (step) => source.with((client) => changeOrders(client, KIND, step)),
    expected: () => source.with((client) => rowsOf(client, bulk)),
    actual: () => documentsOf(target),
    ...(checkpoints === 'atomic' ? { writes: () => countWrites(target.client, target.db, ['orders', 'heap']) } : {}),
    transactions: { kinds: TRANSACTION_KINDS, begin: async (name) => beginTransaction(await source.connect(), KIND, name) },
    ties: (records) => source.with(async (client) => (await client.query(insertOrders(records, 'now()'))).rowCount ?? 0),
    bulk: () => source.with((client) => insertHeap(client)),
    async close() {
      await source.close();
      await target.close();
    },
  };
}

async function rowsOf(client: pg.Client, bulk: boolean): Promise<ContentRow[]> {
  const orders = await client.query<Record<string, unknown>>(
    `select id, customer, cents, status, note, tags, details, gone, floor(extract(epoch from updated_at) * 1000)::text as ms from public.orders where not gone`,
  );
  const rows = orders.rows.map((row) => contentRow(row['id'], Object.values(row)));
  if (!bulk) return rows;
  const heap = await client.query<{ id: number; hash: string }>(`select id, md5(concat_ws('|', note, big)) as hash from public.heap`);
  return [...rows, ...heap.rows.map(({ id, hash }) => contentRow(`heap ${id}`, [hash]))];
}

async function documentsOf({ db }: MongoSide): Promise<ContentRow[]> {
  const rows: ContentRow[] = [];
  for await (const one of db.collection('orders').find()) {
    const [at, id] = [one['updated_at'] as Date, one['_id'] as unknown];
    const values = ['id', 'customer', 'cents', 'status', 'note', 'tags', 'details', 'gone'].map((name) => one[name] as unknown);
    rows.push(contentRow(id, [...values, String(at.getTime())]));
  }
  for await (const one of db.collection('heap').find()) {
    const text = [one['note'], one['big']].filter((value) => value !== null && value !== undefined).join('|');
    rows.push(contentRow(`heap ${String(one['_id'])}`, [createHash('md5').update(text).digest('hex')]));
  }
  return rows;
}
