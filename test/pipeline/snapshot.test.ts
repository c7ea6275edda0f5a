import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Row } from '../../src/model/cell.ts';
import { StopRequest } from '../../src/pipeline/stop.ts';
import { COMPARE, expectSame, items, loaded, put, remove, sorted } from './compared-job.ts';
import { ITEMS, openMemoryJob } from './memory-job.ts';
import type { MemoryJobOptions } from './memory-job.ts';

describe('changes by snapshot', () => {
  const snapshot = (entry: object = {}): MemoryJobOptions => ({ streams: [{ from: 'items', changes: { by: 'snapshot' }, ...entry }] });

  it('load as every stream, then write only what differs and delete what is gone', async () => {
    const job = await loaded({ ...snapshot(), rows: 500 });
    expectSame(job);
    const before = job.target.version;
    const idle = await job.run();
    expect(idle).toMatchObject({ exitCode: 0, guarantee: { deletes: 'by-compare', lateCommits: 'delivered', assumes: [] } });
    expect(idle.streams[0]).toMatchObject({ read: 0, upserted: 0, deleted: 0, caughtUp: true, compared: { source: 500, target: 500 } });
    expect(job.target.version).toBe(before);
    // No field tells of these changes.
    put(job.source, [
      [5, 'changed', 5n],
      [900, 'new', null],
    ]);
    remove(job.source, [[7]]);
    expect((await job.run()).streams[0]).toMatchObject({ read: 3, upserted: 2, deleted: 1 });
    expectSame(job);
  });

  it('bring back what was altered, lost and added in the target', async () => {
    const job = await loaded({ ...snapshot(), rows: 50 });
    put(job.target, [
      [1, 'tampered', 1n],
      [777, 'foreign', 1n],
    ]);
    remove(job.target, [[2]]);
    expect((await job.run()).streams[0]).toMatchObject({ read: 3, upserted: 2, deleted: 1 });
    expectSame(job);
  });

  it('let small tables lose what they lose, but never everything at once', async () => {
    const job = await loaded({ ...snapshot(), rows: 10 });
    remove(job.source, [[0], [1], [2], [3], [4]]);
    expect((await job.run()).streams[0]).toMatchObject({ deleted: 5 });
    remove(job.source, [[5], [6], [7], [8], [9]]);
    expect((await job.run()).streams[0]).toMatchObject({ deleted: 0, error: { code: 'E_DELETES' } });
    expect(job.target.rows('items')).toHaveLength(5);
  });

  it('guard large tables, and write what differs all the same', async () => {
    const job = await loaded({ ...snapshot(), rows: 2_000 });
    remove(
      job.source,
      items(0, 101).map((row) => row.slice(0, 1)),
    );
    put(job.source, [[1_500, 'changed', 1_500n]]);
    const report = await job.run();
    expect(report.exitCode).toBe(5);
    expect(report.streams[0]).toMatchObject({ upserted: 1, deleted: 0, error: { code: 'E_DELETES' } });
    expect(job.target.rows('items')).toHaveLength(2_000);
  });

  it('treat what the mapping filters, marks as deleted and refuses as everywhere', async () => {
    const mapping = { file: 'items.yaml', text: 'where: "at != 13"\nfields: { id: id, size: { expr: "100 / (at - 50)", type: int64 } }' };
    const job = openMemoryJob({
      ...snapshot({ mapping, deletes: { when: 'at == 14', compare: null } }),
      job: { deadLetters: { stopAfter: 10, stopShare: 1 } },
    });
    job.source.define('items', ITEMS);
    put(job.source, items(0, 100));
    const first = await job.run();
    expect(first).toMatchObject({ exitCode: 3 });
    expect(job.target.rows('items')).toHaveLength(97);
    expect([...job.target.control.letters.keys()]).toHaveLength(1);
    put(job.source, [
      [20, 'leaves', 13n],
      [21, 'is deleted', 14n],
      [22, 'goes bad', 50n],
      [50, 'is mended', 51n],
    ]);
    const second = await job.run();
    expect(second).toMatchObject({ exitCode: 3 });
    expect(second.streams[0]).toMatchObject({ upserted: 1, deleted: 2, deadLettered: 1, lettersResolved: 1 });
    const keys = job.target.rows('items').map(([id]) => Number(id));
    expect(keys).not.toContain(20);
    expect(keys).not.toContain(21);
    expect(keys).toContain(22);
    expect(keys).toContain(50);
  });

  it('keep what left the filter where the job says so, without counting it as a delete', async () => {
    const job = await loaded({ ...snapshot({ where: 'at < 50', onExit: 'keep' }), rows: 50 });
    put(
      job.source,
      items(0, 20).map(([id, name]) => [id, name, 99n] as Row),
    );
    remove(job.source, [[30]]);
    expect((await job.run()).streams[0]).toMatchObject({ upserted: 0, deleted: 1 });
    expect(job.target.rows('items')).toHaveLength(49);
  });

  it('guard against deletes, not against records that are kept anyway', async () => {
    const strict = { when: null, compare: { ...COMPARE, maxShare: 0.02 } };
    const job = await loaded({ ...snapshot({ where: 'at < 100', onExit: 'keep', deletes: strict }), rows: 100 });
    put(
      job.source,
      items(0, 50).map(([id, name]) => [id, name, 999n] as Row),
    );
    remove(job.source, [[60]]);
    expect(await job.run()).toMatchObject({ exitCode: 0, streams: [{ deleted: 1 }] });
    expect(job.target.rows('items')).toHaveLength(99);
  });

  it('go on with a load that was cut off, and find what changed meanwhile', async () => {
    let broken = true;
    const options = snapshot();
    const job = openMemoryJob({
      ...options,
      wrapSource: (source) => ({
        ...source,
        async *fetchChanges(request) {
          let batches = 0;
          for await (const batch of source.fetchChanges(request)) {
            batches += 1;
            if (broken && batches === 4) throw new Error('cut');
            yield batch;
          }
        },
      }),
    });
    job.source.define('items', ITEMS);
    put(job.source, items(0, 1_000));
    expect((await job.run()).exitCode).toBe(70);
    expect(job.target.rows('items').length).toBeGreaterThan(0);
    broken = false;
    remove(job.source, [[1]]);
    const second = await job.run();
    expect(second.streams[0]).toMatchObject({ phase: 'both', deleted: 1 });
    expect(second.streams[0]?.read).toBeLessThan(1_000);
    expectSame(job);
  });

  it('keep what grew too large to travel, and set it aside', async () => {
    const job = await loaded({ ...snapshot(), rows: 20, job: { maxRecordBytes: 500 } });
    put(job.source, [[3, 'x'.repeat(1_000), 3n]]);
    const report = await job.run();
    expect(report.exitCode).toBe(3);
    expect(report.streams[0]).toMatchObject({ read: 1, deadLettered: 1, deleted: 0 });
    expect(sorted(job.target.rows('items'))[3]).toEqual([3, 'item 3', 3n]);
    put(job.source, [[3, 'small', 3n]]);
    expect((await job.run()).streams[0]).toMatchObject({ upserted: 1, lettersResolved: 1 });
  });

  it('are compared again and again while a run follows', async () => {
    const job = await loaded({ ...snapshot(), rows: 20 });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const stop = new AbortController();
    const following = job.run({ follow: true, stop: stop.signal });
    await vi.waitFor(() => expect(vi.getTimerCount()).toBeGreaterThan(0));
    put(job.source, [[3, 'changed', 3n]]);
    remove(job.source, [[4]]);
    await vi.advanceTimersByTimeAsync(59_000);
    expect(job.target.rows('items')).toHaveLength(20);
    await vi.advanceTimersByTimeAsync(2_000);
    await vi.waitFor(() => expectSame(job));
    stop.abort(new StopRequest(143));
    expect(await following).toMatchObject({ status: 'stopped', exitCode: 143 });
  });

  it('need a source that can be asked for a record and a target that can be read', async () => {
    const job = openMemoryJob({
      ...snapshot(),
      wrapSource: ({ fetchBy: _fetchBy, ...source }) => source,
      wrapTarget: ({ scan: _scan, ...target }) => target,
    });
    job.source.define('items', ITEMS);
    const report = await job.run();
    expect(report).toMatchObject({ exitCode: 2, error: { code: 'E_CHANGES_UNSUPPORTED' } });
    expect(report.error?.message).toMatch(/look records up by key/);
    expect(report.error?.message).toMatch(/can be read back/);
  });
});
