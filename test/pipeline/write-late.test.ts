import { expect, it } from 'vitest';
import type { Row } from '../../src/model/cell.ts';
import { ITEMS, openMemoryJob, withLane } from './memory-job.ts';

const MAPPING = {
  file: 'items.yaml',
  text: 'fields:\n  id: id\n  share: { expr: "100 / at" }\n  short: { from: at, type: int32, onLoss: truncate }\n',
};

it('a record that cannot be mapped is set aside, and every other one of its batch is written once', async () => {
  const written: number[] = [];
  const job = openMemoryJob({
    streams: [{ from: 'items', mapping: MAPPING, changes: { by: 'cursor', field: 'id' } } as never],
    job: { deadLetters: { stopAfter: 100, stopShare: 1 } },
    wrapTarget: (target) =>
      withLane(target, (lane) => ({
        ...lane,
        bulkUpsert: (batch, signal) => {
          written.push(batch.records.count);
          return lane.bulkUpsert(batch, signal);
        },
      })),
  });
  job.source.define('items', ITEMS);
  const rows = Array.from({ length: 300 }, (_, index): Row => [index, 'item', BigInt(index % 100 === 50 ? 0 : index + 1)]);
  job.source.write((transaction) => rows.forEach((row) => transaction.upsert('items', row)));
  const report = await job.run();
  expect(report.streams[0]).toMatchObject({ read: 300, upserted: 297, deadLettered: 3, retries: 0 });
  expect(report.exitCode).toBe(3);
  const store = job.context().target.checkpoints!;
  const letters = await store.letters({ job: 'job' }, new AbortController().signal);
  expect(letters.map(({ key, code }) => `${key} ${code}`).sort()).toEqual([
    '["150"] E_RECORD_EXPRESSION',
    '["250"] E_RECORD_EXPRESSION',
    '["50"] E_RECORD_EXPRESSION',
  ]);
  expect(job.target.rows('items')).toHaveLength(297);
  // Each batch with such a record was begun, given up and written as a whole.
  expect(written.length).toBeGreaterThan(3);
});
