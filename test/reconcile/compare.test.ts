import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Row } from '../../src/model/cell.ts';
import { DIGEST_BUCKETS } from '../../src/model/digests.ts';
import type { RowDigests } from '../../src/model/digests.ts';
import type { Shape } from '../../src/model/shape.ts';
import { addBucket, addRecord, createSums, differingBuckets } from '../../src/reconcile/buckets.ts';
import { digestSides, listDifferences } from '../../src/reconcile/compare.ts';
import { comparedField } from '../../src/reconcile/compared-fields.ts';
import { digestSide } from '../../src/reconcile/digest-side.ts';
import { readTarget } from '../../src/reconcile/read-target.ts';
import { recordSide } from '../../src/reconcile/record-side.ts';
import type { Side } from '../../src/reconcile/side.ts';
import { batches, compareAll, never } from './sides.ts';

const SHAPE: Shape = {
  fields: [
    { name: 'name', type: 'text', nullable: true },
    { name: 'id', type: 'int32', nullable: false },
  ],
  key: [1],
  open: false,
};
const FIELDS = [comparedField('id', 'int32'), comparedField('name', 'text')];

function side(rows: readonly Row[], keysOnly = false): Side {
  return recordSide({
    batches: () => batches(SHAPE, rows),
    each: readTarget({ expected: { fields: FIELDS, keyCount: 1 }, keysOnly }),
  });
}

/** What is compared, the slow and obvious way. */
function naive(source: ReadonlyMap<number, string>, target: ReadonlyMap<number, string>, keysOnly = false): string[] {
  const found = [...new Set([...source.keys(), ...target.keys()])].flatMap((id) => {
    if (!target.has(id)) return [`missing ["${id}"]`];
    if (!source.has(id)) return [`extra ["${id}"]`];
    return keysOnly || source.get(id) === target.get(id) ? [] : [`different ["${id}"]`];
  });
  return found.toSorted();
}

const content = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.constantFrom('', 'a', 'b', 'a ')), {
  selector: ([id]) => id,
  maxLength: 40,
});
const rowsOf = (map: ReadonlyMap<number, string>): Row[] => [...map].map(([id, name]) => [name, id]);

describe('the comparison of two sides', () => {
  it('finds exactly what is missing, extra or different, in any order and in chunks of any size', async () => {
    await fc.assert(
      fc.asyncProperty(content, content, fc.integer({ min: 1, max: 10 }), fc.boolean(), async (a, b, atOnce, keysOnly) => {
        const [source, target] = [new Map(a), new Map(b)];
        const found = await compareAll(side(rowsOf(source), keysOnly), side(rowsOf(target), keysOnly), atOnce);
        expect(found.map(({ kind, key }) => `${kind} ${key}`).toSorted()).toEqual(naive(source, target, keysOnly));
      }),
      { numRuns: 300 },
    );
  });

  it('gives the keys by which either side finds its record', async () => {
    const found = await compareAll(side([['a', 1], ['b', 2]]), side([['x', 2], ['c', 3]])); // prettier-ignore
    expect(found).toEqual([
      { kind: 'missing', key: '["1"]', source: [1], target: null },
      { kind: 'different', key: '["2"]', source: [2], target: [2] },
      { kind: 'extra', key: '["3"]', source: null, target: [3] },
    ]);
  });

  it('tells of every source record whose key in the target another one has taken', async () => {
    const found = await compareAll(side([['a', 1], ['b', 1], ['c', 1]]), side([['b', 1]])); // prettier-ignore
    expect(found.map(({ kind }) => kind)).toEqual(['different', 'different']);
  });

  it('compares the same share of both sides', async () => {
    const rows = Array.from({ length: 2000 }, (_, id): Row => ['a', id]);
    const sides = { source: side(rows), target: side(rows.toReversed()), signal: never };
    const { records, buckets } = await digestSides(sides, DIGEST_BUCKETS / 4);
    expect(buckets).toEqual([]);
    expect(records.source).toBe(records.target);
    expect(records.source).toBeGreaterThan(350);
    expect(records.source).toBeLessThan(650);
  });

  it('reads nothing twice where nothing differs, and tells what it reads', async () => {
    const rows = Array.from({ length: 10 }, (_, id): Row => ['a', id]);
    const read = { source: 0, target: 0 };
    const sides = {
      source: side(rows),
      target: side(rows),
      signal: never,
      onRead: (of: 'source' | 'target', n: number) => void (read[of] += n),
    };
    const digests = await digestSides(sides);
    expect((await Array.fromAsync(listDifferences(digests, sides))).length).toBe(0);
    expect(read).toEqual({ source: 10, target: 10 });
  });

  it('ends both sides before it tells the fault of one', async () => {
    let ended = false;
    const fails: Side = { ...side([]), digest: async () => Promise.reject(new Error('cut off')) };
    const waits: Side = {
      ...side([]),
      digest: (_sums, { signal }) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => {
            ended = true;
            reject(signal.reason as Error);
          }),
        ),
    };
    await expect(digestSides({ source: waits, target: fails, signal: never })).rejects.toThrow('cut off');
    expect(ended).toBe(true);
  });
});

describe('sums of buckets', () => {
  const half = fc.integer({ min: 0, max: 0xffffffff });
  const records = fc.array(fc.record({ bucket: fc.integer({ min: 0, max: 3 }), low: half, high: half }), { maxLength: 20 });

  it('are the same whether records are added one by one or as sums modulo 2^64', () => {
    fc.assert(
      fc.property(records, (all) => {
        const [single, whole] = [createSums(), createSums()];
        const totals = new Map<number, { count: number; sum: bigint }>();
        for (const { bucket, low, high } of all) {
          addRecord(single, bucket, { low, high });
          const { count, sum } = totals.get(bucket) ?? { count: 0, sum: 0n };
          totals.set(bucket, { count: count + 1, sum: sum + ((BigInt(high) << 32n) | BigInt(low)) });
        }
        // A database may as well give the sum as a signed number.
        for (const [bucket, { count, sum }] of totals) addBucket(whole, { bucket, count, sum: BigInt.asIntN(64, sum) });
        expect(differingBuckets(single, whole)).toEqual([]);
      }),
    );
  });
});

describe('a side that is hashed where it is', () => {
  const digests = (rows: readonly { bucket: number; key: readonly number[]; hash: bigint }[]): RowDigests => ({
    notation: ['test:int', 'test:text'],
    async *buckets(below) {
      for (const { bucket, hash } of rows) if (bucket < below) yield { bucket, count: 1, sum: hash };
    },
    async *rows(buckets) {
      yield rows.filter(({ bucket }) => buckets.includes(bucket));
    },
  });

  it('is compared by the hashes that it gives', async () => {
    const key = FIELDS.slice(0, 1);
    const source = digestSide(digests([{ bucket: 7, key: [1], hash: 5n }, { bucket: 9, key: [2], hash: -1n }, { bucket: 9, key: [3], hash: 3n }]), key); // prettier-ignore
    const target = digestSide(digests([{ bucket: 7, key: [1], hash: 5n }, { bucket: 9, key: [2], hash: 1n }]), key); // prettier-ignore
    expect((await compareAll(source, target)).map(({ kind, key: of }) => `${kind} ${of}`)).toEqual(['different ["2"]', 'missing ["3"]']);
  });
});
