import { describe, expect, it } from 'vitest';
import { TrueupError } from '../../src/errors.ts';
import type { Row } from '../../src/model/cell.ts';
import type { StreamEntry } from '../../src/model/job.ts';
import type { StreamReport } from '../../src/pipeline/report/report.ts';
import type { JobReport } from '../../src/pipeline/report/report.ts';
import { ITEMS, openMemoryJob } from './memory-job.ts';
import type { MemoryJob, MemoryJobOptions } from './memory-job.ts';

type Streams = NonNullable<MemoryJobOptions['streams']>;

const logged = (from: string, more: Partial<StreamEntry> = {}): Streams[number] => ({ from, changes: { by: 'log' }, ...more });

/** `a` and `b` with 200 records each, and a job whose streams can be changed between runs. */
function openLogJob(streams: Streams): MemoryJob & { streams: Streams } {
  const options = { streams };
  const job = openMemoryJob(options);
  for (const name of ['a', 'b']) {
    job.source.define(name, ITEMS);
    job.source.write((transaction) => rows(0, 200).forEach((row) => transaction.upsert(name, row)));
  }
  return Object.defineProperty(job, 'streams', {
    set: (next: Streams) => {
      options.streams = next;
    },
  }) as MemoryJob & { streams: Streams };
}

const rows = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, index) => [from + index, `item ${from + index}`, BigInt(from + index)]);

function of(report: JobReport, name: string): StreamReport {
  const found = report.streams.find((one) => one.stream === name);
  if (found === undefined) throw new Error(`no stream ${name} in ${JSON.stringify(report)}`);
  return found;
}

function expectSame(job: MemoryJob, ...names: readonly string[]): void {
  const sorted = (all: readonly Row[]): Row[] => [...all].sort((a, b) => Number(a[0]) - Number(b[0]));
  for (const name of names) expect(sorted(job.target.rows(name))).toEqual(sorted(job.source.rows(name)));
}

/** What every further run must not lose. */
function changeBoth(job: MemoryJob, id: number): void {
  job.source.write((transaction) => {
    transaction.delete('a', [id]);
    transaction.upsert('b', [id, 'changed', 1n]);
  });
}

describe('the streams of one log', () => {
  it('one that is added is loaded beside the log, which goes on for the others', async () => {
    const job = openLogJob([logged('a')]);
    expect((await job.run()).exitCode).toBe(0);
    changeBoth(job, 7);
    job.streams = [logged('a'), logged('b')];
    const added = await job.run();
    expect(added).toMatchObject({ exitCode: 0 });
    expect(of(added, 'a')).toMatchObject({ read: 1, deleted: 1, phase: 'changes' });
    expect(of(added, 'b')).toMatchObject({ read: 201, phase: 'both' });
    expectSame(job, 'a', 'b');
    changeBoth(job, 8);
    expect((await job.run()).exitCode).toBe(0);
    expectSame(job, 'a', 'b');
  });

  it('one that is added while the first load goes on is part of it', async () => {
    const job = openLogJob([logged('a')]);
    const stop = new AbortController();
    stop.abort(new Error('stopped'));
    await job.run({ stop: stop.signal });
    changeBoth(job, 7);
    job.streams = [logged('a'), logged('b')];
    expect((await job.run()).exitCode).toBe(0);
    expectSame(job, 'a', 'b');
  });

  it('one that is removed is left as it is, and loaded anew when it comes back', async () => {
    const job = openLogJob([logged('a'), logged('b')]);
    await job.run();
    job.streams = [logged('a')];
    changeBoth(job, 7);
    expect((await job.run()).exitCode).toBe(0);
    expectSame(job, 'a');
    job.streams = [logged('a'), logged('b')];
    expect(of(await job.run(), 'b')).toMatchObject({ read: 200 });
    expectSame(job, 'a', 'b');
  });

  it('to name one of them reads the log for all', async () => {
    const job = openLogJob([logged('a'), logged('b')]);
    await job.run();
    changeBoth(job, 7);
    expect((await job.run({ streams: ['b'] })).exitCode).toBe(0);
    expectSame(job, 'a', 'b');
    changeBoth(job, 8);
    const again = await job.run({ streams: ['b'], resume: { full: true } });
    expect(of(again, 'b').read).toBeGreaterThanOrEqual(200);
    expect(of(again, 'a')).toMatchObject({ read: 1, deleted: 1 });
    expectSame(job, 'a', 'b');
  });

  it('a backfill of one reads that one', async () => {
    const job = openLogJob([logged('a'), logged('b')]);
    await job.run();
    changeBoth(job, 7);
    job.target.write((transaction) => transaction.delete('b', [9]));
    const filled = await job.run({ streams: ['b'], resume: { backfill: { restart: false } } });
    expect(of(filled, 'a').read).toBe(1);
    expect(of(filled, 'b').read).toBe(201);
    expectSame(job, 'a', 'b');
  });

  it('a changed plan of one stops, reads that one again, or holds from now on', async () => {
    const job = openLogJob([logged('a'), logged('b')]);
    await job.run();
    job.streams = [logged('a', { where: 'id < 100' }), logged('b')];
    changeBoth(job, 7);
    const refused = await job.run();
    expect(of(refused, 'a')).toMatchObject({ error: { code: 'E_PLAN_HASH', message: expect.stringContaining(`stream 'a':`) } });
    const again = await job.run({ resume: { onChange: 'rebackfill' } });
    expect(again.exitCode).toBe(0);
    expect(of(again, 'b')).toMatchObject({ read: 1 });
    expect(job.target.rows('a').length).toBe(99);
    expectSame(job, 'b');
    job.streams = [logged('a', { where: 'id < 50' }), logged('b')];
    changeBoth(job, 8);
    expect(of(await job.run({ resume: { onChange: 'from-now' } }), 'a')).toMatchObject({ read: 1, deleted: 1 });
    expect(job.target.rows('a').length).toBe(98);
    expectSame(job, 'b');
  });

  it('waits before each chunk of a backfill until everything delivered can be seen', async () => {
    const calls: string[] = [];
    let open = 3;
    const job = openMemoryJob({
      streams: [logged('a')],
      wrapSource: (source) => ({
        ...source,
        settled: async () => {
          calls.push('settled');
          return (open -= 1) < 0;
        },
        fetchChanges: (request) => {
          calls.push(request.until);
          return source.fetchChanges(request);
        },
      }),
    });
    job.source.define('a', ITEMS);
    job.source.write((transaction) => rows(0, 700).forEach((row) => transaction.upsert('a', row)));
    await job.run();
    calls.length = 0;
    await job.run({ resume: { backfill: { restart: false } } });
    expect(calls.slice(0, 6)).toEqual(['drain', 'settled', 'settled', 'settled', 'settled', 'chunk']);
    expect(calls.filter((call, index) => call === 'chunk' && calls[index - 1] !== 'settled')).toEqual([]);
  });

  it('a position that is lost stops the run; with `rebackfill` all is loaded again, and what was deleted in the gap goes', async () => {
    let lost = false;
    const options: MemoryJobOptions & { job?: { onLostPosition: 'stop' | 'rebackfill' } } = {
      streams: [logged('a'), logged('b')],
      wrapSource: (source) => ({
        ...source,
        fetchChanges: (request) => {
          if (!lost || request.feed.kind !== 'changes') return source.fetchChanges(request);
          lost = false;
          throw new TrueupError('E_POSITION_LOST', 'the log was thrown away');
        },
      }),
    };
    const job = openMemoryJob(options);
    for (const name of ['a', 'b']) {
      job.source.define(name, ITEMS);
      job.source.write((transaction) => rows(0, 200).forEach((row) => transaction.upsert(name, row)));
    }
    await job.run();
    changeBoth(job, 7);
    lost = true;
    expect(await job.run()).toMatchObject({ exitCode: 5, streams: [{ error: { code: 'E_POSITION_LOST' } }, {}] });
    expect(job.target.rows('a').length).toBe(200);
    // Gone for good: the new place in the log comes after it.
    lost = true;
    options.job = { onLostPosition: 'rebackfill' };
    const again = await job.run();
    expect(again.exitCode).toBe(0);
    expect(of(again, 'a')).toMatchObject({ deleted: 1 });
    expectSame(job, 'a', 'b');
    const idle = await job.run();
    expect(of(idle, 'a')).toMatchObject({ read: 0 });
    expect(of(idle, 'a').compared).toBeUndefined();
  });

  it('what was deleted in a gap goes although the run that loaded again was cut off', async () => {
    const job = openLogJob([logged('a'), logged('b')]);
    await job.run();
    changeBoth(job, 7);
    const stop = new AbortController();
    stop.abort(new Error('stopped'));
    await job.run({ resume: { full: true }, stop: stop.signal });
    expect((await job.run()).exitCode).toBe(0);
    expectSame(job, 'a', 'b');
  });
});
