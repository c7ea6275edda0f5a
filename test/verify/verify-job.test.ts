import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { TrueupError } from '../../src/errors.ts';
import type { Source, Target } from '../../src/model/contracts.ts';
import { StopRequest } from '../../src/pipeline/stop.ts';
import type { VerifyReport } from '../../src/verify/verify-report.ts';
import { verifyJob } from '../../src/verify/verify-job.ts';
import type { VerifyRequest } from '../../src/verify/verify-job.ts';
import { ITEMS, openMemoryJob, withLane } from '../pipeline/memory-job.ts';
import type { MemoryJob, MemoryJobOptions } from '../pipeline/memory-job.ts';

const never = new AbortController().signal;
const LOG: MemoryJobOptions['streams'] = [{ from: 'items', changes: { by: 'log' } }];

function open(options: MemoryJobOptions = {}, count = 30): MemoryJob {
  const job = openMemoryJob(options);
  job.source.define('items', ITEMS);
  job.source.write((tx) => {
    for (let id = 1; id <= count; id++) tx.upsert('items', [id, `name ${id}`, BigInt(id)]);
  });
  return job;
}

function verify(job: MemoryJob, options: Partial<VerifyRequest> = {}): Promise<VerifyReport> {
  return verifyJob({
    context: job.context(),
    run: randomUUID(),
    signals: { stop: never, abort: never },
    streams: [],
    repair: false,
    maxRepair: null,
    values: false,
    sinceMs: null,
    sampleShare: 1,
    pauseMs: 1,
    ...options,
  });
}

/** Members that a source may lack. */
const without = (source: Source, ...names: readonly (keyof Source)[]): Source =>
  Object.fromEntries(Object.entries(source).filter(([name]) => !(names as readonly string[]).includes(name))) as unknown as Source;
const lacking = (target: Target, ...names: readonly (keyof Target)[]): Target =>
  Object.fromEntries(Object.entries(target).filter(([name]) => !(names as readonly string[]).includes(name))) as unknown as Target;

describe('verify of a job', () => {
  const KINDS: readonly (readonly [string, MemoryJobOptions])[] = [
    ['that can do everything', {}],
    ['whose source cannot say what is still to come', { wrapSource: (source) => without(source, 'undelivered') }],
    ['whose source cannot scan', { wrapSource: (source) => without(source, 'scan', 'digests') }],
    [
      'whose source has nothing but its log',
      { wrapSource: (source) => without(source, 'scan', 'digests', 'splitBackfill', 'undelivered') },
    ],
    ['whose target does not say how it holds values', { wrapTarget: (target) => lacking(target, 'storedAs', 'digests') }],
  ];

  it('repairs nothing from a source that lost its records, unless it is told how many', async () => {
    const job = open({ streams: LOG }, 1_200);
    await job.run();
    job.source.write((tx) => {
      for (let id = 1; id <= 61; id++) tx.delete('items', [id]);
    });
    // What the log would tell is out of the way: only the comparison knows of the deletes.
    await job.run();
    job.target.write((tx) => {
      for (let id = 1; id <= 61; id++) tx.upsert('items', [id, 'back', 1n]);
    });
    const refused = await verify(job, { repair: true });
    expect(refused).toMatchObject({ exitCode: 4, consistent: false, error: { code: 'E_REPAIR' }, streams: [{ extra: 61, repaired: 0 }] });
    expect(refused.error?.message).toContain('61 of 1200 records');
    expect(await verify(job, { repair: true, maxRepair: 61 })).toMatchObject({ exitCode: 0, streams: [{ repaired: 61 }] });
    job.target.write((tx) => tx.upsert('items', [1, 'back', 1n]));
    expect(await verify(job, { repair: true })).toMatchObject({ exitCode: 0, streams: [{ repaired: 1 }] });
  });

  it.each(KINDS)('%s finds what differs, and tells it from what is still to come', async (_kind, options) => {
    const job = open({ streams: LOG, ...options });
    expect((await job.run()).exitCode).toBe(0);
    expect(await verify(job)).toMatchObject({ consistent: true, exitCode: 0 });
    job.target.write((tx) => {
      tx.delete('items', [1]);
      tx.upsert('items', [2, 'other', 2n]);
      tx.upsert('items', [99, 'too many', 1n]);
    });
    job.source.write((tx) => {
      tx.upsert('items', [3, 'newer', 3n]);
      tx.delete('items', [4]);
      tx.upsert('items', [50, 'new', 50n]);
    });
    const found = await verify(job);
    expect(found).toMatchObject({ exitCode: 4, streams: [{ missing: 1, different: 1, extra: 1, explained: { pending: 3 } }] });
    expect(await verify(job, { repair: true })).toMatchObject({ exitCode: 0, consistent: true, streams: [{ repaired: 3 }] });
    await job.run();
    expect(await verify(job)).toMatchObject({ exitCode: 0, streams: [{ explained: { pending: 0 } }] });
    // Deleted in the source long ago, and still as it was then in the target.
    job.target.write((tx) => tx.upsert('items', [4, 'name 4', 4n]));
    expect(await verify(job)).toMatchObject({ exitCode: 4, streams: [{ extra: 1, explained: { pending: 0 } }] });
  });

  it('takes what an unfinished load has not reached yet for pending', async () => {
    const stop = new AbortController();
    const job = open({
      streams: [{ from: 'items', partitions: 1 }],
      job: { batch: { rows: 10, bytes: 1_000_000 } },
      wrapTarget: (target) =>
        withLane(target, (lane) => ({
          ...lane,
          commit: async (what, signal) => {
            const result = await lane.commit(what, signal);
            stop.abort(new StopRequest(143));
            return result;
          },
        })),
    });
    await job.run({ stop: stop.signal });
    const report = await verify(job);
    expect(report).toMatchObject({ exitCode: 0, streams: [{ missing: 0 }] });
    expect(report.streams[0]?.explained.pending).toBeGreaterThan(0);
    job.target.write((tx) => tx.delete('items', [1]));
    expect(await verify(job)).toMatchObject({ exitCode: 4, streams: [{ missing: 1 }] });
  });

  it('refuses a pair that cannot be compared, and says which side cannot what', async () => {
    const asked: readonly (readonly [MemoryJobOptions, string])[] = [
      [{ wrapSource: (source) => without(source, 'fetchBy') }, 'the source cannot look records up by key'],
      [{ wrapTarget: (target) => lacking(target, 'fetchBy') }, 'cannot look records up by key'],
      [{ wrapTarget: (target) => lacking(target, 'scan') }, 'cannot be read back'],
      [{ wrapTarget: (target) => ({ ...target, writes: 'log' }) }, 'a log of changes'],
    ];
    for (const [options, message] of asked) {
      const job = open(options);
      const [stream] = (await verify(job)).streams;
      expect(stream?.error).toMatchObject({ code: 'E_COMPARE_UNSUPPORTED', message: expect.stringContaining(message) });
      expect(await verify(job)).toMatchObject({ exitCode: 2, consistent: false });
    }
  });

  it('begins a stream again when the connection broke, and gives up after the retries of the job', async () => {
    const broken = (times: number) => {
      let left = times;
      return (source: Source): Source => ({
        ...source,
        scan: (stream, signal) => {
          if (left-- > 0) throw new TrueupError('E_CONNECTION_LOST', 'cut');
          return source.scan?.(stream, signal) ?? nothing();
        },
      });
    };
    const job = open({ wrapSource: broken(2), streams: [{ from: 'items', where: 'id > 0' }] });
    await job.run();
    expect(await verify(job)).toMatchObject({ exitCode: 0 });
    expect(job.events.filter(({ kind }) => kind === 'retry')).toHaveLength(2);
    const hopeless = open({ wrapSource: broken(100), streams: [{ from: 'items', where: 'id > 0' }] });
    await hopeless.run();
    expect(await verify(hopeless)).toMatchObject({ exitCode: 1, streams: [{ error: { code: 'E_CONNECTION_LOST' } }] });
  });

  it('tells that there are more differences than it looks at, repairs these, and the rest when it is run again', async () => {
    const job = open();
    await job.run();
    job.target.write((tx) => {
      for (let id = 1; id <= 5; id++) tx.delete('items', [id]);
    });
    expect(await verify(job, { maxDifferences: 3 })).toMatchObject({ exitCode: 4, streams: [{ missing: 3, truncated: true }] });
    expect(await verify(job, { maxDifferences: 3, repair: true })).toMatchObject({
      exitCode: 4,
      streams: [{ repaired: 3, truncated: true }],
    });
    expect(await verify(job, { maxDifferences: 3, repair: true })).toMatchObject({ exitCode: 0, streams: [{ repaired: 2 }] });
  });

  it('ends as it was asked to when it is stopped, and claims nothing', async () => {
    const job = open();
    await job.run();
    const stop = new AbortController();
    stop.abort(new StopRequest(143));
    expect(await verify(job, { signals: { stop: stop.signal, abort: never } })).toMatchObject({ exitCode: 143, consistent: false });
  });

  it('refuses a job whose plan has errors, with all of them', async () => {
    const job = open({ streams: [{ from: 'items', where: 'nothing > 1' }] });
    const report = await verify(job);
    expect(report).toMatchObject({ exitCode: 2, consistent: false, streams: [] });
    expect(report.problems?.map(({ code }) => code)).toEqual(['E_MAPPING_INVALID']);
    expect(report.error?.code).toBe('E_MAPPING_INVALID');
  });

  it('repairs nothing of a job whose mapping changed since it was loaded', async () => {
    const job = open({ streams: [{ from: 'items', where: 'id > 0' }] });
    await job.run();
    const changed = openMemoryJob({ streams: [{ from: 'items', where: 'id > 5' }] });
    const context = { ...job.context(), job: changed.context().job };
    const report = await verify({ ...job, context: () => context }, { repair: true });
    expect(report).toMatchObject({ exitCode: 5, streams: [{ extra: 5, repaired: 0, error: { code: 'E_PLAN_HASH' } }] });
    expect(job.target.rows('items')).toHaveLength(30);
  });
});

async function* nothing(): AsyncGenerator<never> {}
