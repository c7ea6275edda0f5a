import { describe, expect, it } from 'vitest';
import type { Row } from '../../src/model/cell.ts';
import type { StreamEntry } from '../../src/model/job.ts';
import type { JobReport, StreamReport } from '../../src/pipeline/report/report.ts';
import { ITEMS, openMemoryJob } from './memory-job.ts';
import type { MemoryJob, MemoryJobOptions } from './memory-job.ts';

const LOG: StreamEntry['changes'] = { by: 'log' };
const CURSOR: StreamEntry['changes'] = { by: 'cursor', field: 'at' };

type Options = { -readonly [K in keyof MemoryJobOptions]: MemoryJobOptions[K] };

function openJob(options: Options): MemoryJob {
  const job = openMemoryJob(options);
  for (const name of ['a', 'b']) {
    job.source.define(name, ITEMS);
    job.source.write((transaction) => rows(0, 200).forEach((row) => transaction.upsert(name, row)));
  }
  return job;
}

const rows = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, index) => [from + index, `item ${from + index}`, BigInt(from + index)]);

const of = (report: JobReport, name: string): StreamReport => report.streams.find((one) => one.stream === name) ?? expect.unreachable(name);

function expectSame(job: MemoryJob): void {
  const sorted = (all: readonly Row[]): Row[] => [...all].sort((x, y) => Number(x[0]) - Number(y[0]));
  for (const name of ['a', 'b']) expect(sorted(job.target.rows(name))).toEqual(sorted(job.source.rows(name)));
}

let stamp = 1_000n;
const put = (job: MemoryJob, name: string, id: number): void =>
  job.source.write((transaction) => transaction.upsert(name, [id, `changed ${(stamp += 1n)}`, stamp]));

describe('another way to find changes', () => {
  it('from a cursor to the log: what was not delivered yet is, what was deleted before goes, and nothing is loaded again', async () => {
    const options: Options = {
      streams: [
        { from: 'a', changes: CURSOR },
        { from: 'b', changes: CURSOR },
      ],
    };
    const job = openJob(options);
    await job.run();
    job.source.write((transaction) => transaction.delete('a', [7]));
    put(job, 'a', 8);
    options.streams = [
      { from: 'a', changes: LOG },
      { from: 'b', changes: CURSOR },
    ];
    const switched = await job.run();
    expect(switched.exitCode).toBe(0);
    expect(of(switched, 'a')).toMatchObject({ phase: 'changes', upserted: 1, deleted: 1 });
    expectSame(job);
    job.source.write((transaction) => transaction.delete('a', [9]));
    put(job, 'b', 9);
    // The second follows into a log that is open.
    options.streams = [
      { from: 'a', changes: LOG },
      { from: 'b', changes: LOG },
    ];
    const both = await job.run();
    expect(of(both, 'a')).toMatchObject({ read: 1, deleted: 1 });
    expect(of(both, 'b').read).toBeLessThan(3);
    expectSame(job);
    expect(
      [...job.target.control.checkpoints.values()].filter(({ feed }) => feed.kind === 'changes').map(({ feed }) => feed.streams),
    ).toEqual([['a', 'b']]);
    put(job, 'b', 10);
    expect(of(await job.run(), 'b')).toMatchObject({ read: 1 });
    expectSame(job);
  });

  it('from the log to a cursor, the other stream stays', async () => {
    const options: Options = {
      streams: [
        { from: 'a', changes: LOG },
        { from: 'b', changes: LOG },
      ],
    };
    const job = openJob(options);
    await job.run();
    job.source.write((transaction) => {
      transaction.delete('a', [7]);
      transaction.delete('b', [7]);
    });
    options.streams = [
      { from: 'a', changes: CURSOR },
      { from: 'b', changes: LOG },
    ];
    const switched = await job.run();
    expect(switched.exitCode).toBe(0);
    expect(of(switched, 'a')).toMatchObject({ read: 1, deleted: 1 });
    expectSame(job);
    put(job, 'a', 8);
    put(job, 'b', 8);
    const next = await job.run();
    expect(of(next, 'a').read).toBe(1);
    expect(of(next, 'b').read).toBe(1);
    expectSame(job);
  });

  it('cut off at any write of the checkpoints, the next run does the rest', async () => {
    for (let failing = 0; failing < 5; failing += 1) {
      const options: Options = {
        streams: [
          { from: 'a', changes: CURSOR },
          { from: 'b', changes: CURSOR },
        ],
      };
      const job = openJob(options);
      await job.run();
      job.source.write((transaction) => transaction.delete('a', [7]));
      put(job, 'a', 8);
      options.streams = [
        { from: 'a', changes: LOG },
        { from: 'b', changes: LOG },
      ];
      let writes = 0;
      options.wrapTarget = (target) => ({
        ...target,
        checkpoints: {
          ...target.checkpoints!,
          save: (...what) => {
            if (writes++ === failing) throw new TypeError('cut off');
            return target.checkpoints!.save(...what);
          },
        },
      });
      await job.run();
      delete options.wrapTarget;
      put(job, 'b', 9);
      const rest = await job.run();
      expect(rest.exitCode).toBe(0);
      expect(of(rest, 'b').read).toBeLessThan(200);
      expectSame(job);
    }
  });
});
