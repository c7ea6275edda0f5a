import { describe, expect, it, onTestFinished } from 'vitest';
import tracker from '../../docs/examples/tracker.ts';
import type { Batch, Source, StreamRef } from '../../src/sdk.ts';
import { sourceContract } from '../../src/testing/index.ts';
import type { SourceFixture, TestRecord } from '../../src/testing/index.ts';
import { startTracker } from './tracker-server.ts';
import type { TrackerServer } from './tracker-server.ts';

const NEVER = new AbortController().signal;
const STREAM: StreamRef = { name: 'issues', changes: { by: 'cursor' }, key: ['id'], fields: null, except: [], maxRecordBytes: 16_000_000 };

describe('the example connector of the docs', () => {
  sourceContract(async () => trackerFixture(await startTracker()));

  it('delivers values as they are: every digit, microseconds, lists, NULL for what is missing', async () => {
    const server = await startedTracker();
    server.write(
      { id: 1, deleted: false, title: 'a', points: '12345678901234567890.50', tags: ['x', 'y'], changed: '2026-11-24T10:00:00.123456Z' },
      { id: 2, deleted: false, points: 1.5, changed: '2026-11-24T11:00:00+01:00' },
    );
    const [batch] = await drain(openTracker(server));
    expect(batch?.records.rows()).toEqual([
      [1n, 'a', '12345678901234567890.50', ['x', 'y'], 1_795_514_400_123_456n],
      [2n, null, '1.5', null, 1_795_514_400_000_000n],
    ]);
  });

  it('promises what its API keeps, and says what it takes for granted', async () => {
    const source = openTracker(await startedTracker());
    const { streams } = await source.plan([STREAM], NEVER);
    expect(streams[0]?.guarantee).toEqual({
      lateCommits: 'delivered',
      deletes: 'delivered',
      assumes: ['the tracker lists changes in the order in which they were committed'],
    });
    await source.close();
  });

  it('delivers an issue that cannot be read as a reject with its key, which names the field', async () => {
    const server = await startedTracker();
    server.write({ id: 1, deleted: false, points: 'many' }, { id: 2, deleted: false, title: 'fine' });
    const [batch] = await drain(openTracker(server));
    expect(batch?.records.rows()).toEqual([[2n, 'fine', null, null, null]]);
    expect(batch?.rejected).toMatchObject([
      { key: [1n], code: 'E_RECORD_UNREADABLE', message: expect.stringContaining("field 'points'") as unknown },
    ]);
  });

  it.each([
    [
      'E_BUSY',
      async (server: TrackerServer) => {
        server.failWith(503, 1);
        return drain(openTracker(server));
      },
    ],
    ['E_ACCESS', async (server: TrackerServer) => drain(openTracker(server, { token: 'wrong' }))],
    ['E_UNREACHABLE', async (server: TrackerServer) => server.close().then(() => drain(openTracker(server)))],
  ])('fails with %s, so that the run knows what to do', async (code, read) => {
    await expect(read(await startedTracker())).rejects.toMatchObject({ code });
  });
});

function openTracker({ url, token }: TrackerServer, options: object = {}): Source {
  const context = { connection: 'tracker', log: { debug() {}, info() {}, warn() {}, error() {} }, baseDir: '.' };
  const source = tracker.openSource?.(tracker.options.parse({ url, token, limit: 10, pollMs: 20, ...options }), context);
  return source ?? expect.unreachable('the tracker is a source');
}

async function drain(source: Source): Promise<Batch[]> {
  const [feed] = source.feeds([STREAM]);
  if (feed === undefined) throw new Error('no feed');
  const request = {
    feed,
    streams: [STREAM],
    after: null,
    forms: new Map(),
    batchRows: 1000,
    batchBytes: 8_000_000,
    until: 'drain' as const,
    signal: NEVER,
  };
  const batches = await Array.fromAsync(source.fetchChanges(request));
  await source.close();
  return batches.filter((batch) => batch.stream !== null);
}

async function startedTracker(): Promise<TrackerServer> {
  const server = await startTracker();
  onTestFinished(() => server.close());
  return server;
}

function trackerFixture(server: TrackerServer): SourceFixture {
  const write = async (records: readonly TestRecord[]): Promise<void> =>
    server.write(
      ...records.map(({ id, label }) => ({
        id,
        deleted: false,
        title: label,
        points: `${id}.50`,
        tags: ['a', `b${id}`],
        changed: '2026-11-24T10:00:00.123456Z',
      })),
    );
  return {
    stream: STREAM,
    fields: { id: 'id', label: 'title' },
    open: () => openTracker(server),
    insert: write,
    update: write,
    delete: async (ids) => server.write(...ids.map((id) => ({ id, deleted: true }))),
    close: () => server.close(),
  };
}
