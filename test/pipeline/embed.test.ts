import { describe, expect, it } from 'vitest';
import type { Row } from '../../src/model/cell.ts';
import type { Shape } from '../../src/model/shape.ts';
import { embeddingSource } from '../../src/pipeline/embed/embedding-source.ts';
import { checkpointStore } from '../../src/pipeline/job-context.ts';
import { planJob } from '../../src/pipeline/plan/plan.ts';
import { openMemoryJob } from './memory-job.ts';
import type { MemoryJob, MemoryJobOptions } from './memory-job.ts';

const ORDERS: Shape = {
  fields: [
    { name: 'id', type: 'int32', nullable: false },
    { name: 'buyer', type: 'text', nullable: true },
    { name: 'at', type: 'int64', nullable: true },
  ],
  key: [0],
  open: false,
};
const LINES: Shape = {
  fields: [
    { name: 'order_id', type: 'int64', nullable: false },
    { name: 'no', type: 'int32', nullable: false },
    { name: 'sku', type: 'text', nullable: true },
    { name: 'at', type: 'int64', nullable: true },
  ],
  key: [0, 1],
  open: false,
};
const BUYERS: Shape = {
  fields: [
    { name: 'id', type: 'int32', nullable: false },
    { name: 'name', type: 'text', nullable: true },
    { name: 'at', type: 'int64', nullable: true },
  ],
  key: [0],
  open: false,
};
/** The conditions have a stream read the field that its changes are found by, which the memory connector needs. */
const MAPPING = `where: "at != -1"
fields: { id: id }
embed:
  lines: { from: lines, on: { order_id: id }, orderBy: [{ sku: desc }], where: 'at != -1', fields: { no: no, sku: { from: sku, lookup: { a: A, b: B, c: C } } } }
  buyer: { from: buyers, on: { name: buyer }, one: true, where: 'at != -1', fields: { id: id } }
`;

function open(changes: 'log' | 'cursor', options: MemoryJobOptions = {}, mapping = MAPPING): MemoryJob {
  const job = openMemoryJob({
    streams: [
      {
        from: 'orders',
        changes: changes === 'log' ? { by: 'log' } : { by: 'cursor', field: 'at' },
        mapping: { file: 'm.yaml', text: mapping },
        partitions: 2,
      },
    ],
    wrapSource: (source) => embeddingSource(source, (text) => text),
    ...options,
  });
  job.source.define('orders', ORDERS);
  job.source.define('lines', LINES);
  job.source.define('buyers', BUYERS);
  return job;
}

function put(job: MemoryJob, stream: string, ...rows: readonly Row[]): void {
  job.source.write((transaction) => rows.forEach((row) => transaction.upsert(stream, row)));
}

function remove(job: MemoryJob, stream: string, ...keys: readonly Row[]): void {
  job.source.write((transaction) => keys.forEach((key) => transaction.delete(stream, key)));
}

function documents(job: MemoryJob): Row[] {
  return [...job.target.rows('orders')].sort((a, b) => Number(a[0]) - Number(b[0]));
}

describe.each(['log', 'cursor'] as const)('embedded records by %s', (changes) => {
  it('stand in their order, NULL first where it descends, and equal ones by key', async () => {
    const job = open(changes);
    put(job, 'orders', [1, 'x', 1n], [2, null, 2n]);
    put(job, 'lines', [1n, 1, 'a', 1n], [1n, 2, 'b', 2n], [1n, 3, null, 3n], [1n, 4, 'a', 4n]);
    put(job, 'buyers', [7, 'x', 1n]);
    const report = await job.run();
    expect(report.error).toBeUndefined();
    expect(report.streams[0]).toMatchObject({ read: 2, upserted: 2, children: { lines: { upserted: 4 }, buyer: { upserted: 1 } } });
    expect(documents(job)).toEqual([
      [
        1,
        [
          [3, null],
          [2, 'B'],
          [1, 'A'],
          [4, 'A'],
        ],
        [7],
      ],
      [2, [], null],
    ]);
  });

  it('arrive with their parent when they were first, and with a parent that comes to be joined to them', async () => {
    const job = open(changes);
    put(job, 'orders', [1, 'x', 1n]);
    await job.run();
    put(job, 'lines', [5n, 1, 'a', 10n]);
    expect((await job.run()).streams[0]).toMatchObject({ read: 1, unchanged: 1 });
    expect(documents(job)).toEqual([[1, [], null]]);
    put(job, 'orders', [5, null, 11n]);
    put(job, 'buyers', [7, 'x', 12n], [8, 'y', 13n]);
    await job.run();
    expect(documents(job)).toEqual([
      [1, [], [7]],
      [5, [[1, 'A']], null],
    ]);
    put(job, 'orders', [1, 'y', 14n]);
    await job.run();
    expect(documents(job)[0]).toEqual([1, [], [8]]);
  });

  it('make a dead letter of their parent when they cannot be mapped, or are two where one is meant, and resolve it', async () => {
    const job = open(changes);
    put(job, 'orders', [1, 'x', 1n], [2, 'y', 2n]);
    put(job, 'lines', [1n, 1, 'a', 1n], [1n, 2, 'unknown', 2n]);
    put(job, 'buyers', [7, 'y', 1n], [8, 'y', 2n]);
    expect((await job.run()).streams[0]).toMatchObject({ read: 2, deadLettered: 2, upserted: 0 });
    const letters = await checkpointStore(job.context()).letters({ job: 'job' }, new AbortController().signal);
    expect(letters.map(({ key, message }) => [key, message])).toEqual([
      ['["1"]', expect.stringContaining("lines: field 'sku'")],
      ['["2"]', "buyer: 2 records of 'buyers' belong to it, and 'one: true' takes one"],
    ]);
    put(job, 'lines', [1n, 2, 'c', 3n]);
    put(job, 'buyers', [8, 'z', 3n]);
    await job.run();
    put(job, 'buyers', [7, 'y', 4n]);
    const mended = await job.run();
    expect(mended).toMatchObject({ openLetters: 0 });
    expect(documents(job)).toEqual([
      [
        1,
        [
          [2, 'C'],
          [1, 'A'],
        ],
        null,
      ],
      [2, [], [7]],
    ]);
  });

  it('stand once in their parents, though one of them cannot be mapped in the midst of the others', async () => {
    const mapping = `fields: { id: id, at: at }
embed: { lines: { from: lines, on: { order_id: id }, fields: { no: no, at: at, sku: { from: sku, lookup: { a: A, b: B } } } } }
`;
    const job = open('cursor', {}, mapping);
    put(job, 'orders', [1, null, 1n], [2, null, 2n]);
    put(job, 'lines', [1n, 1, 'a', 1n], [1n, 2, 'b', 2n], [2n, 1, 'a', 3n], [2n, 2, 'x', 4n]);
    expect((await job.run()).streams[0]).toMatchObject({ read: 2, upserted: 1, deadLettered: 1 });
    const lines = [
      [1, 1n, 'A'],
      [2, 2n, 'B'],
    ];
    expect(documents(job)).toEqual([[1, 1n, lines]]);
  });

  it('follow side by side with their parents', async () => {
    const job = open(changes);
    put(job, 'orders', [1, null, 1n]);
    const stop = new AbortController();
    const followed = job.run({ follow: true, stop: stop.signal });
    await expect.poll(() => documents(job)).toHaveLength(1);
    put(job, 'lines', [1n, 1, 'a', 5n]);
    await expect.poll(() => documents(job), { timeout: 10_000 }).toEqual([[1, [[1, 'A']], null]]);
    put(job, 'lines', [1n, 1, 'b', 6n]);
    put(job, 'orders', [2, null, 7n]);
    await expect
      .poll(() => documents(job), { timeout: 10_000 })
      .toEqual([
        [1, [[1, 'B']], null],
        [2, [], null],
      ]);
    stop.abort();
    expect((await followed).exitCode).toBe(143);
  });
});

describe('embedded records', () => {
  it('are gone at once where their key tells whose they were and the source delivers deletes', async () => {
    const job = open('log');
    put(job, 'orders', [1, null, 1n], [2, null, 1n]);
    put(job, 'lines', [1n, 1, 'a', 1n], [1n, 2, 'b', 2n], [2n, 1, 'c', 2n]);
    await job.run();
    remove(job, 'lines', [1n, 1]);
    remove(job, 'orders', [2]);
    expect((await job.run()).streams[0]).toMatchObject({ deleted: 1 });
    expect(documents(job)).toEqual([[1, [[2, 'B']], null]]);
  });

  it('are found gone by comparing whole documents', async () => {
    const compare = { schedule: null, scope: null, maxShare: 1 };
    const job = open('cursor', {
      streams: [
        {
          from: 'orders',
          changes: { by: 'cursor', field: 'at' },
          mapping: { file: 'm.yaml', text: MAPPING },
          deletes: { when: null, compare },
        },
      ],
    });
    put(job, 'orders', [1, null, 1n], [2, null, 1n]);
    put(job, 'lines', [1n, 1, 'a', 1n], [1n, 2, 'b', 2n]);
    await job.run();
    remove(job, 'lines', [1n, 1]);
    await job.run();
    expect(documents(job)).toEqual([
      [1, [[2, 'B']], null],
      [2, [], null],
    ]);
  });

  it('that are more than a record may be make a dead letter of their parent alone, whatever stands beside it', async () => {
    const job = open('cursor', { job: { maxRecordBytes: 2_000 } }, MAPPING.replace('{ from: sku, lookup: { a: A, b: B, c: C } }', 'sku'));
    put(job, 'orders', ...Array.from({ length: 50 }, (_, id): Row => [id, null, BigInt(id)]));
    put(job, 'lines', ...Array.from({ length: 50 }, (_, id): Row => [BigInt(id), 1, 'x'.repeat(100), BigInt(id)]));
    put(job, 'lines', ...Array.from({ length: 30 }, (_, no): Row => [25n, no, 'x'.repeat(100), BigInt(100 + no)]));
    expect((await job.run()).streams[0]).toMatchObject({ read: 50, upserted: 49, deadLettered: 1 });
  });

  it('are in the plan, with the guarantee that they leave', async () => {
    const job = open('cursor');
    const [stream] = (await planJob(job.context(), new AbortController().signal)).streams;
    expect(stream?.embeds.map(({ name }) => name)).toEqual(['lines', 'buyer']);
    expect(stream?.guarantee).toMatchObject({ deletes: 'never' });
    expect(stream?.guarantee.assumes.join()).toContain('no record of lines is deleted or moved to another record (embed lines)');
  });
});
