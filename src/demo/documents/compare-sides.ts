import { createHash } from 'node:crypto';
import type { Document, MongoClient } from 'mongodb';
import type { Client } from 'pg';
import type { SideComparison } from './documents-report.ts';

/*
 * Both sides by plain SQL and the driver. On purpose nothing is shared with trueup: what proves a sync must not be the sync.
 */

/** One text for each order, made by PostgreSQL. */
const AS_DOCUMENTS = `
select json_build_array(o.id::text, o.status, o.total::text, (extract(epoch from o.placed_at) * 1000)::bigint::text, c.name, c.country,
  (select coalesce(json_agg(json_build_array(i.line_no, i.sku, i.quantity, i.price::text) order by i.line_no), '[]')
   from order_items i where i.order_id = o.id))::jsonb as value
from orders o left join customers c on c.id = o.customer_id order by o.id`;

interface Digest {
  readonly count: number;
  readonly md5: string;
}

async function digestOf(texts: AsyncIterable<string> | Iterable<string>): Promise<Digest> {
  const hash = createHash('md5');
  let count = 0;
  for await (const text of texts) {
    hash.update(text).update('\n');
    count += 1;
  }
  return { count, md5: hash.digest('hex') };
}

async function* expectedDocuments(shop: Client): AsyncGenerator<string> {
  await shop.query('begin isolation level repeatable read');
  await shop.query(`declare wanted no scroll cursor for ${AS_DOCUMENTS}`);
  while (true) {
    const { rows } = await shop.query<{ value: unknown }>('fetch 5000 from wanted');
    for (const { value } of rows) yield JSON.stringify(value);
    if (rows.length === 0) break;
  }
  await shop.query('commit');
}

async function* actualDocuments(client: MongoClient): AsyncGenerator<string> {
  const found = client.db().collection('orders').find({}, { promoteLongs: true }).sort({ _id: 1 });
  for await (const order of found) yield documentText(order);
}

/** The same text, of a document. */
export function documentText({ _id, status, total, placedAt, customer, items }: Document): string {
  const { name, country } = (customer ?? {}) as { readonly name?: string; readonly country?: string };
  const lines = (items as Document[]).map(({ line, sku, quantity, price }) => [line, sku, quantity, String(price)] as unknown[]);
  return JSON.stringify([String(_id), status, String(total), String((placedAt as Date).getTime()), name ?? null, country ?? null, lines]);
}

export async function compareDocuments(shop: Client, client: MongoClient): Promise<SideComparison> {
  return comparison('documents', await digestOf(expectedDocuments(shop)), await digestOf(actualDocuments(client)));
}

const TABLES = {
  orders: {
    from: `select row(o.id, o.status, o.total, o.placed_at, c.name)::text as value, o.id as k, 0 as l from orders o left join customers c on c.id = o.customer_id`,
    to: `select row(id, status, total, placed_at, customer_name)::text as value, id as k, 0 as l from orders`,
  },
  order_items: {
    from: `select row(order_id, line_no, sku, quantity, price)::text as value, order_id as k, line_no as l from order_items`,
    to: `select row(order_id, line_no, sku, quantity, price)::text as value, order_id as k, line_no as l from order_items`,
  },
} as const;

export async function compareTables(shop: Client, copy: Client): Promise<SideComparison[]> {
  const found: SideComparison[] = [];
  for (const [what, { from, to }] of Object.entries(TABLES))
    found.push(comparison(what, await tableDigest(shop, from), await tableDigest(copy, to)));
  return found;
}

async function tableDigest(client: Client, select: string): Promise<Digest> {
  await client.query("set timezone = 'UTC'; set datestyle = 'ISO'");
  const { rows } = await client.query<{ count: string; md5: string }>(
    `select count(*)::text as count, md5(coalesce(string_agg(md5(value), '' order by k, l), '')) as md5 from (${select}) as t`,
  );
  return { count: Number(rows[0]?.count), md5: rows[0]?.md5 ?? '' };
}

function comparison(what: string, from: Digest, to: Digest): SideComparison {
  return { what, count: [from.count, to.count], md5: [from.md5, to.md5], equal: from.count === to.count && from.md5 === to.md5 };
}
