import { createHash } from 'node:crypto';
import { Long } from 'mongodb';
import type { Collection, Document } from 'mongodb';
import type pg from 'pg';
import type { Json } from '../../src/sdk.ts';
import type { ContentRow, OpenPair, Pair } from '../../src/testing/faults/pair.ts';
import { contentRow } from './mongo-content.ts';
import { openMongoSide } from './mongo-side.ts';
import type { MongoServer, MongoSide } from './mongo-side.ts';
import { countPostgresWrites, watchPostgresWrites } from './postgres-writes.ts';
import { openPostgresSide } from './postgres-side.ts';
import type { PostgresSide } from './postgres-side.ts';

export interface MongoPostgresOptions {
  readonly serverUrl: string;
  readonly mongo: MongoServer;
  readonly lacks: Pair['lacks'];
}

const LACKS: Pair['lacks'] = {
  transactions: 'a transaction of MongoDB may be open for a minute only, and its stamps are what the writer says',
  extremes: 'what rows hold exactly of every BSON type is tried by round trips',
};

const FIELDS = { customer: 'text', cents: 'int64', status: 'text', note: 'text', details: 'json', gone: 'bool', updatedAt: 'timestamptz' };
const MAPPING = `fields:
  id: _id
  customer: customer
  cents: cents
  status: status
  note: note
  details: details
  gone: gone
  updated_at: updatedAt
otherFields: drop
`;

/** Documents as rows of Postgres. */
export function mongoPostgresPair({ serverUrl, mongo, lacks }: MongoPostgresOptions): Pair {
  return {
    name: 'mongodb → postgres (cursor)',
    lacks: { ...lacks, ...LACKS },
    async open(needs) {
      const declared = {
        collections: { orders: { fields: FIELDS }, heap: { fields: { note: 'text', big: 'text', updatedAt: 'timestamptz' } } },
      };
      const source = await openMongoSide(mongo, 'source', needs, declared);
      try {
        const target = await openPostgresSide(serverUrl, 'target', needs);
        return openPair(source, target, needs.includes('bulk'));
      } catch (error) {
        await source.close();
        throw error;
      }
    },
  };
}

function openPair(source: MongoSide, target: PostgresSide, bulk: boolean): OpenPair {
  const orders = source.db.collection('orders');
  const heap = source.db.collection('heap');
  const changes = { by: 'cursor', field: 'updatedAt' };
  const streams: Json[] = [
    { from: 'orders', to: 'public.orders', changes, lookback: '10m', deletes: { when: 'gone' }, mapping: 'rows.yaml' },
  ];
  if (bulk) streams.push({ from: 'heap', to: 'public.heap', changes, lookback: '1s', mapping: 'heap.yaml' });
  return {
    source: source.side,
    target: target.side,
    job: { streams },
    files: {
      'rows.yaml': MAPPING,
      'heap.yaml': 'fields:\n  id: _id\n  note: note\n  big: big\n  updated_at: updatedAt\notherFields: drop\n',
    },
    async seed(records) {
      await target.with(watchPostgresWrites);
      await orders.createIndex({ updatedAt: 1, _id: 1 });
      await heap.createIndex({ updatedAt: 1, _id: 1 });
      // A minute apart: the lookback must not deliver again what was lost on its way.
      await insert(orders, records, (n) => new Date(Date.UTC(2026, 0, 1) + n * 60_000));
    },
    change: (step) => changeOrders(orders, step),
    expected: () => documentsOf(orders, heap),
    actual: () => target.with(rowsOf),
    writes: () => target.with(countPostgresWrites),
    ties: (records) => insert(orders, records, () => new Date()),
    bulk: () => insertHeap(heap),
    async close() {
      await source.close();
      await target.close();
    },
  };
}

async function insert(orders: Collection, count: number, stamp: (n: number) => Date): Promise<number> {
  const [last] = await orders.find().sort({ _id: -1 }).limit(1).toArray();
  const from = last === undefined ? 0 : Number(last['_id']);
  const updatedAt = stamp(0);
  const documents = Array.from({ length: count }, (_, index): Document => {
    const n = from + index + 1;
    return {
      _id: Long.fromNumber(n) as never,
      customer: `customer ${n % 100}`,
      cents: Long.fromNumber(n * 125),
      status: ['new', 'paid', 'draft', 'sent'][n % 4],
      note: n % 3 === 0 ? null : `note ${n}`,
      details: { n, tags: ['a', String(n)] },
      gone: false,
      updatedAt: updatedAt.getTime() < Date.now() - 60_000 ? stamp(n) : updatedAt,
    };
  });
  for (let at = 0; at < documents.length; at += 5000)
    await orders.insertMany(documents.slice(at, at + 5000), { writeConcern: { w: 'majority' } });
  return count;
}

/** The changes of a step, stamped by the server, and how many documents they touch. */
async function changeOrders(orders: Collection, step: number): Promise<number> {
  const write = { writeConcern: { w: 'majority' } } as const;
  let touched = await insert(orders, 25, () => new Date());
  const update = async (modulus: number, change: Document): Promise<void> => {
    const filter = { _id: { $mod: [modulus, step % modulus] } } as Document;
    touched += (await orders.updateMany(filter, [{ $set: { ...change, updatedAt: '$$NOW' } }], write)).modifiedCount;
  };
  await update(19, { note: { $literal: `step ${step}` } });
  await update(50, { status: { $literal: ['draft', 'new', 'paid'][step % 3] } });
  await update(110, { gone: { $not: ['$gone'] } });
  return touched;
}

const HEAP = 60_000;

/** Some 200 MB: 40 values of 5 MB between 60,000 narrow documents. */
async function insertHeap(heap: Collection): Promise<number> {
  for (let from = 0; from < HEAP; from += 500) {
    const updatedAt = new Date();
    await heap.insertMany(
      Array.from({ length: 500 }, (_, index): Document => {
        const n = from + index + 1;
        return { _id: n as never, note: `note ${n}`, big: n % 1500 === 0 ? `é${n % 10}`.repeat(1_700_000) : null, updatedAt };
      }),
    );
  }
  return HEAP;
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

async function documentsOf(orders: Collection, heap: Collection): Promise<ContentRow[]> {
  const rows: ContentRow[] = [];
  for await (const one of orders.find({ gone: false })) {
    const values = ['_id', 'customer', 'cents', 'status', 'note', 'details'].map((name) => one[name] as unknown);
    rows.push(contentRow(one['_id'], [...values, String((one['updatedAt'] as Date).getTime())]));
  }
  for await (const one of heap.find()) rows.push(contentRow(`heap ${String(one['_id'])}`, [md5(`${one['note']}|${one['big'] ?? ''}`)]));
  return rows;
}

async function rowsOf(client: pg.Client): Promise<ContentRow[]> {
  const there = async (table: string): Promise<boolean> =>
    (await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [table])).rows[0]?.there === true;
  const rows: ContentRow[] = [];
  if (await there('public.orders')) {
    const { rows: orders } = await client.query<Record<string, unknown>>(
      `select id, customer, cents, status, note, details, floor(extract(epoch from updated_at) * 1000)::text as ms from public.orders`,
    );
    rows.push(...orders.map((row) => contentRow(row['id'], Object.values(row))));
  }
  if (await there('public.heap')) {
    const { rows: heap } = await client.query<{ id: number; hash: string }>(
      `select id, md5(note || '|' || coalesce(big, '')) as hash from public.heap`,
    );
    rows.push(...heap.map(({ id, hash }) => contentRow(`heap ${id}`, [hash])));
  }
  return rows;
}
