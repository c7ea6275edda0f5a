import { createHash } from 'node:crypto';
import type { Db, Document, MongoClient } from 'mongodb';
import type { ContentRow } from '../../src/testing/faults/pair.ts';

/** One text per value, the same for whatever both systems hold as one: numbers by their digits, instants in milliseconds, NULL as null. */
export function contentRow(key: unknown, values: readonly unknown[]): ContentRow {
  const text = JSON.stringify(values, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : (value ?? null)));
  return { key: String(key), content: createHash('md5').update(text).digest('hex') };
}

/** How often documents of these collections were written, as the log of the set tells; what lies in a transaction counts once it is committed. */
export async function countWrites(client: MongoClient, db: Db, collections: readonly string[]): Promise<number> {
  const names = collections.map((name) => `${db.databaseName}.${name}`);
  const written = (entry: string): Document => ({ $and: [{ $in: [`${entry}.ns`, names] }, { $in: [`${entry}.op`, ['i', 'u', 'd']] }] });
  const [sum] = await client
    .db('local')
    .collection('oplog.rs')
    .aggregate<{ readonly n: number | bigint }>([
      { $match: { $or: [{ ns: { $in: names }, op: { $in: ['i', 'u', 'd'] } }, { 'o.applyOps.ns': { $in: names } }] } },
      { $set: { inside: { $filter: { input: { $ifNull: ['$o.applyOps', []] }, as: 'one', cond: written('$$one') } } } },
      { $group: { _id: null, n: { $sum: { $add: [{ $size: '$inside' }, { $cond: [{ $in: ['$op', ['i', 'u', 'd']] }, 1, 0] }] } } } },
    ])
    .toArray();
  return Number(sum?.n ?? 0);
}
