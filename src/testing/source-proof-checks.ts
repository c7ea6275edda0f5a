import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cell } from '../model/cell.ts';
import type { Batch, Source } from '../model/contracts.ts';
import type { Cursor } from '../model/feed.ts';
import type { Check } from './check.ts';
import { NEVER, throughJson } from './expectations.ts';
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

const lacks =
  (member: 'scan' | 'undelivered', why: string) =>
  (fixture: SourceFixture): string | null => {
    const source = fixture.open();
    void source.close();
    return source[member] === undefined ? why : null;
  };
const noScan = lacks('scan', 'the source cannot be scanned');
const noUndelivered = lacks('undelivered', 'the source does not say what is to come');

/** What a comparison of two sides asks of a source. */
export const sourceProofChecks: readonly Check<SourceFixture>[] = [
  {
    name: 'scans every record once, as it is now, and nothing else',
    skip: noScan,
    run: async (fixture) => {
      const records = [
        ...numbered(1, 2500),
        { id: 2501, label: null },
        { id: 2502, label: '' },
        { id: 2503, label: 'ünï 日本 😀 \t"\\N\' \n' },
      ];
      await fixture.insert(records);
      await fixture.update([{ id: 7, label: 'now' }]);
      const open = await fixture.begin?.();
      await open?.insert([{ id: 9000, label: 'not committed' }]);
      await withSource(fixture, async (source) => {
        const batches = await scan(fixture, source);
        const replica = openReplica(fixture, source);
        await replica.apply(batches);
        assertSame(replica.records, byId([...records, { id: 7, label: 'now' }]), 'scanned');
        const repeated = [...replica.deliveries].filter(([, times]) => times !== 1);
        assert.deepEqual(repeated, [], 'ids that were scanned more than once');
      });
      await open?.rollback();
    },
  },
  {
    name: 'scans an empty stream',
    skip: noScan,
    run: (fixture) => withSource(fixture, async (source) => assert.deepEqual(idsOf(fixture, await scan(fixture, source)), [])),
  },
  {
    name: 'scans records over maxRecordBytes as rejects, by their key',
    skip: noScan,
    run: async (fixture) => {
      await fixture.insert([...numbered(1, 3), { id: 4, label: 'x'.repeat(300_000) }, ...numbered(5, 6)]);
      const small: SourceFixture = { ...fixture, stream: { ...fixture.stream, maxRecordBytes: 100_000 } };
      await withSource(small, async (source) => {
        const batches = await scan(small, source);
        assert.deepEqual(idsOf(small, batches), [1, 2, 3, 5, 6]);
        const rejected = batches.flatMap((batch) => batch.rejected ?? []);
        assert.deepEqual(
          rejected.map(({ code, key }) => [code, Number(key?.[0])]),
          [['E_RECORD_TOO_LARGE', 4]],
        );
      });
    },
  },
  {
    name: 'says that nothing is to come of what was drained, and that what changed since is',
    skip: noUndelivered,
    run: async (fixture) => {
      await fixture.insert(numbered(1, 40));
      const after =
        fixture.repeats === 'always' ? lastCursor(await drain(fixture, null, { batchRows: 7 })) : await drainedWhole(fixture, 45);
      await fixture.update([{ id: 3, label: 'changed' }]);
      await fixture.insert([{ id: 41, label: 'new' }]);
      await fixture.delete?.([5]);
      const expected = fixture.delete === undefined ? [3, 41] : [3, 5, 41];
      const pending = await pendingIds(fixture, after, 1, 45);
      if (fixture.repeats !== 'always') assert.deepEqual(pending, expected, 'after changes');
      else
        assert.deepEqual(
          expected.filter((id) => !pending.includes(id)),
          [],
          'changed, and yet nothing is to come',
        );
      await assertDelivers(fixture, after, pending);
    },
  },
  {
    name: 'says from the beginning that everything is to come, and nothing of what is not there',
    skip: noUndelivered,
    run: async (fixture) => {
      await fixture.insert(numbered(1, 6));
      assert.deepEqual(await pendingIds(fixture, null, 1, 9), [1, 2, 3, 4, 5, 6]);
    },
  },
  {
    name: 'says of what was committed late, below a position that was passed already, that it is to come',
    skip: (fixture) => noUndelivered(fixture) ?? (fixture.begin === undefined ? 'the system has no transactions' : null),
    run: async (fixture) => {
      await fixture.insert(numbered(1, 5));
      const slow = (await fixture.begin?.()) ?? assert.fail('no transactions');
      await slow.update([{ id: 2, label: 'late' }]);
      await slow.insert([{ id: 100, label: 'late too' }]);
      await fixture.insert(numbered(6, 10));
      const after = lastCursor(await drain(fixture, null));
      if (fixture.repeats !== 'always')
        assert.deepEqual(
          (await pendingIds(fixture, after, 1, 100)).filter((id) => id <= 5 || id === 100),
          [],
          'before the commit',
        );
      await slow.commit();
      const pending = await pendingIds(fixture, after, 1, 100);
      assert.deepEqual(
        [2, 100].filter((id) => !pending.includes(id)),
        [],
        'committed late, and yet nothing is to come',
      );
      await assertDelivers(fixture, after, pending);
    },
  },
  {
    name: 'says inside of a drain that was cut off what the rest of it would deliver',
    skip: noUndelivered,
    run: async (fixture) => {
      await fixture.insert(numbered(1, 30));
      const whole = await drain(fixture, null, { batchRows: 4 });
      for (const after of whole.map(({ cursor }) => cursor).filter((cursor) => cursor !== null))
        await assertDelivers(fixture, after, await pendingIds(fixture, after, 1, 32));
    },
  },
];

/** How long whoever else works in the system may hold its sources back (ms): a transaction that is open anywhere in a cluster, say. */
const HELD_BACK_MS = 10_000;

/** Drains until nothing is to come. Returns the cursor. */
async function drainedWhole(fixture: SourceFixture, upTo: number): Promise<Cursor | null> {
  const until = performance.now() + HELD_BACK_MS;
  for (let after: Cursor | null = null; ;) {
    after = lastCursor(await drain(fixture, after, { batchRows: 7 }), after);
    const pending = await pendingIds(fixture, after, 1, upTo);
    if (pending.length === 0) return after;
    if (performance.now() > until) assert.deepEqual(pending, [], 'after drains');
    await sleep(200);
  }
}

async function scan(fixture: SourceFixture, source: Source): Promise<Batch[]> {
  const batches = await Array.fromAsync(source.scan?.(fixture.stream, NEVER) ?? assert.fail('no scan'));
  for (const batch of batches) {
    checkBatch(batch, request(fixture, changesFeed(fixture, source), { batchRows: Infinity, batchBytes: Infinity }));
    assert.equal(batch.cursor, null, 'a cursor of a scan');
    assert.equal(batch.ops, null, 'ops of a scan, which holds upserts only');
  }
  return batches;
}

/** Of the ids `from <= id <= to`, those that are to come after the cursor. */
async function pendingIds(fixture: SourceFixture, after: Cursor | null, from: number, to: number): Promise<number[]> {
  const ids = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  const cellOf = await cellMaker(fixture);
  return withSource(fixture, async (source) => {
    const keys = ids.map((id) => [cellOf(id)]);
    const asked = { feed: changesFeed(fixture, source), stream: fixture.stream, after: throughJson(after), keys };
    const answers = (await source.undelivered?.(asked, NEVER)) ?? assert.fail('the source does not say what is to come');
    assert.equal(answers.length, keys.length, 'answers, one for each key');
    return ids.filter((_, index) => answers[index]);
  });
}

/** A drain from the cursor delivers exactly what was said to be to come. */
async function assertDelivers(fixture: SourceFixture, after: Cursor | null, pending: readonly number[]): Promise<void> {
  assert.deepEqual([...new Set(idsOf(fixture, await drain(fixture, after)))], pending, 'delivered by a drain from the same cursor');
}

/** Makes key cells of the type that the source delivers. */
async function cellMaker(fixture: SourceFixture): Promise<(id: number) => Cell> {
  const batches = await drain(fixture, null);
  const sample = batches.flatMap((batch) => (batch.stream === null ? [] : changesOf(batch, fixture)))[0]?.idCell;
  return (id) => (typeof sample === 'bigint' ? BigInt(id) : typeof sample === 'number' ? id : String(id));
}
