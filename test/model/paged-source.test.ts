import { describe, expect, it } from 'vitest';
import type { Batch, Cursor, FetchRequest, Page, PagedSourceOptions, Source, StreamRef } from '../../src/sdk.ts';
import { OP, TrueupError, pagedSource } from '../../src/sdk.ts';

const NEVER = new AbortController().signal;
const STREAM: StreamRef = { name: 'issues', changes: { by: 'cursor' }, key: ['id'], fields: null, except: [], maxRecordBytes: 1000 };

describe('a source made of pages', () => {
  it('hands the cursor of each page to the next, from the one that it was asked to go on after', async () => {
    const asked: (Cursor | null)[] = [];
    const source = pagesOf(async (after) => {
      asked.push(after);
      const number = Number(after ?? 0) + 1;
      return { rows: [{ id: number }], more: number < 4, cursor: number };
    });
    expect(await idsOf(source)).toEqual([1n, 2n, 3n, 4n]);
    expect(asked).toEqual([null, 1, 2, 3]);
    asked.length = 0;
    expect(await idsOf(source, { after: 2 })).toEqual([3n, 4n]);
    expect(asked).toEqual([2, 3]);
  });

  it('cuts a page by the bounds of a batch, and lets nobody stop inside it', async () => {
    const rows = Array.from({ length: 7 }, (_, index) => ({ id: index, title: 'x'.repeat(100) }));
    const source = pagesOf(async () => ({ rows, more: false, cursor: 'end' }));
    const byRows = await batchesOf(source, { batchRows: 3 });
    expect(byRows.map(({ records, cursor }) => [records.count, cursor])).toEqual([
      [3, null],
      [3, null],
      [1, 'end'],
    ]);
    const byBytes = await batchesOf(source, { batchBytes: 250 });
    expect(byBytes.map(({ records }) => records.count)).toEqual([2, 2, 2, 1]);
  });

  it('delivers what a page calls deleted as deletes of its keys, after its rows', async () => {
    const source = pagesOf(async () => ({
      rows: [{ id: 1, title: 'a' }],
      deleted: [{ id: 1, title: 'not looked at' }, { id: 2 }],
      more: false,
      cursor: 1,
    }));
    const [batch] = await batchesOf(source);
    expect([...(batch?.ops ?? [])]).toEqual([OP.upsert, OP.delete, OP.delete]);
    expect(batch?.records.rows()).toEqual([
      [1n, 'a'],
      [1n, undefined],
      [2n, undefined],
    ]);
  });

  it('tells progress without records, and nothing where there is none', async () => {
    const moved = await batchesOf(
      pagesOf(async () => ({ rows: [], more: false, cursor: 'later' })),
      { after: 'earlier' },
    );
    expect(moved).toMatchObject([{ stream: null, cursor: 'later', records: { count: 0 } }]);
    expect(
      await batchesOf(
        pagesOf(async () => ({ rows: [], more: false, cursor: 'same' })),
        { after: 'same' },
      ),
    ).toEqual([]);
  });

  it('rejects records that cannot be read, by key where it can be, else by position', async () => {
    const rows = [
      { id: 1, title: 5 },
      { title: 'no key' },
      { id: 'x', title: 'bad key' },
      { id: 3, title: 'x'.repeat(2000) },
      { id: 4, title: 'fine' },
    ];
    const source = pagesOf(async () => ({ rows, deleted: [{}], more: false, cursor: 9 }));
    const [batch] = await batchesOf(source);
    expect(batch?.records.rows()).toEqual([[4n, 'fine']]);
    expect(batch?.rejected?.map(({ key, code, position }) => [key, code, position])).toEqual([
      [[1n], 'E_RECORD_UNREADABLE', 'issues, row 1 of the page that ends at 9'],
      [undefined, 'E_RECORD_UNREADABLE', 'issues, row 2 of the page that ends at 9'],
      [undefined, 'E_RECORD_UNREADABLE', 'issues, row 3 of the page that ends at 9'],
      [[3n], 'E_RECORD_TOO_LARGE', 'issues, row 4 of the page that ends at 9'],
      [undefined, 'E_RECORD_UNREADABLE', 'issues, row 6 of the page that ends at 9'],
    ]);
    expect(batch?.rejected?.[0]?.message).toBe("field 'title' of 'issues': expected text, got a number");
  });

  it('delivers rejects of a page without a readable record, so that they are not lost', async () => {
    const [batch] = await batchesOf(pagesOf(async () => ({ rows: [{ id: 'x' }], more: false, cursor: 1 })));
    expect(batch).toMatchObject({ stream: 'issues', cursor: 1, records: { count: 0 }, rejected: [{ code: 'E_RECORD_UNREADABLE' }] });
  });

  it('refuses to read the same page for ever', async () => {
    const source = pagesOf(async () => ({ rows: [{ id: 1 }], more: true, cursor: 1 }));
    await expect(batchesOf(source, { after: 1 })).rejects.toThrow(/for ever/);
  });

  it('reads a page again while following, after the wait that it declares', async () => {
    let calls = 0;
    const stop = new AbortController();
    const source = pagesOf(async () => ({ rows: [{ id: (calls += 1) }], more: false, cursor: calls }), { pollMs: 5 });
    const seen: unknown[] = [];
    const reading = async (): Promise<void> => {
      for await (const batch of source.fetchChanges(requestOf(source, { until: 'follow', signal: stop.signal }))) {
        seen.push(batch.records.rows()[0]?.[0]);
        if (seen.length === 3) stop.abort(new Error('enough'));
      }
    };
    await expect(reading()).rejects.toThrow('enough');
    expect(seen).toEqual([1n, 2n, 3n]);
  });

  it.each([
    ['E_UNREACHABLE', new TypeError('fetch failed', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) })],
    ['E_CONNECTION_LOST', new TypeError('fetch failed', { cause: Object.assign(new Error('reset'), { code: 'ECONNRESET' }) })],
    ['E_CONNECTION_LOST', new TypeError('terminated', { cause: new Error('other side closed') })],
    ['E_TIMEOUT', new DOMException('timed out', 'TimeoutError')],
    ['E_ACCESS', new TrueupError('E_ACCESS', 'no')],
  ])('fails with %s when its page throws %s', async (code, error) => {
    await expect(batchesOf(pagesOf(async () => Promise.reject(error)))).rejects.toMatchObject({ code });
  });

  it('throws a mistake of the connector as it is', async () => {
    const mistake = new TypeError('x is undefined');
    await expect(batchesOf(pagesOf(async () => Promise.reject(mistake)))).rejects.toBe(mistake);
  });

  it('plans against what is declared', async () => {
    const source = pagesOf(async () => ({ rows: [], more: false, cursor: 0 }));
    const plan = async (change: Partial<StreamRef>): Promise<unknown> =>
      (await source.plan([{ ...STREAM, ...change }], NEVER)).streams[0]?.problems.map(({ code }) => code);
    expect(await plan({})).toEqual([]);
    expect(await plan({ name: 'toString' })).toEqual(['E_STREAM_UNKNOWN']);
    expect(await plan({ fields: ['titel'] })).toEqual(['E_STREAM_UNKNOWN']);
    expect(await plan({ changes: { by: 'log' } })).toEqual(['E_CHANGES_UNSUPPORTED']);
    expect(await plan({ key: [] })).toEqual(['E_STREAM_KEY']);
    expect(await plan({ where: { a: 1 } })).toEqual(['E_CHANGES_UNSUPPORTED']);
  });

  it('promises the least, unless it is told what its cursors keep', async () => {
    const page = async (): Promise<Page> => ({ rows: [], more: false, cursor: 0 });
    const promised = async (source: Source): Promise<unknown> => (await source.plan([STREAM], NEVER)).streams[0]?.guarantee;
    expect(await promised(pagesOf(page))).toMatchObject({ lateCommits: 'lost', deletes: 'never' });
    const guarantee = { lateCommits: 'within-lookback', assumes: ['nothing is later than 5 minutes'] } as const;
    const told = { streams: { issues: { key: ['id'], fields: { id: 'int64', title: 'text' }, guarantee } } } as const;
    expect(await promised(pagesOf(page, told))).toEqual({ deletes: 'never', ...guarantee });
  });

  it('asks nothing at all when it was aborted before', async () => {
    let calls = 0;
    const source = pagesOf(async () => ({ rows: [], more: false, cursor: (calls += 1) }));
    await expect(batchesOf(source, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
    expect(calls).toBe(0);
  });
});

function pagesOf(page: (after: Cursor | null) => Promise<Page>, more: Partial<PagedSourceOptions> = {}): Source {
  const streams = { issues: { key: ['id'], fields: { id: 'int64', title: 'text' } } } as const;
  return pagedSource({ identity: 'test', streams, page: (_stream, after) => page(after), ...more });
}

function requestOf(source: Source, change: Partial<FetchRequest> = {}): FetchRequest {
  const feed = source.feeds([STREAM])[0] ?? expect.unreachable();
  return {
    feed,
    streams: [STREAM],
    after: null,
    forms: new Map(),
    batchRows: 100,
    batchBytes: 1_000_000,
    until: 'drain',
    signal: NEVER,
    ...change,
  };
}

async function batchesOf(source: Source, change: Partial<FetchRequest> = {}): Promise<Batch[]> {
  return Array.fromAsync(source.fetchChanges(requestOf(source, change)));
}

async function idsOf(source: Source, change: Partial<FetchRequest> = {}): Promise<unknown[]> {
  return (await batchesOf(source, change)).flatMap((batch) => batch.records.rows().map(([id]) => id));
}
