import assert from 'node:assert/strict';
import type { Batch, Source } from '../model/contracts.ts';
import type { Cursor, Feed } from '../model/feed.ts';
import type { Check } from './check.ts';
import { NEVER, throughJson } from './expectations.ts';
import type { SourceFixture } from './source-fixture.ts';
import { assertSame, byId, idsOf, numbered, openReplica, readAll, request, withSource } from './source-reading.ts';

const noBackfill = (fixture: SourceFixture): string | null => {
  const source = fixture.open();
  void source.close();
  return source.splitBackfill === undefined ? 'the source cannot split a backfill' : null;
};

export const backfillChecks: readonly Check<SourceFixture>[] = [
  {
    name: 'splits a backfill into ranges that cover every record once',
    skip: noBackfill,
    run: async (fixture) => {
      await fixture.insert(numbered(1, 100));
      await fixture.insert(numbered(100_000, 100_003));
      await withSource(fixture, async (source) => {
        const feeds = await split(fixture, source, 3);
        assert.ok(feeds.length >= 1 && feeds.length <= 3, `${feeds.length} ranges, asked for at most 3`);
        assert.equal(new Set(feeds.map((feed) => feed.id)).size, feeds.length, 'ids');
        for (const feed of feeds)
          assert.deepEqual({ kind: feed.kind, streams: feed.streams }, { kind: 'backfill', streams: [fixture.stream.name] });
        const replica = openReplica(fixture, source);
        for (const feed of feeds) await replica.apply(await readAll(source, request(fixture, feed, { batchRows: 9 })));
        assertSame(replica.records, byId([...numbered(1, 100), ...numbered(100_000, 100_003)]), 'loaded');
        assert.deepEqual(
          [...replica.deliveries].filter(([, times]) => times !== 1),
          [],
          'ids in more than one range',
        );
      });
    },
  },
  {
    name: 'covers records that come after the split, at either end',
    skip: noBackfill,
    run: async (fixture) => {
      await fixture.insert(numbered(1000, 1050));
      await withSource(fixture, async (source) => {
        const feeds = await split(fixture, source, 3);
        await fixture.insert([
          { id: 1, label: 'below' },
          { id: 5000, label: 'above' },
        ]);
        const replica = openReplica(fixture, source);
        for (const feed of feeds) await replica.apply(await readAll(source, request(fixture, feed)));
        assertSame(replica.records, byId([...numbered(1000, 1050), { id: 1, label: 'below' }, { id: 5000, label: 'above' }]), 'loaded');
      });
    },
  },
  {
    name: 'resumes a range after the cursor of any batch',
    skip: noBackfill,
    run: async (fixture) => {
      await fixture.insert(numbered(1, 60));
      await withSource(fixture, async (source) => {
        for (const feed of await split(fixture, source, 2)) {
          const whole = await readAll(source, request(fixture, feed, { batchRows: 7 }));
          const ids = idsOf(fixture, whole);
          for (const [index, { cursor }] of whole.entries()) {
            if (cursor === null) continue;
            const rest = await withSource(fixture, (other) => readAll(other, request(fixture, feed, { after: cursor, batchRows: 7 })));
            assert.deepEqual(idsOf(fixture, [...whole.slice(0, index + 1), ...rest]), ids, `resumed after batch ${index + 1}`);
          }
        }
      });
    },
  },
  {
    name: 'loads an empty stream',
    skip: noBackfill,
    run: async (fixture) => {
      await withSource(fixture, async (source) => {
        for (const feed of await split(fixture, source, 4))
          assert.deepEqual(idsOf(fixture, await readAll(source, request(fixture, feed))), []);
      });
    },
  },
  {
    name: 'reads a range in chunks that end by themselves, until one is empty',
    skip: noBackfill,
    run: async (fixture) => {
      await fixture.insert(numbered(1, 50));
      await withSource(fixture, async (source) => {
        const replica = openReplica(fixture, source);
        for (const feed of await split(fixture, source, 2)) {
          for await (const chunk of chunks(fixture, source, feed)) await replica.apply(chunk);
        }
        assertSame(replica.records, byId(numbered(1, 50)), 'loaded in chunks');
        assert.deepEqual(
          [...replica.deliveries].filter(([, times]) => times !== 1),
          [],
          'ids in more than one chunk',
        );
      });
    },
  },
  {
    name: 'reads each chunk as it is when the chunk is asked for',
    skip: noBackfill,
    run: async (fixture) => {
      await fixture.insert(numbered(1, 30));
      await withSource(fixture, async (source) => {
        const replica = openReplica(fixture, source);
        const [feed] = await split(fixture, source, 1);
        let first = true;
        for await (const chunk of chunks(fixture, source, feed ?? assert.fail('no range'))) {
          await replica.apply(chunk);
          if (first) await fixture.update(numbered(1, 30, 'changed'));
          first = false;
        }
        const stale = [...replica.records].filter(([, label]) => label?.startsWith('row') === true).map(([id]) => id);
        assert.ok(stale.length <= 8, `${stale.length} records of later chunks are older than the chunk that read them`);
        assert.equal(replica.records.size, 30);
      });
    },
  },
];

async function split(fixture: SourceFixture, source: Source, partitions: number): Promise<Feed[]> {
  const feeds = (await source.splitBackfill?.(fixture.stream, partitions, NEVER)) ?? assert.fail('the source cannot split a backfill');
  return throughJson(feeds);
}

/** Chunks of at most 8 records, up to the first without any. */
async function* chunks(fixture: SourceFixture, source: Source, feed: Feed): AsyncGenerator<Batch[]> {
  let after: Cursor | null = null;
  for (let count = 1; count <= 100; count++) {
    const batches: Batch[] = await readAll(source, request(fixture, feed, { until: 'chunk', after, batchRows: 8 }));
    const size = idsOf(fixture, batches).length;
    assert.ok(size <= 8, `a chunk of ${size} records, asked for at most 8`);
    if (size === 0) return;
    yield batches;
    const cursor = batches.at(-1)?.cursor ?? null;
    assert.notEqual(cursor, null, 'a chunk without a cursor at its end');
    after = cursor;
  }
  assert.fail('after 100 chunks the range is not at its end');
}
