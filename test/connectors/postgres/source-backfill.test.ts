import { expect, it } from 'vitest';
import type { Cursor, Feed, StreamRef } from '../../../src/sdk.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import { NEVER, cursorAfter, drainOnce, fetchRequest, openSource, rowsOf, streamRef } from './source-kit.ts';

async function readFeed(url: string, ref: StreamRef, feed: Feed): Promise<number[]> {
  const source = openSource(url);
  const rows = rowsOf(await Array.fromAsync(source.fetchChanges({ ...fetchRequest(source, ref), feed })));
  await source.close();
  return rows.map((row) => Number(row['id']));
}

async function split(url: string, ref: StreamRef, partitions: number, bounds = {}): Promise<Feed[]> {
  const source = openSource(url);
  const feeds = (await source.splitBackfill?.(ref, partitions, NEVER, bounds)) ?? [];
  await source.close();
  return feeds;
}

describeWithPostgres('connectors: postgres, key ranges', () => {
  it('splits a large table by a sample of it, in ranges of about the same size that cover it all', async () => {
    const database = await createDatabase('large');
    await database.query(
      `create table t as select (i * i) as id, now() as updated_at from generate_series(1::bigint, 300000) i; alter table t add primary key (id); analyze t`,
    );
    const feeds = await split(database.url, streamRef('public.t'), 4);
    const sizes = await Promise.all(feeds.map(async (feed) => (await readFeed(database.url, streamRef('public.t'), feed)).length));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(300_000);
    expect(sizes).toHaveLength(4);
    for (const size of sizes) expect(size).toBeGreaterThan(40_000);
  });

  it('splits a table without rows, and one with fewer rows than ranges', async () => {
    const database = await createDatabase('small');
    await database.query(
      `create table none (id int primary key, updated_at timestamptz); create table two as select i as id, now() as updated_at from generate_series(1, 2) i; alter table two add primary key (id)`,
    );
    expect(await split(database.url, streamRef('public.none'), 4)).toMatchObject([{ kind: 'backfill', range: {} }]);
    const feeds = await split(database.url, streamRef('public.two'), 4);
    expect(feeds.length).toBeLessThanOrEqual(3);
    expect(
      (await Promise.all(feeds.map((feed) => readFeed(database.url, streamRef('public.two'), feed)))).flat().sort((a, b) => a - b),
    ).toEqual([1, 2]);
  });

  it('keeps within bounds, both ends included, and to a condition of the user', async () => {
    const database = await createDatabase('bounds');
    await database.query(
      `create table t as select i as id, i % 3 as kind, now() as updated_at from generate_series(1, 100) i; alter table t add primary key (id)`,
    );
    const ref = streamRef('public.t', { where: 'kind = 1 or kind = 2 -- not 0' });
    const feeds = await split(database.url, ref, 3, { from: ['10'], to: ['50'] });
    const ids = (await Promise.all(feeds.map((feed) => readFeed(database.url, ref, feed)))).flat();
    expect(feeds).toHaveLength(3);
    expect(ids).toEqual(Array.from({ length: 41 }, (_, index) => index + 10).filter((id) => id % 3 !== 0));
  });

  it('reads chunks, each from a snapshot of its own, until none is left', async () => {
    const database = await createDatabase('chunks');
    await database.query(
      `create table t as select i as id, now() as updated_at from generate_series(1, 25) i; alter table t add primary key (id)`,
    );
    const source = openSource(database.url);
    const ref = streamRef('public.t');
    const [feed] = await split(database.url, ref, 1);
    if (feed === undefined) throw new Error('no feed');
    const chunks: number[][] = [];
    let after: Cursor | null = null;
    for (;;) {
      const batches = await Array.fromAsync(
        source.fetchChanges({ ...fetchRequest(source, ref, { after, batchRows: 10, until: 'chunk' }), feed }),
      );
      if (batches.length === 0) break;
      chunks.push(rowsOf(batches).map((row) => Number(row['id'])));
      after = cursorAfter(batches);
      if (chunks.length <= 2) await database.query(`insert into t values ($1, now())`, [100 + chunks.length]);
    }
    await source.close();
    expect(chunks.map((chunk) => chunk.length)).toEqual([10, 10, 7]);
  });

  it('hands rows of a view that have NULL in their key to the dead letters, once, whatever the ranges', async () => {
    const database = await createDatabase('nullkeys');
    await database.query(`create view v as select nullif(i, 7) as id, now() as updated_at from generate_series(1, 40) i`);
    const ref = streamRef('public.v');
    const source = openSource(database.url);
    const feeds = (await source.splitBackfill?.(ref, 3, NEVER)) ?? [];
    let rows = 0;
    const rejected: string[] = [];
    for (const feed of feeds) {
      for await (const batch of source.fetchChanges({ ...fetchRequest(source, ref), feed })) {
        rows += batch.records.count;
        rejected.push(...(batch.rejected ?? []).map(({ code }) => code));
      }
    }
    await source.close();
    expect([feeds.length, rows, rejected]).toEqual([3, 39, ['E_RECORD_UNREADABLE']]);
    expect((await drainOnce(database.url, ref)).batches.flatMap((batch) => batch.rejected ?? [])).toHaveLength(1);
  });

  it('reads everything since ten minutes before the floor again after a failover, once', async () => {
    const database = await createDatabase('failover');
    await database.query(
      `create table t (id int primary key, updated_at timestamptz not null); insert into t values (1, now() - interval '1 hour'), (2, now() - interval '5 minutes'), (3, now())`,
    );
    const ref = streamRef('public.t');
    const first = await drainOnce(database.url, ref);
    const second = await drainOnce(database.url, ref, { after: first.cursor });
    // As if the transaction ids of the old primary had run ahead of those of the new one.
    const elsewhere = { ...(second.cursor as object), timeline: '000000FF', horizon: '999999999999' };
    const after = await drainOnce(database.url, ref, { after: elsewhere });
    expect(after.rows.map((row) => row['id'])).toEqual([2, 3]);
    expect((await drainOnce(database.url, ref, { after: after.cursor })).rows.map((row) => row['id'])).not.toContain(2);
  });
});
