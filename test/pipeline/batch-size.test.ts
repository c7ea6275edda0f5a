import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { followingBatchSize } from '../../src/pipeline/read/batch-size.ts';
import { ITEMS, openMemoryJob, withLane } from './memory-job.ts';

const MOST = { rows: 10_000, bytes: 8_000_000 };

describe('the size of batches', () => {
  it('is as large as it may be while the target is quick', () => {
    const size = followingBatchSize(MOST);
    expect(size.wrote(MOST, 100)).toBe(false);
    expect({ rows: size.rows, bytes: size.bytes }).toEqual(MOST);
  });

  it('becomes what a slow target makes durable in two seconds, at once', () => {
    const size = followingBatchSize(MOST);
    expect(size.wrote({ rows: 10_000, bytes: 1_000_000 }, 20_000)).toBe(true);
    expect({ rows: size.rows, bytes: size.bytes }).toEqual({ rows: 1_000, bytes: 100_000 });
  });

  it('grows again when the target is quick again, at most to the double each time', () => {
    const size = followingBatchSize(MOST);
    size.wrote(MOST, 16_000);
    const seen = Array.from({ length: 5 }, () => {
      size.wrote({ rows: size.rows, bytes: size.bytes }, 10);
      return size.rows;
    });
    expect(seen).toEqual([2_500, 5_000, 10_000, 10_000, 10_000]);
  });

  it('does not become larger by a small batch that took long, nor smaller by one that was quick', () => {
    const size = followingBatchSize(MOST);
    size.wrote({ rows: 10, bytes: 10_000 }, 1);
    expect(size.rows).toBe(10_000);
    size.wrote({ rows: 5_000, bytes: 4_000_000 }, 4_000);
    expect(size.rows).toBe(2_500);
    size.wrote({ rows: 2, bytes: 2_000 }, 1_900);
    expect(size.rows).toBe(2_500);
  });

  it('stays within its limits, whatever is told', () => {
    const told = fc.record({ rows: fc.nat(1e6), bytes: fc.nat(1e9), ms: fc.oneof(fc.constant(0), fc.nat(1e6)) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 65_536, max: 1e9 }), fc.array(told), (rows, bytes, all) => {
        const size = followingBatchSize({ rows, bytes });
        for (const { ms, ...held } of all) {
          size.wrote(held, ms);
          expect(size.rows).toBeLessThanOrEqual(rows);
          expect(size.rows).toBeGreaterThanOrEqual(Math.min(100, rows));
          expect(size.bytes).toBeLessThanOrEqual(bytes);
          expect(size.bytes).toBeGreaterThanOrEqual(65_536);
        }
      }),
    );
  });
});

describe('a run', () => {
  /** Numbers of records in the batches that arrive in a target that takes so long for each record. */
  async function batchesOf(msPerRecord: number): Promise<number[]> {
    const sizes: number[] = [];
    let nowMs = Date.now();
    const job = openMemoryJob({
      job: { batch: { rows: 4_000, bytes: 50_000_000 } },
      now: () => nowMs,
      wrapTarget: (target) =>
        withLane(target, (lane) => ({
          ...lane,
          bulkUpsert: (batch, signal) => {
            const { count } = batch.records;
            sizes.push(count);
            nowMs += count * msPerRecord;
            return lane.bulkUpsert(batch, signal);
          },
        })),
    });
    job.source.define('items', ITEMS);
    job.source.write((transaction) => {
      for (let id = 1; id <= 20_000; id++) transaction.upsert('items', [id, 'text', BigInt(id)]);
    });
    const [stream] = (await job.run()).streams;
    expect(stream).toMatchObject({ read: 20_000, upserted: 20_000 });
    return sizes;
  }

  it('writes whole batches to a quick target', async () => {
    expect(await batchesOf(0)).toEqual([4_000, 4_000, 4_000, 4_000, 4_000]);
  });

  it('writes to a slow target what it makes durable in two seconds', async () => {
    const sizes = await batchesOf(2);
    // Read ahead while the first was written.
    expect(sizes.slice(0, 2)).toEqual([4_000, 4_000]);
    expect(sizes.slice(2, -1).every((rows) => rows === 1_000)).toBe(true);
    expect(sizes.length).toBeGreaterThan(10);
  });
});
