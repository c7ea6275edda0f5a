import type { Cell, Row } from '../model/cell.ts';
import { DIGEST_BUCKETS } from '../model/digests.ts';
import type { Records } from '../model/records.ts';
import type { Canonical } from './canonical.ts';
import { canonicalKey, storedCell } from './compared-fields.ts';
import type { CellSource, ComparedField } from './compared-fields.ts';
import { addToHash, createHash, finishHash, resetHash } from './hash.ts';
import type { HashedRecord } from './record-side.ts';

/** How the records of one side are hashed. */
export interface RowHashing {
  /** Fields of the key first, in key order. */
  readonly fields: readonly ComparedField[];
  readonly keyCount: number;
  /** Aligned to `fields`. */
  readonly sources: readonly CellSource[];
  /** Per field: the dialect whose undecoded text is hashed unread, because the other side has the very same text for the same value. */
  readonly unread: readonly (string | null)[];
}

/** Hashes one row after the other into the one object that it returns. */
export type HashRow = (row: Row) => HashedRecord;

/**
 * For the rows of one batch after the other. The bucket is decided by the key alone, the hash by all fields.
 *
 * @returns a function that throws a TrueupError of a record fault where the target would not take a value; the key may be good all the same
 */
export function rowHasher(hashing: RowHashing): (records: Records) => HashRow {
  const { fields, keyCount, sources } = hashing;
  const count = fields.length;
  const hash = createHash();
  const isRaw = new Uint8Array(count);
  const indices = Int32Array.from(sources.slice(0, count), ({ index }) => index);
  let records: Records | null = null;
  let row: Row = [];
  const key = (): readonly Cell[] => sources.slice(0, keyCount).map((source) => storedCell(records as Records, row, source));
  const hashed = { bucket: 0, low: 0, high: 0, key: () => canonicalKey(fields, key()), cells: key };
  const read = (position: number): Canonical =>
    (fields[position] as ComparedField).canonical(storedCell(records as Records, row, sources[position] as CellSource));
  const add = (from: number, to: number): void => {
    for (let position = from; position < to; position++) {
      const cell = isRaw[position] === 1 ? row[indices[position] as number] : undefined;
      addToHash(hash, typeof cell === 'string' ? cell : read(position));
    }
    finishHash(hash);
  };
  const hashRow: HashRow = (next) => {
    row = next;
    resetHash(hash);
    add(0, keyCount);
    hashed.bucket = hash.low % DIGEST_BUCKETS;
    add(keyCount, count);
    hashed.low = hash.low;
    hashed.high = hash.high;
    return hashed;
  };
  return (next) => {
    records = next;
    for (let position = 0; position < count; position++) isRaw[position] = isHashedUnread(hashing, next, position) ? 1 : 0;
    return hashRow;
  };
}

/** Without a decoder the text is the carrier, and the same text in whatever dialect the records call themselves. */
function isHashedUnread({ sources, unread }: RowHashing, records: Records, position: number): boolean {
  const dialect = unread[position] ?? null;
  return dialect !== null && (records.textDialect === dialect || records.decoder(sources[position]?.index ?? -1) === null);
}
