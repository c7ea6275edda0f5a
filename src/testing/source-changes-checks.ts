import assert from 'node:assert/strict';
import type { Check } from './check.ts';
import { NEVER, within } from './expectations.ts';
import type { SourceFixture } from './source-fixture.ts';
import {
  assertSame,
  byId,
  changesFeed,
  changesOf,
  checkBatch,
  drain,
  idsOf,
  lastCursor,
  numbered,
  openReplica,
  request,
  withSource,
} from './source-reading.ts';

const noDeletes = ({ stream }: SourceFixture): string => `${stream.changes.by} does not see deletes`;

export const changesChecks: readonly Check<SourceFixture>[] = [
  {
    name: 'delivers every record once from the beginning',
    run: async (fixture) => {
      await fixture.insert([
        ...numbered(1, 57),
        { id: 58, label: null },
        { id: 59, label: '' },
        { id: 60, label: 'ünï 日本 😀 \t"\\N\' \n' },
      ]);
      await withSource(fixture, async (source) => {
        const replica = openReplica(fixture, source);
        await replica.apply(await drain(fixture, null, { batchRows: 10 }));
        assertSame(
          replica.records,
          byId([...numbered(1, 57), { id: 58, label: null }, { id: 59, label: '' }, { id: 60, label: 'ünï 日本 😀 \t"\\N\' \n' }]),
          'delivered',
        );
        assert.deepEqual(
          [...replica.deliveries].filter(([, times]) => times !== 1),
          [],
          'ids that were delivered more than once',
        );
      });
    },
  },
  {
    name: 'ends a drain of an empty stream, and delivers from its cursor what comes later',
    run: async (fixture) => {
      const nothing = await drain(fixture, null);
      assert.equal(
        nothing.reduce((count, batch) => count + batch.records.count, 0),
        0,
      );
      await fixture.insert(numbered(1, 3));
      await withSource(fixture, async (source) => {
        const replica = openReplica(fixture, source);
        await replica.apply(await drain(fixture, lastCursor(nothing)));
        assertSame(replica.records, byId(numbered(1, 3)), 'delivered');
      });
    },
  },
  {
    name: 'delivers nothing again from the cursor of a finished drain',
    skip: ({ repeats }) => (repeats === 'always' ? 'the source repeats what is near the end' : null),
    run: async (fixture) => {
      await fixture.insert(numbered(1, 20));
      await fixture.insert(numbered(21, 25));
      const again = await drain(fixture, lastCursor(await drain(fixture, null, { batchRows: 4 })));
      assert.deepEqual(idsOf(fixture, again), []);
    },
  },
  {
    name: 'delivers inserts and updates, as often as they come',
    run: async (fixture) => {
      await withSource(fixture, async (source) => {
        const replica = openReplica(fixture, source);
        let cursor = null;
        const expected = new Map<number, string | null>();
        for (let round = 1; round <= 4; round++) {
          const fresh = numbered(round * 10, round * 10 + 9);
          const changed = round === 1 ? [] : numbered((round - 1) * 10, (round - 1) * 10 + 3, `changed in ${round}`);
          await fixture.insert(fresh);
          if (changed.length > 0) await fixture.update(changed);
          for (const { id, label } of [...fresh, ...changed]) expected.set(id, label);
          const batches = await drain(fixture, cursor, { batchRows: 3 });
          await replica.apply(batches);
          cursor = lastCursor(batches, cursor);
          assertSame(replica.records, expected, `after round ${round}`);
        }
      });
    },
  },
  {
    name: 'delivers deletes',
    skip: (fixture) => (fixture.delete === undefined ? noDeletes(fixture) : null),
    run: async (fixture) => {
      await fixture.insert(numbered(1, 10));
      const before = await drain(fixture, null);
      await fixture.delete?.([2, 3, 10]);
      await fixture.insert([{ id: 3, label: 'there again' }]);
      await withSource(fixture, async (source) => {
        const replica = openReplica(fixture, source);
        await replica.apply([...before, ...(await drain(fixture, lastCursor(before), { batchRows: 1 }))]);
        const expected = byId(numbered(1, 9));
        expected.delete(2);
        assertSame(replica.records, expected.set(3, 'there again'), 'after the deletes');
      });
    },
  },
  {
    name: 'delivers a truncate before what was written after it',
    skip: (fixture) => (fixture.truncate === undefined ? `${fixture.stream.changes.by} does not see truncates` : null),
    run: async (fixture) => {
      await fixture.insert(numbered(1, 10));
      const before = await drain(fixture, null);
      await fixture.truncate?.();
      await fixture.insert(numbered(5, 6, 'new'));
      await withSource(fixture, async (source) => {
        const replica = openReplica(fixture, source);
        await replica.apply([...before, ...(await drain(fixture, lastCursor(before)))]);
        assertSame(replica.records, byId(numbered(5, 6, 'new')), 'after the truncate');
      });
    },
  },
  {
    name: 'delivers what was committed late, below a position that was passed already',
    skip: (fixture) => (fixture.begin === undefined ? 'the system has no transactions' : null),
    run: async (fixture) => {
      const plan = await withSource(fixture, (source) => source.plan([fixture.stream], NEVER));
      if (plan.streams[0]?.guarantee.lateCommits !== 'delivered') return;
      await fixture.insert(numbered(1, 3));
      const slow = await beginOn(fixture);
      await slow.insert([{ id: 10, label: 'late' }]);
      await slow.update([{ id: 1, label: 'late update' }]);
      const rolledBack = await beginOn(fixture);
      await rolledBack.insert([{ id: 11, label: 'never' }]);
      await fixture.insert(numbered(20, 22));
      await withSource(fixture, async (source) => {
        const replica = openReplica(fixture, source);
        let cursor = null;
        for (const step of [
          async () => {},
          () => fixture.insert([{ id: 23, label: 'row 23' }]),
          () => slow.commit(),
          () => rolledBack.rollback(),
          async () => {},
        ]) {
          await step();
          const batches = await drain(fixture, cursor, { batchRows: 2 });
          await replica.apply(batches);
          cursor = lastCursor(batches, cursor);
        }
        assertSame(
          replica.records,
          byId([{ id: 1, label: 'late update' }, ...numbered(2, 3), { id: 10, label: 'late' }, ...numbered(20, 23)]),
          'after a late commit',
        );
      });
    },
  },
  {
    name: 'ends a drain though somebody goes on writing',
    run: async (fixture) => {
      await fixture.insert(numbered(1, 10));
      await withSource(fixture, async (source) => {
        let next = 100;
        const seen = new Set<number>();
        for await (const batch of source.fetchChanges(request(fixture, changesFeed(fixture, source), { batchRows: 2 }))) {
          if (batch.stream !== null) for (const { idCell } of changesOf(batch, fixture)) seen.add(Number(idCell));
          assert.ok(next < 400, 'after 300 records that were written during the drain it still goes on');
          await fixture.insert([{ id: next, label: 'during the drain' }]);
          next += 1;
        }
        for (const { id } of numbered(1, 10)) assert.ok(seen.has(id), `record ${id}, committed before the call, was not delivered`);
      });
    },
  },
  {
    name: 'follows: waits for changes and delivers them',
    run: async (fixture) => {
      await fixture.insert(numbered(1, 3));
      await withSource(fixture, async (source) => {
        const replica = openReplica(fixture, source);
        const stop = new AbortController();
        const asked = request(fixture, changesFeed(fixture, source), { until: 'follow', signal: stop.signal });
        const reading = async (): Promise<void> => {
          let written = 1;
          for await (const batch of source.fetchChanges(asked)) {
            checkBatch(batch, asked);
            await replica.apply([batch]);
            if (replica.records.size < written * 3) continue;
            if (written === 4) return;
            written += 1;
            await fixture.insert(numbered(written * 3 - 2, written * 3));
          }
        };
        await within(20_000, 'following three later transactions', reading());
        stop.abort(new Error('enough'));
        assertSame(replica.records, byId(numbered(1, 12)), 'followed');
      });
    },
  },
  {
    name: 'bounds a batch by its bytes',
    run: async (fixture) => {
      const records = numbered(1, 40).map(({ id }) => ({ id, label: 'x'.repeat(1000) }));
      await fixture.insert(records);
      const batches = await drain(fixture, null, { batchBytes: 5_000 });
      assert.ok(batches.length >= 8, `${batches.length} batches for 40,000 bytes of at most 5,000`);
    },
  },
  {
    name: 'hands a record over maxRecordBytes to the dead letters by its key, and delivers the others',
    run: async (fixture) => {
      await fixture.insert([
        { id: 1, label: 'small' },
        { id: 2, label: 'x'.repeat(200_000) },
        { id: 3, label: 'small' },
      ]);
      const stream = { ...fixture.stream, maxRecordBytes: 100_000 };
      const batches = await drain(fixture, null, { streams: [stream] });
      assert.deepEqual(idsOf(fixture, batches), [1, 3]);
      const rejected = batches.flatMap((batch) => batch.rejected ?? []);
      assert.deepEqual(
        rejected.map(({ key, code }) => ({ key: key?.map(Number), code })),
        [{ key: [2], code: 'E_RECORD_TOO_LARGE' }],
      );
    },
  },
];

async function beginOn(fixture: SourceFixture): Promise<Awaited<ReturnType<NonNullable<SourceFixture['begin']>>>> {
  return (await fixture.begin?.()) ?? assert.fail('the fixture has no transactions');
}
