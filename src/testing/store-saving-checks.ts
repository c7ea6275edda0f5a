import assert from 'node:assert/strict';
import type { Checkpoint, CheckpointStore } from '../model/checkpoint.ts';
import type { Cursor } from '../model/feed.ts';
import type { Check } from './check.ts';
import { NEVER, rejection } from './expectations.ts';
import { acquire, checkpointOf, letterOf, takeOver } from './owners.ts';
import type { StoreFixture } from './store-fixture.ts';

/** Cursors that a careless store would change: digits beyond a double, key order, text that looks like JSON, a size near the limit of 64 KiB. */
const CURSORS: readonly Cursor[] = [
  null,
  '2026-11-24T10:00:00.123456Z',
  { z: '12345678901234567890', a: ['9223372036854775807', null, true], 'with "quotes"': { deep: [1, 2.5, -0.1] } },
  '{"looks":"like JSON"}',
  ['ünï©ødé', '日本語', '😀', 'line\nbreak', "it's", '\\', '\u0001', ''],
  { big: 'x'.repeat(63 * 1024) },
];

export const savingChecks: readonly Check<StoreFixture>[] = [
  {
    name: 'gives checkpoints back as they were saved, to another process too',
    run: async (fixture) => {
      const store = await fixture.open();
      const owner = await acquire(store, 'orders', 'run-1');
      const saved = CURSORS.map((cursor, index): Checkpoint => ({
        ...checkpointOf(owner, `changes:${index}`, cursor),
        state: index % 2 === 0 ? 'held' : 'done',
      }));
      const ranged: Checkpoint = {
        ...checkpointOf(owner, 'backfill:1', null),
        feed: { id: 'backfill:1', kind: 'backfill', streams: ['a', 'b'], range: { from: ['1'] }, where: { x: null } },
        position: { text: '' },
      };
      await store.save(owner, { checkpoints: [...saved, ranged] }, NEVER);
      await store.close();
      const other = await fixture.open();
      const listed = await other.list('orders', NEVER);
      for (const { savedAt } of listed) assert.match(savedAt ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
      assert.deepEqual(
        listed.map(({ savedAt: _, ...checkpoint }) => checkpoint),
        [ranged, ...saved],
      );
      await other.close();
    },
  },
  {
    name: 'lists by job and feed id, replaces a feed and drops those that it is told to',
    run: async (fixture) => {
      const store = await fixture.open();
      const b = await acquire(store, 'b', 'run-1');
      const a = await acquire(store, 'a', 'run-1');
      await store.save(b, { checkpoints: ['2', '10', '1'].map((feed) => checkpointOf(b, feed, feed)) }, NEVER);
      await store.save(a, { checkpoints: [checkpointOf(a, '1', 'x')] }, NEVER);
      await store.save(b, { checkpoints: [checkpointOf(b, '10', 'later')], dropFeeds: ['2', 'not there'] }, NEVER);
      assert.deepEqual(await cursors(store, null), [
        ['a', '1', 'x'],
        ['b', '1', '1'],
        ['b', '10', 'later'],
      ]);
      assert.deepEqual(await cursors(store, 'a'), [['a', '1', 'x']]);
      assert.deepEqual(await cursors(store, 'c'), []);
      await store.close();
    },
  },
  {
    name: 'writes nothing for an old epoch',
    run: async (fixture) => {
      const store = await fixture.open();
      const first = await acquire(store, 'orders', 'run-1');
      await store.save(first, { checkpoints: [checkpointOf(first, 'changes:a', 'before')], letters: [letterOf(first, '["1"]')] }, NEVER);
      const second = await takeOver(store, 'orders', 'run-2');
      const stale = {
        checkpoints: [checkpointOf(first, 'changes:a', 'stale'), checkpointOf(first, 'changes:b', 'stale')],
        letters: [letterOf(first, '["2"]')],
        resolved: [letterOf(first, '["1"]')],
      };
      await rejection(store.save(first, stale, NEVER), 'E_FENCED');
      await rejection(store.save(first, { dropFeeds: ['changes:a'] }, NEVER), 'E_FENCED');
      assert.deepEqual(await cursors(store, 'orders'), [['orders', 'changes:a', 'before']]);
      assert.deepEqual(
        (await store.letters({}, NEVER)).map((letter) => letter.key),
        ['["1"]'],
      );
      await store.save(second, { checkpoints: [checkpointOf(second, 'changes:a', 'after')] }, NEVER);
      assert.deepEqual(await cursors(store, 'orders'), [['orders', 'changes:a', 'after']]);
      await store.close();
    },
  },
  {
    name: 'writes nothing for an owner that has released',
    run: async (fixture) => {
      const store = await fixture.open();
      const owner = await acquire(store, 'orders', 'run-1');
      await store.release(owner, NEVER);
      await rejection(store.save(owner, { checkpoints: [checkpointOf(owner, 'changes:a', 'x')] }, NEVER), 'E_FENCED');
      assert.deepEqual(await store.list(null, NEVER), []);
      await store.close();
    },
  },
  {
    name: 'still saves for an owner whose lease ran out, while nobody took it over',
    run: async (fixture) => {
      const store = await fixture.open();
      const owner = await acquire(store, 'orders', 'run-1', { ttlMs: 1 });
      await new Promise((resolve) => setTimeout(resolve, 20));
      await store.save(owner, { checkpoints: [checkpointOf(owner, 'changes:a', 'x')] }, NEVER);
      assert.deepEqual(await cursors(store, 'orders'), [['orders', 'changes:a', 'x']]);
      await store.close();
    },
  },
  {
    name: 'counts the attempts of a letter and keeps what the last one said',
    run: async (fixture) => {
      const store = await fixture.open();
      const owner = await acquire(store, 'orders', 'run-1');
      await store.save(owner, { letters: [letterOf(owner, '["1"]', { payload: { total: '1e400', note: null } })] }, NEVER);
      const again = letterOf(owner, '["1"]', {
        kind: 'order',
        code: 'E_RECORD_ORDER',
        message: 'its parent is missing',
        at: '2026-11-24T11:00:00.000Z',
        run: 'run-1',
      });
      await store.save(owner, { letters: [again] }, NEVER);
      assert.deepEqual(await store.letters({}, NEVER), [{ ...again, attempts: 2 }]);
      await store.close();
    },
  },
  {
    name: 'keeps the payload of a letter and knows letters by job, stream and key',
    run: async (fixture) => {
      const store = await fixture.open();
      const owner = await acquire(store, 'orders', 'run-1');
      const other = await acquire(store, 'other', 'run-1');
      const payload = { id: '9007199254740993', list: [null, 'ünï', 1.5] };
      const letters = [
        letterOf(owner, '["1"]', { payload }),
        letterOf(owner, '["1"]', { stream: 'items' }),
        letterOf(owner, 'position: line 7'),
      ];
      await store.save(owner, { letters }, NEVER);
      await store.save(other, { letters: [letterOf(other, '["1"]')] }, NEVER);
      assert.deepEqual(byKey(await store.letters({ job: 'orders' }, NEVER)), byKey(letters));
      assert.deepEqual((await store.letters({ job: 'orders', stream: 'items' }, NEVER)).length, 1);
      assert.deepEqual((await store.letters({ limit: 2 }, NEVER)).length, 2);
      assert.deepEqual((await store.letters({}, NEVER)).length, 4);
      await store.close();
    },
  },
  {
    name: 'resolves letters and says how many there were',
    run: async (fixture) => {
      const store = await fixture.open();
      const owner = await acquire(store, 'orders', 'run-1');
      await store.save(owner, { letters: ['1', '2', '3'].map((key) => letterOf(owner, key)) }, NEVER);
      const resolved = await store.save(owner, { resolved: ['1', '3', 'not there'].map((key) => letterOf(owner, key)) }, NEVER);
      assert.equal(resolved, 2);
      assert.deepEqual(
        (await store.letters({}, NEVER)).map((letter) => letter.key),
        ['2'],
      );
      await store.close();
    },
  },
  {
    name: 'saves a thousand letters and checkpoints at once',
    run: async (fixture) => {
      const store = await fixture.open();
      const owner = await acquire(store, 'orders', 'run-1');
      const ids = Array.from({ length: 1000 }, (_, index) => String(index).padStart(4, '0'));
      await store.save(
        owner,
        { letters: ids.map((id) => letterOf(owner, id)), checkpoints: ids.map((id) => checkpointOf(owner, id, id)) },
        NEVER,
      );
      assert.deepEqual(
        (await store.list('orders', NEVER)).map((checkpoint) => checkpoint.cursor),
        ids,
      );
      assert.equal((await store.letters({ job: 'orders' }, NEVER)).length, 1000);
      await store.close();
    },
  },
  {
    name: 'rejects once the signal is aborted, and has written nothing',
    run: async (fixture) => {
      const store = await fixture.open();
      const owner = await acquire(store, 'orders', 'run-1');
      const aborted = AbortSignal.abort(new Error('enough'));
      await assert.rejects(store.save(owner, { checkpoints: [checkpointOf(owner, 'changes:a', 'x')] }, aborted));
      assert.deepEqual(await store.list(null, NEVER), []);
      await store.close();
    },
  },
];

async function cursors(store: CheckpointStore, job: string | null): Promise<Cursor[][]> {
  return (await store.list(job, NEVER)).map((checkpoint) => [checkpoint.job, checkpoint.feed.id, checkpoint.cursor]);
}

function byKey<Item extends { readonly stream: string; readonly key: string }>(letters: readonly Item[]): Item[] {
  return [...letters].sort((a, b) => (a.stream + a.key < b.stream + b.key ? -1 : 1));
}
