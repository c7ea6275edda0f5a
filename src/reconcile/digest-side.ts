import type { RowDigests } from '../model/digests.ts';
import { addBucket } from './buckets.ts';
import { canonicalKey } from './compared-fields.ts';
import type { ComparedField } from './compared-fields.ts';
import type { Side } from './side.ts';

/**
 * A side whose records are hashed where they are. `key`: the fields of the key as the target has them; the cells of `digests` are theirs on both sides,
 * since only projections are compared so.
 */
export function digestSide(digests: RowDigests, key: readonly ComparedField[]): Side {
  return {
    async digest(sums, { below, signal, onRead }) {
      let count = 0;
      for await (const bucket of digests.buckets(below, signal)) {
        addBucket(sums, bucket);
        count += bucket.count;
        onRead?.(bucket.count);
      }
      return count;
    },
    async *list(wanted, { signal, onRead }) {
      const buckets = [...wanted.keys()].filter((bucket) => wanted[bucket] === 1);
      for await (const rows of digests.rows(buckets, signal)) {
        onRead?.(rows.length);
        yield rows.map(({ bucket, key: cells, hash }) => ({
          bucket,
          key: canonicalKey(key, cells),
          hash: BigInt.asUintN(64, hash),
          cells,
        }));
      }
    },
  };
}
