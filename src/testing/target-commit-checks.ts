import assert from 'node:assert/strict';
import type { CheckpointStore, Letter } from '../model/checkpoint.ts';
import type { Cursor } from '../model/feed.ts';
import type { Check } from './check.ts';
import { NEVER, rejection } from './expectations.ts';
import { checkpointOf, letterOf, takeOver } from './owners.ts';
import type { TargetFixture } from './target-fixture.ts';
import {
  NO_COUNTS,
  assertHolds,
  batchOf,
  commit,
  keyOnly,
  openLane,
  row,
  rows,
  targetStream,
  told,
  withLane,
  write,
  writeAndCommit,
} from './target-writing.ts';

export const commitChecks: readonly Check<TargetFixture>[] = [
  {
    name: 'shows nothing before the commit, and everything after it',
    skip: needsAtomic,
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane }) => {
        await writeAndCommit(lane, batchOf(stream, rows(1, 3)));
        await write(lane, batchOf(stream, [row(1, 'changed'), keyOnly(2), row(4)], { ops: ['upsert', 'delete', 'upsert'] }));
        await assertHolds(fixture, stream, rows(1, 3), 'before the commit');
        await commit(lane);
        await assertHolds(fixture, stream, [row(1, 'changed'), row(3), row(4)], 'after the commit');
      });
    },
  },
  {
    name: 'forgets what was discarded, and what was written to a lane that closed',
    skip: needsAtomic,
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ target, lane, owner }) => {
        await writeAndCommit(lane, batchOf(stream, [row(1)]));
        await write(lane, batchOf(stream, [row(1, 'discarded'), row(2)]));
        await lane.discard();
        const counts = await writeAndCommit(lane, batchOf(stream, [row(3)]));
        assert.equal(counts.upserted, 1, 'counts of what was discarded');
        const other = await openLane(target, owner, [stream]);
        await write(other, batchOf(stream, [row(4)]));
        await other.close();
      });
      await assertHolds(fixture, stream, [row(1), row(3)], 'after the discard');
    },
  },
  {
    name: 'commits twice in a row, and without a record',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane }) => {
        await commit(lane);
        await writeAndCommit(lane, batchOf(stream, [row(1)]));
        const { streams } = await commit(lane);
        assert.equal(streams[stream.stream]?.upserted ?? 0, 0, 'records counted by a second commit');
        await write(lane, batchOf(stream, []));
        await commit(lane);
      });
      await assertHolds(fixture, stream, [row(1)], 'written');
    },
  },
  {
    name: 'commits records, checkpoints and letters together',
    skip: needsStore,
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane, owner, store }) => {
        await write(lane, batchOf(stream, rows(1, 2)));
        const first = await commit(lane, {
          checkpoints: [checkpointOf(owner, 'changes:orders', { at: '2' })],
          letters: [letterOf(owner, '["7"]'), letterOf(owner, '["8"]')],
        });
        assert.equal(first.lettersResolved, 0);
        assert.deepEqual(await stored(store), { cursors: [{ at: '2' }], letters: ['["7"]', '["8"]'] });
        await write(lane, batchOf(stream, [row(7)]));
        const second = await commit(lane, {
          checkpoints: [checkpointOf(owner, 'changes:orders', { at: '7' })],
          resolved: [letterOf(owner, '["7"]'), letterOf(owner, '["9"]')],
        });
        assert.equal(second.lettersResolved, 1, 'letters resolved');
        assert.deepEqual(await stored(store), { cursors: [{ at: '7' }], letters: ['["8"]'] });
      });
    },
  },
  {
    name: 'leaves checkpoints and letters to others where it keeps none',
    skip: (fixture) => (storeOf(fixture) === null ? null : 'the target keeps checkpoints'),
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane, owner }) => {
        await write(lane, batchOf(stream, rows(1, 2)));
        const { lettersResolved, streams } = await commit(lane, {
          checkpoints: [checkpointOf(owner, 'changes:orders', { at: '2' })],
          letters: [letterOf(owner, '["7"]')],
          resolved: [letterOf(owner, '["8"]')],
        });
        assert.equal(lettersResolved, 0, 'letters resolved by a target that keeps none');
        assert.deepEqual(streams[stream.stream], told(fixture, { ...NO_COUNTS, upserted: 2 }));
      });
      await assertHolds(fixture, stream, rows(1, 2), 'written, and nothing else');
    },
  },
  {
    name: 'writes neither records nor checkpoints nor letters for an owner that was taken over',
    skip: needsAtomic,
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ target, lane, owner, store }) => {
        await write(lane, batchOf(stream, [row(1)]));
        await commit(lane, { checkpoints: [checkpointOf(owner, 'changes:orders', 'first')] });
        await write(lane, batchOf(stream, [row(1, 'stale'), row(2)]));
        const successor = await takeOver(store ?? assert.fail('no store'), owner.job, 'run-2');
        const late = { checkpoints: [checkpointOf(owner, 'changes:orders', 'stale')], letters: [letterOf(owner, '["2"]')] };
        await rejection(commit(lane, late), 'E_FENCED');
        assert.deepEqual(await stored(store), { cursors: ['first'], letters: [] });
        await assertHolds(fixture, stream, [row(1)], 'after the stale commit');
        const own = await openLane(target, successor, [stream]);
        await write(own, batchOf(stream, [row(3)]));
        await commit(own, { checkpoints: [checkpointOf(successor, 'changes:orders', 'successor')] });
        await own.close();
      });
      await assertHolds(fixture, stream, [row(1), row(3)], 'after the successor');
    },
  },
  {
    name: 'commits nothing when it is aborted before the commit',
    skip: needsAtomic,
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane, owner, store }) => {
        await write(lane, batchOf(stream, [row(1)]));
        const what = { checkpoints: [checkpointOf(owner, 'changes:orders', 'x')], letters: [], resolved: [] };
        await assert.rejects(lane.commit(what, AbortSignal.abort(new Error('enough'))));
        await lane.discard();
        assert.deepEqual(await stored(store), { cursors: [], letters: [] });
        await writeAndCommit(lane, batchOf(stream, [row(2)]));
      });
      await assertHolds(fixture, stream, [row(2)], 'after an aborted commit');
    },
  },
  {
    name: 'lets lanes of different streams write at the same time',
    run: async (fixture) => {
      const streams = ['a', 'b', 'c'].map((stream) => targetStream(fixture, { stream }));
      await withLane(fixture, streams, async ({ target, owner }) => {
        await Promise.all(
          streams.map(async (stream) => {
            const lane = await openLane(target, owner, [stream]);
            for (let round = 0; round < 3; round++) await writeAndCommit(lane, batchOf(stream, rows(round * 10, round * 10 + 9)));
            await lane.close();
          }),
        );
      });
      for (const stream of streams) await assertHolds(fixture, stream, rows(0, 29), `stream ${stream.stream}`);
    },
  },
  {
    name: 'closes lane and target twice',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ target, lane }) => {
        await writeAndCommit(lane, batchOf(stream, [row(1)]));
        await lane.close();
        await lane.close();
        await target.close();
        await target.close();
      });
      await fixture.open().close();
    },
  },
];

function storeOf(fixture: TargetFixture): CheckpointStore | null {
  const target = fixture.open();
  void target.close();
  return target.checkpoints ?? null;
}

function needsStore(fixture: TargetFixture): string | null {
  return storeOf(fixture) === null ? 'the target keeps no checkpoints' : null;
}

function needsAtomic(fixture: TargetFixture): string | null {
  return (storeOf(fixture)?.atomic ?? false) !== false ? null : 'the target has no transactions';
}

async function stored(store: CheckpointStore | null): Promise<{ cursors: Cursor[]; letters: Letter['key'][] }> {
  const checkpoints = (await store?.list(null, NEVER)) ?? [];
  const letters = (await store?.letters({}, NEVER)) ?? [];
  return { cursors: checkpoints.map(({ cursor }) => cursor), letters: letters.map(({ key }) => key).sort() };
}
