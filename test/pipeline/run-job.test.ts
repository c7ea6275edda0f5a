import { describe, expect, it } from 'vitest';
import type { Row } from '../../src/model/cell.ts';
import { OP } from '../../src/model/change.ts';
import type { CheckpointStore } from '../../src/model/checkpoint.ts';
import type { Target } from '../../src/model/contracts.ts';
import { TrueupError } from '../../src/errors.ts';
import type { MemoryDatabase } from '../../connectors/memory/index.ts';
import { ShapeChanged } from '../../src/pipeline/feed-run.ts';
import type { Group, JobRun } from '../../src/pipeline/job-run.ts';
import { withFeed } from '../../src/pipeline/run-feed.ts';
import { runJob } from '../../src/pipeline/run-job.ts';
import { ITEMS, openMemoryJob, withLane } from './memory-job.ts';

function put(database: MemoryDatabase, rows: readonly Row[], collection = 'items'): void {
  database.write((transaction) => rows.forEach((row) => transaction.upsert(collection, row)));
}

const items = (from: number, to: number, name = 'item'): Row[] =>
  Array.from({ length: to - from }, (_, index) => [from + index, `${name} ${from + index}`, BigInt(from + index)]);

const sorted = (rows: readonly Row[]): Row[] => [...rows].sort((a, b) => Number(a[0]) - Number(b[0]));

function expectSame(job: { readonly source: MemoryDatabase; readonly target: MemoryDatabase }, collection = 'items'): void {
  expect(sorted(job.target.rows(collection))).toEqual(sorted(job.source.rows(collection)));
}

describe('a run', () => {
  it('loads in parts, then follows, and adds up', async () => {
    const job = openMemoryJob();
    job.source.define('items', ITEMS);
    put(job.source, items(0, 1_000));
    const first = await job.run();
    expect(first).toMatchObject({ status: 'succeeded', exitCode: 0, checkpoints: 'atomic' });
    expect(first.streams[0]).toMatchObject({ status: 'succeeded', upserted: 1_000, caughtUp: true });
    expectSame(job);
    put(job.source, [
      [5, 'changed', 5_000n],
      [2_000, 'new', 5_001n],
    ]);
    expect((await job.run()).streams[0]).toMatchObject({ phase: 'changes', upserted: 2 });
    expectSame(job);
    expect((await job.run()).streams[0]).toMatchObject({ upserted: 0 });
  });

  it('reads again from the last checkpoint when the environment fails, and loses nothing', async () => {
    let writes = 0;
    const job = openMemoryJob({
      wrapTarget: (target) =>
        withLane(target, (lane) => ({
          ...lane,
          commit: async (what, signal) => {
            writes += 1;
            if (writes % 3 === 0) throw new TrueupError('E_CONNECTION_LOST', 'cut');
            return lane.commit(what, signal);
          },
        })),
    });
    job.source.define('items', ITEMS);
    put(job.source, items(0, 2_000));
    const report = await job.run();
    expect(report).toMatchObject({ exitCode: 0 });
    expect(report.streams[0]?.retries).toBeGreaterThan(0);
    expectSame(job);
  });

  it('gives up after its attempts without progress, and resumes in the next run', async () => {
    let broken = true;
    const job = openMemoryJob({
      wrapTarget: (target) =>
        withLane(target, (lane) => ({
          ...lane,
          bulkUpsert: (batch, signal) => (broken ? Promise.reject(new TrueupError('E_BUSY', 'deadlock')) : lane.bulkUpsert(batch, signal)),
        })),
    });
    job.source.define('items', ITEMS);
    put(job.source, items(0, 300));
    const failed = await job.run();
    expect(failed).toMatchObject({ exitCode: 1, status: 'failed' });
    expect(failed.streams[0]).toMatchObject({ status: 'failed', read: 0, error: { code: 'E_BUSY' } });
    broken = false;
    expect((await job.run()).exitCode).toBe(0);
    expectSame(job);
  });

  it('sets the bad records aside and carries all others; a letter goes when its key arrives', async () => {
    const bad = new Set([17, 450, 451]);
    let mended = false;
    const job = openMemoryJob({
      wrapTarget: (target) =>
        withLane(target, (lane) => ({
          ...lane,
          bulkUpsert: (batch, signal) =>
            !mended && batch.records.rows().some((row) => bad.has(Number(row[0])))
              ? Promise.reject(new TrueupError('E_RECORD_VALUE', 'does not fit'))
              : lane.bulkUpsert(batch, signal),
        })),
    });
    job.source.define('items', ITEMS);
    put(job.source, items(0, 1_000));
    const report = await job.run();
    expect(report).toMatchObject({ exitCode: 3, status: 'incomplete' });
    expect(report.streams[0]).toMatchObject({ upserted: 997, deadLettered: 3 });
    const never = new AbortController().signal;
    const letters = [...job.target.control.letters.values()];
    expect(letters.map((letter) => letter.key).sort()).toEqual(['["17"]', '["450"]', '["451"]']);
    expect(letters[0]).toMatchObject({ kind: 'record', code: 'E_RECORD_VALUE', attempts: 1 });
    expect(never.aborted).toBe(false);
    mended = true;
    put(job.source, [
      [17, 'mended', 9_000n],
      [450, 'mended', 9_001n],
      [451, 'mended', 9_002n],
    ]);
    const second = await job.run();
    expect(second.exitCode).toBe(0);
    expect(second.streams[0]).toMatchObject({ lettersResolved: 3 });
    expect(job.target.control.letters.size).toBe(0);
    expectSame(job);
  });

  it('stops above the number of letters that the job allows, with nothing of the batch written', async () => {
    const job = openMemoryJob({
      job: { deadLetters: { stopAfter: 5, stopShare: 1 } },
      wrapTarget: (target) =>
        withLane(target, (lane) => ({ ...lane, bulkUpsert: () => Promise.reject(new TrueupError('E_RECORD_VALUE', 'does not fit')) })),
    });
    job.source.define('items', ITEMS);
    put(job.source, items(0, 50));
    const report = await job.run();
    expect(report).toMatchObject({ exitCode: 5, error: { code: 'E_LETTERS' } });
    expect(job.target.control.letters.size).toBe(0);
  });

  it('finds the records that a commit refuses', async () => {
    const written: number[] = [];
    const job = openMemoryJob({
      wrapTarget: (target) =>
        withLane(target, (lane) => ({
          ...lane,
          bulkUpsert: (batch, signal) => {
            written.push(...batch.records.rows().map((row) => Number(row[0])));
            return lane.bulkUpsert(batch, signal);
          },
          commit: async (what, signal) => {
            const ids = written.splice(0);
            if (ids.includes(123)) throw new TrueupError('E_RECORD_VALUE', 'deferred constraint');
            return lane.commit(what, signal);
          },
          discard: async () => {
            written.splice(0);
            await lane.discard();
          },
        })),
    });
    job.source.define('items', ITEMS);
    put(job.source, items(0, 300));
    const report = await job.run();
    expect(report.streams[0]).toMatchObject({ upserted: 299, deadLettered: 1, read: 300 });
    expect([...job.target.control.letters.keys()]).toHaveLength(1);
    expect(job.target.rows('items')).toHaveLength(299);
  });

  it('tries records again after their parents', async () => {
    const job = openMemoryJob({
      streams: [{ from: 'children', after: [] }, { from: 'items' }],
      wrapTarget: (target) =>
        withLane(target, (lane) => ({
          ...lane,
          bulkUpsert: (batch, signal) => {
            const orphan =
              batch.stream === 'children' &&
              batch.records.rows().findIndex((row) => !job.target.rows('items').some((item) => item[0] === row[0]));
            return orphan !== false && orphan >= 0
              ? Promise.reject(new TrueupError('E_RECORD_ORDER', 'no parent', { recordIndex: orphan }))
              : lane.bulkUpsert(batch, signal);
          },
        })),
    });
    job.source.define('items', ITEMS);
    job.source.define('children', ITEMS);
    put(job.source, items(0, 20));
    put(job.source, items(0, 20), 'children');
    const report = await job.run();
    const children = report.streams.find((stream) => stream.stream === 'children');
    expect(report.exitCode).toBe(0);
    expect(children?.upserted).toBe(20);
    expect(job.target.control.letters.size).toBe(0);
    expectSame(job, 'children');
  });

  it('is stopped, not failed, when it is asked to stop as the fields of a stream change', async () => {
    const job = openMemoryJob();
    job.source.define('items', ITEMS);
    await job.run();
    const stop = new AbortController();
    const reason = new TrueupError('E_STOPPED', 'enough');
    const thrown: unknown[] = [];
    const work = async (run: JobRun, groups: readonly Group[]): Promise<void> => {
      for (const { feed, streams } of groups)
        await withFeed(run, { feed, streams, following: false, signals: run.signals }, async () => {
          stop.abort(reason);
          throw new ShapeChanged('items');
        }).catch((error: unknown) => thrown.push(error));
    };
    const signals = { stop: stop.signal, abort: new AbortController().signal };
    await runJob(job.context(), {
      run: 'r',
      signals,
      streams: [],
      follow: false,
      resume: { full: false, onChange: 'stop', backfill: null },
      work,
    });
    expect(thrown).toEqual([reason]);
  });

  it('follows until it is asked to stop, and ends at a checkpoint', async () => {
    const job = openMemoryJob();
    job.source.define('items', ITEMS);
    put(job.source, items(0, 10));
    const stop = new AbortController();
    const running = job.run({ follow: true, stop: stop.signal });
    await expect.poll(() => (job.target.collections.has('items') ? job.target.rows('items').length : 0)).toBe(10);
    put(job.source, items(10, 30));
    await expect.poll(() => job.target.rows('items').length).toBe(30);
    stop.abort(new TrueupError('E_STOPPED', 'enough'));
    const report = await running;
    expect(report).toMatchObject({ status: 'stopped', exitCode: 143 });
    expect(report.streams[0]).toMatchObject({ status: 'stopped', upserted: 30 });
    put(job.source, items(30, 40));
    expect((await job.run()).streams[0]).toMatchObject({ upserted: 10 });
  });

  it('carries deletes, patches and truncates of a log', async () => {
    const job = openMemoryJob({ streams: [{ from: 'items', changes: { by: 'log' } }] });
    job.source.define('items', ITEMS);
    put(job.source, items(0, 50));
    await job.run();
    job.source.write((transaction) => {
      transaction.delete('items', [3]);
      transaction.patch('items', [4, 'patched', undefined]);
    });
    const second = await job.run();
    expect(second.streams[0]).toMatchObject({ deleted: 1 });
    expectSame(job);
    job.source.write((transaction) => transaction.truncate('items'));
    put(job.source, items(100, 103));
    expect((await job.run()).exitCode).toBe(0);
    expectSame(job);
  });

  it('reads the whole record where the target takes no patch, and stops where it cannot be emptied', async () => {
    const patched: number[] = [];
    const job = openMemoryJob({
      streams: [{ from: 'items', changes: { by: 'log' } }],
      wrapTarget: (target) => ({
        ...withLane(target, (lane) => ({
          ...lane,
          bulkUpsert: (batch, signal) => {
            patched.push(...(batch.ops ?? []).filter((op) => op === OP.patch || op === OP.truncate));
            return lane.bulkUpsert(batch, signal);
          },
        })),
        ops: new Set(['upsert', 'delete'] as const),
      }),
    });
    job.source.define('items', ITEMS);
    put(job.source, items(0, 10));
    await job.run();
    job.source.write((transaction) => transaction.patch('items', [4, 'patched', undefined]));
    expect((await job.run()).streams[0]).toMatchObject({ read: 1, upserted: 1 });
    expectSame(job);
    job.source.write((transaction) => transaction.truncate('items'));
    const emptied = await job.run();
    expect(emptied.streams[0]?.error).toMatchObject({ code: 'E_CHANGES_UNSUPPORTED', message: expect.stringContaining('truncate') });
    expect(emptied.streams[0]).toMatchObject({ status: 'failed', upserted: 0, deleted: 0 });
    expect(patched).toEqual([]);
  });

  it('refuses another source under the same name, and a changed plan', async () => {
    const job = openMemoryJob();
    job.source.define('items', ITEMS);
    put(job.source, items(0, 10));
    await job.run();
    for (const [id, checkpoint] of job.target.control.checkpoints)
      job.target.control.checkpoints.set(id, { ...checkpoint, planHash: 'other' });
    expect((await job.run()).streams[0]).toMatchObject({ error: { code: 'E_PLAN_HASH' } });
    expect(await job.run({ resume: { onChange: 'rebackfill' } })).toMatchObject({ exitCode: 0 });
    expect((await job.run()).exitCode).toBe(0);
    for (const [id, checkpoint] of job.target.control.checkpoints)
      job.target.control.checkpoints.set(id, { ...checkpoint, sourceIdentity: 'other' });
    expect(await job.run()).toMatchObject({ exitCode: 5 });
    expect(await job.run({ resume: { full: true } })).toMatchObject({ exitCode: 0 });
  });

  it('is refused where checkpoints cannot be kept as the job asks', async () => {
    const beside = (target: Target): Target => ({ ...target, checkpoints: { ...(target.checkpoints as CheckpointStore), atomic: false } });
    const job = openMemoryJob({ job: { checkpoints: 'atomic' }, wrapTarget: beside });
    job.source.define('items', ITEMS);
    put(job.source, items(0, 10));
    expect(await job.run()).toMatchObject({ exitCode: 5, error: { code: 'E_REQUIRE' } });
    expect(job.target.collections.size).toBe(0);
  });

  it('keeps checkpoints beside the rows in a target that puts them into the same transaction on request, unless the job asks', async () => {
    const onRequest = (target: Target): Target => ({
      ...target,
      checkpoints: { ...(target.checkpoints as CheckpointStore), atomic: 'on-request' },
    });
    for (const [asked, kept] of [
      [null, 'beside'],
      ['beside', 'beside'],
      ['atomic', 'atomic'],
    ] as const) {
      const job = openMemoryJob({ job: { checkpoints: asked }, wrapTarget: onRequest });
      job.source.define('items', ITEMS);
      put(job.source, items(0, 10));
      expect(await job.run()).toMatchObject({ status: 'succeeded', checkpoints: kept });
    }
  });

  it('mends with a backfill what no cursor can see, beside the changes', async () => {
    const job = openMemoryJob();
    job.source.define('items', ITEMS);
    put(job.source, items(0, 700));
    await job.run();
    job.target.write((transaction) =>
      items(0, 700)
        .filter((_, index) => index % 3 === 0)
        .forEach((row) => transaction.delete('items', [row[0]])),
    );
    put(job.source, [[1, 'later', 9_999n]]);
    const report = await job.run({ resume: { backfill: { restart: false } } });
    expect(report.streams[0]).toMatchObject({ phase: 'both', status: 'succeeded' });
    expectSame(job);
  });
});
