import assert from 'node:assert/strict';
import type { Batch } from '../model/contracts.ts';
import type { Cursor } from '../model/feed.ts';
import type { Check } from './check.ts';
import type { SourceFixture, TestRecord } from './source-fixture.ts';
import { NEVER } from './expectations.ts';
import { assertSame, byId, changesFeed, drain, lastCursor, numbered, openReplica, withSource } from './source-reading.ts';

export const resumeChecks: readonly Check<SourceFixture>[] = [
  {
    name: 'resumes after the cursor of any batch, without loss and without repeating what was before it',
    run: async (fixture) => {
      for (const from of [1, 11, 21]) await fixture.insert(numbered(from, from + 9));
      await fixture.update(numbered(5, 8, 'changed'));
      const expected = byId([...numbered(1, 30), ...numbered(5, 8, 'changed')]);
      // Batches across the edges of transactions, and batches that end at each of them.
      for (const batchRows of [7, 1]) await resumeEverywhere(fixture, { after: null, batchRows, expected });
    },
  },
  {
    name: 'never loses a part of many records that share one cursor value',
    run: async (fixture) => {
      await fixture.insert(numbered(1, 50));
      await resumeEverywhere(fixture, { after: null, batchRows: 7, expected: byId(numbered(1, 50)) });
    },
  },
  {
    name: 'resumes in the middle of a later drain too',
    run: async (fixture) => {
      await fixture.insert(numbered(1, 20));
      const before = await drain(fixture, null);
      await fixture.update(numbered(1, 20, 'changed'));
      await fixture.insert(numbered(21, 40));
      await resumeEverywhere(fixture, {
        after: lastCursor(before),
        batchRows: 7,
        expected: byId([...numbered(1, 20, 'changed'), ...numbered(21, 40)]),
      });
    },
  },
  {
    name: 'delivers after an interruption what changed meanwhile, in its latest state',
    run: async (fixture) => {
      await fixture.insert(numbered(1, 20));
      const cut = cutAfter(await drain(fixture, null, { batchRows: 6 }), 0);
      const changes: TestRecord[] = [...numbered(1, 3, 'changed'), ...numbered(19, 20, 'changed')];
      await fixture.update(changes);
      await fixture.insert(numbered(21, 22));
      await withSource(fixture, async (source) => {
        const replica = openReplica(fixture, source);
        await replica.apply([...cut.before, ...(await drain(fixture, cut.cursor, { batchRows: 6 }))]);
        assertSame(replica.records, byId([...numbered(1, 20), ...changes, ...numbered(21, 22)]), 'after the interruption');
      });
    },
  },
  {
    name: 'delivers from a start cursor everything that is committed after it',
    run: async (fixture) => {
      await fixture.insert(numbered(1, 10));
      await withSource(fixture, async (source) => {
        const cursor = await source.startCursor(changesFeed(fixture, source), [fixture.stream], NEVER);
        await fixture.insert(numbered(11, 15));
        await fixture.update(numbered(2, 3, 'changed'));
        const replica = openReplica(fixture, source);
        await replica.apply(await drain(fixture, cursor));
        const expected = byId([...numbered(2, 3, 'changed'), ...numbered(11, 15)]);
        assertSame(new Map([...replica.records].filter(([id]) => expected.has(id))), expected, 'after the start cursor');
      });
    },
  },
  {
    name: 'delivers from a start cursor what a transaction that was open then commits later',
    skip: (fixture) =>
      fixture.begin === undefined
        ? 'the system has no transactions'
        : fixture.startWaits === true
          ? 'a start cursor waits for open transactions'
          : null,
    run: async (fixture) => {
      await fixture.insert(numbered(1, 3));
      const slow = await fixture.begin?.();
      await slow?.insert([{ id: 10, label: 'late' }]);
      await fixture.insert([{ id: 20, label: 'row 20' }]);
      await withSource(fixture, async (source) => {
        const cursor = await source.startCursor(changesFeed(fixture, source), [fixture.stream], NEVER);
        await slow?.commit();
        const replica = openReplica(fixture, source);
        await replica.apply(await drain(fixture, cursor));
        assert.equal(replica.records.get(10), 'late');
      });
    },
  },
  {
    name: 'says a position for every batch, and from every cursor where it can',
    run: async (fixture) => {
      await fixture.insert(numbered(1, 10));
      await withSource(fixture, async (source) => {
        for (const batch of await drain(fixture, null, { batchRows: 3 })) {
          assert.ok(batch.stream === null || batch.position.text !== '', 'a batch without a position');
          if (batch.cursor !== null) assert.notEqual(source.explainCursor?.(batch.cursor), '');
        }
      });
    },
  },
];

interface Resuming {
  readonly after: Cursor | null;
  readonly batchRows: number;
  readonly expected: ReadonlyMap<number, string | null>;
}

/** Cuts a drain after each batch that has a cursor, resumes there as another process, and compares what both reads together delivered. */
async function resumeEverywhere(fixture: SourceFixture, { after, batchRows, expected }: Resuming): Promise<void> {
  const whole = await drain(fixture, after, { batchRows });
  const deliveries = await deliveriesOf(fixture, whole);
  for (const [index, batch] of whole.entries()) {
    if (batch.cursor === null) continue;
    const cut = cutAfter(whole, index);
    const rest = await drain(fixture, cut.cursor, { batchRows });
    await withSource(fixture, async (source) => {
      const replica = openReplica(fixture, source);
      await replica.apply([...cut.before, ...rest]);
      assertSame(replica.records, expected, `cut after batch ${index + 1} of ${whole.length} and resumed`);
      if (fixture.repeats !== undefined && fixture.repeats !== 'never') return;
      const repeated = [...replica.deliveries].filter(([id, times]) => times > (deliveries.get(id) ?? 0)).map(([id]) => id);
      assert.deepEqual(repeated, [], `ids delivered again after batch ${index + 1} of ${whole.length}`);
    });
  }
}

async function deliveriesOf(fixture: SourceFixture, batches: readonly Batch[]): Promise<ReadonlyMap<number, number>> {
  return withSource(fixture, async (source) => {
    const replica = openReplica(fixture, source);
    await replica.apply(batches);
    return replica.deliveries;
  });
}

/** The batches up to the first with a cursor at or after `index`: what was durable when the reader stopped there. */
function cutAfter(batches: readonly Batch[], index: number): { readonly before: readonly Batch[]; readonly cursor: Cursor } {
  const end = batches.findIndex((batch, place) => place >= index && batch.cursor !== null);
  assert.ok(end >= 0, 'a drain without any cursor');
  return { before: batches.slice(0, end + 1), cursor: batches[end]?.cursor ?? null };
}
