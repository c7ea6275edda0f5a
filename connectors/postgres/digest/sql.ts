import { DIGEST_BUCKETS } from '../../../src/sdk.ts';
import type { DigestField } from './field.ts';
import { columnSql } from '../read/reading.ts';
import type { Reading } from '../read/reading.ts';

/** A stream and what of it is hashed: the first fields are its key. */
export interface Digest {
  readonly reading: Reading;
  readonly fields: readonly DigestField[];
}

/*
 * A record's hash is that of its values, each seeded with the hash of its key. Without the seed the sum over a bucket would be a sum over columns, and
 * two records that had exchanged a value would leave it as it was.
 */

function recordHash(fields: readonly DigestField[], seed: string): string {
  return `pg_catalog.hash_record_extended(row(${fields.map(({ sql }) => sql).join(', ')}), ${seed})`;
}

function keyHash({ reading, fields }: Digest): string {
  const key = fields.slice(0, reading.key.length);
  const [only] = key;
  return (key.length === 1 ? only?.spread : undefined) ?? recordHash(key, '0');
}

function bucket(digest: Digest): string {
  return `(${keyHash(digest)} & ${DIGEST_BUCKETS - 1})::int4`;
}

function hashed(digest: Digest): string {
  return recordHash(digest.fields, keyHash(digest));
}

/** Rows without a whole key are no records. */
function fromSql({ reading }: Digest, conditions: readonly string[]): string {
  const { relation, key, ref } = reading;
  const where = [
    ...conditions,
    ...key.filter((column) => !column.notNull).map((column) => `${columnSql(column)} is not null`),
    ...(typeof ref.where === 'string' ? [`(${ref.where}\n)`] : []),
  ];
  return `from ${relation.from} as t${where.length > 0 ? ` where ${where.join(' and ')}` : ''}`;
}

/**
 * Bucket, count and sum of the buckets below `below`. The arm without rows hides from the planner which columns the bucket is made of: it would expect a
 * group for every key, and sort the rows for it.
 */
export function bucketsSql(digest: Digest, below: number): string {
  const conditions = below < DIGEST_BUCKETS ? [`${bucket(digest)} < ${Math.trunc(below)}`] : [];
  return `select x.b, pg_catalog.count(*), pg_catalog.sum(x.h)
    from (select ${bucket(digest)} as b, ${hashed(digest)} as h ${fromSql(digest, conditions)} union all select 0, 0::int8 where false) x group by x.b`;
}

/** Bucket, hash and key of each record in the buckets whose bit is set in the setting `trueup.buckets`. */
export function rowsSql(digest: Digest): string {
  const wanted = `(select pg_catalog.decode(pg_catalog.current_setting('trueup.buckets'), 'hex'))`;
  const key = digest.reading.key.map(columnSql).join(', ');
  return `select ${bucket(digest)}, ${hashed(digest)}, ${key} ${fromSql(digest, [`pg_catalog.get_bit(${wanted}, ${bucket(digest)}) = 1`])}`;
}

/** The value of `trueup.buckets`. */
export function bucketBits(buckets: readonly number[]): string {
  const bits = Buffer.alloc(DIGEST_BUCKETS / 8);
  for (const index of buckets) bits[index >> 3] = (bits[index >> 3] as number) | (1 << (index & 7));
  return bits.toString('hex');
}

/**
 * A hash of one value of each kind: the same where the functions of two servers agree. `null` stands in it too. And the encoding of the database, in
 * which texts are hashed.
 */
export const HASHING = `
select pg_catalog.hash_record_extended(row('trueup'::text collate "C", 1.50, 7::int4, true, date '2026-11-24', uuid '2f1c3c6e-8d0e-4b8f-9d5a-0f6d8b1a7c3e', '\\x00ff'::bytea, null::text), 42)::text
         || pg_catalog.hashint8extended(-7, 42)::text || pg_catalog.hashtextextended('trueup' collate "C", 42)::text,
       pg_catalog.getdatabaseencoding()::text`;
