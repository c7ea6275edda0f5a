import assert from 'node:assert/strict';
import type { TargetStream } from '../model/contracts.ts';
import type { Check } from './check.ts';
import { NEVER } from './expectations.ts';
import type { TargetFixture } from './target-fixture.ts';
import {
  NO_COUNTS,
  SHAPE,
  assertHolds,
  batchOf,
  commit,
  keyOnly,
  refusesGuard,
  row,
  rows,
  targetStream,
  told,
  withLane,
  write,
  writeAndCommit,
} from './target-writing.ts';

export const writeChecks: readonly Check<TargetFixture>[] = [
  {
    name: 'writes new records and counts them',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane }) => {
        assert.deepEqual(
          await writeAndCommit(lane, batchOf(stream, rows(1, 5)), batchOf(stream, rows(6, 9))),
          told(fixture, { ...NO_COUNTS, upserted: 9 }),
        );
      });
      await assertHolds(fixture, stream, rows(1, 9), 'written');
    },
  },
  {
    name: 'counts a record that it holds already as unchanged',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane }) => {
        await writeAndCommit(lane, batchOf(stream, rows(1, 5)));
        assert.deepEqual(await writeAndCommit(lane, batchOf(stream, rows(1, 5))), told(fixture, { ...NO_COUNTS, unchanged: 5 }));
        assert.deepEqual(
          await writeAndCommit(lane, batchOf(stream, [row(1), row(2, null), row(3, 'row 3', null), row(6)])),
          told(fixture, { ...NO_COUNTS, unchanged: 1, upserted: 3 }),
        );
        assert.deepEqual(
          await writeAndCommit(lane, batchOf(stream, [row(2, null), row(2 + 1, 'row 3', null)])),
          told(fixture, { ...NO_COUNTS, unchanged: 2 }),
        );
      });
      await assertHolds(fixture, stream, [row(1), row(2, null), row(3, 'row 3', null), row(4), row(5), row(6)], 'written');
    },
  },
  {
    name: 'lets a later batch of one commit win',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane }) => {
        await write(
          lane,
          batchOf(stream, [row(1), row(2), row(3)]),
          batchOf(stream, [row(1, 'later'), keyOnly(2)], { ops: ['upsert', 'delete'] }),
          batchOf(stream, [row(2, 'again')]),
        );
        await commit(lane);
      });
      await assertHolds(fixture, stream, [row(1, 'later'), row(2, 'again'), row(3)], 'written');
    },
  },
  {
    name: 'deletes, and counts deletes of what is not there as absent',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane }) => {
        await writeAndCommit(lane, batchOf(stream, rows(1, 4)));
        const batch = batchOf(stream, [keyOnly(1), keyOnly(3), keyOnly(99), row(5)], { ops: ['delete', 'delete', 'delete', 'upsert'] });
        assert.deepEqual(await writeAndCommit(lane, batch), told(fixture, { ...NO_COUNTS, deleted: 2, absent: 1, upserted: 1 }));
      });
      await assertHolds(fixture, stream, [row(2), row(4), row(5)], 'after the deletes');
    },
  },
  {
    name: 'keeps records where deletes are to be ignored',
    run: async (fixture) => {
      const stream = targetStream(fixture, { onDelete: 'ignore' });
      await withLane(fixture, [stream], async ({ lane }) => {
        await writeAndCommit(lane, batchOf(stream, rows(1, 2)));
        const counts = await writeAndCommit(lane, batchOf(stream, [keyOnly(1)], { ops: ['delete'] }));
        assert.deepEqual({ deleted: counts.deleted, other: counts.unchanged + counts.absent }, { deleted: 0, other: 1 });
      });
      await assertHolds(fixture, stream, rows(1, 2), 'after an ignored delete');
    },
  },
  {
    name: 'patches only the cells that are there',
    skip: (fixture) => needs(fixture, 'patch'),
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane }) => {
        await writeAndCommit(lane, batchOf(stream, rows(1, 3)));
        const patches = [
          [1n, 'patched', undefined],
          [2n, undefined, null],
          [3n, 'row 3', undefined],
        ];
        assert.deepEqual(
          await writeAndCommit(lane, batchOf(stream, patches, { ops: ['patch', 'patch', 'patch'] })),
          told(fixture, { ...NO_COUNTS, upserted: 2, unchanged: 1 }),
        );
      });
      await assertHolds(fixture, stream, [row(1, 'patched'), row(2, 'row 2', null), row(3)], 'patched');
    },
  },
  {
    name: 'hands a patch of a record that is not there back, and writes nothing for it',
    skip: (fixture) => needs(fixture, 'patch'),
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane }) => {
        const batch = batchOf(stream, [row(1), [2n, 'patched', undefined], row(3)], { ops: ['upsert', 'patch', 'upsert'] });
        const faults = await lane.bulkUpsert(batch, new AbortController().signal);
        assert.deepEqual(
          faults.map(({ index, code }) => ({ index, code })),
          [{ index: 1, code: 'E_RECORD_MISSING' }],
        );
        const { streams } = await commit(lane);
        assert.deepEqual(streams[stream.stream], told(fixture, { ...NO_COUNTS, upserted: 2 }));
      });
      await assertHolds(fixture, stream, [row(1), row(3)], 'without the patch');
    },
  },
  {
    name: 'truncates, as a barrier between what came before and after',
    skip: (fixture) => needs(fixture, 'truncate'),
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane }) => {
        await writeAndCommit(lane, batchOf(stream, rows(1, 4)));
        const truncate = batchOf(stream, [[undefined, undefined, undefined]], { ops: ['truncate'] });
        const counts = await writeAndCommit(lane, batchOf(stream, [row(5)]), truncate, batchOf(stream, [row(2, 'after'), row(6)]));
        assert.equal(counts.deleted, 1, 'a truncate counts as one deleted');
      });
      await assertHolds(fixture, stream, [row(2, 'after'), row(6)], 'after the truncate');
    },
  },
  {
    name: 'refuses a record that is older than its own by the guard',
    skip: (fixture) => (refusesGuard(fixture) ? 'the target has nothing to compare with, and refuses a guard' : null),
    run: async (fixture) => {
      const stream = targetStream(fixture, { guard: 'version' });
      await withLane(fixture, [stream], async ({ lane }) => {
        await writeAndCommit(lane, batchOf(stream, [row(1, 'held', 5), row(2, 'held', 5), row(3, 'held', 5)]));
        const counts = await writeAndCommit(
          lane,
          batchOf(stream, [row(1, 'older', 4), row(2, 'newer', 6), row(3, 'as old', 5), row(4, 'new', 1)]),
        );
        assert.deepEqual(counts, told(fixture, { ...NO_COUNTS, superseded: 1, upserted: 3 }));
        assert.deepEqual(
          await writeAndCommit(lane, batchOf(stream, [row(1, 'older', 4), row(2, 'newer', 6)])),
          told(fixture, { ...NO_COUNTS, superseded: 1, unchanged: 1 }),
        );
      });
      await assertHolds(fixture, stream, [row(1, 'held', 5), row(2, 'newer', 6), row(3, 'as old', 5), row(4, 'new', 1)], 'guarded');
    },
  },
  {
    name: 'refuses a guard in its plan where it holds nothing to compare with',
    skip: (fixture) => (refusesGuard(fixture) ? null : 'the target compares records'),
    run: (fixture) => assertRefused(fixture, { guard: 'version' }),
  },
  {
    name: 'refuses in its plan to mark what is deleted where it cannot',
    skip: ({ refuses = [] }) => (refuses.includes('mark') ? null : 'the fixture does not say that the target refuses marks'),
    run: (fixture) => assertRefused(fixture, { onDelete: { mark: 'version' } }),
  },
  {
    name: 'keys records by several fields',
    run: async (fixture) => {
      const shape = { ...SHAPE, fields: SHAPE.fields.map((field) => ({ ...field, nullable: field.name === 'version' })), key: [1, 0] };
      const stream = targetStream(fixture, { shape });
      await withLane(fixture, [stream], async ({ lane }) => {
        await writeAndCommit(lane, batchOf(stream, [row(1, 'a'), row(1, 'b'), row(2, 'a')]));
        const counts = await writeAndCommit(
          lane,
          batchOf(stream, [row(1, 'a', 2), [1n, 'b', undefined], [3n, 'a', undefined]], { ops: ['upsert', 'delete', 'delete'] }),
        );
        assert.deepEqual(counts, told(fixture, { ...NO_COUNTS, upserted: 1, deleted: 1, absent: 1 }));
      });
      await assertHolds(fixture, stream, [row(1, 'a', 2), row(2, 'a')], 'by a composite key');
    },
  },
  {
    name: 'takes fields in another order, and another shape object of the same fields',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      const [id, label, version] = SHAPE.fields;
      const turned = { ...SHAPE, fields: [version, id, label].flatMap((field) => field ?? []), key: [1] };
      await withLane(fixture, [stream], async ({ lane }) => {
        await writeAndCommit(
          lane,
          batchOf(stream, [row(1)]),
          batchOf(stream, [[7n, 2n, 'turned']], { shape: turned }),
          batchOf(stream, [row(3)], { shape: structuredClone(SHAPE) }),
        );
      });
      await assertHolds(fixture, stream, [row(1), row(2, 'turned', 7), row(3)], 'written');
    },
  },
  {
    name: 'decodes text of another dialect before it writes it',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      const decoders = [(text: string) => BigInt(text.slice(1)), (text: string) => text.toUpperCase(), null];
      const undecoded = batchOf(
        stream,
        [
          ['#1', 'one', 1n],
          ['#2', null, null],
        ],
        { init: { textDialect: 'the suite', decoders } },
      );
      await withLane(fixture, [stream], async ({ lane }) => {
        await writeAndCommit(lane, undecoded);
      });
      await assertHolds(fixture, stream, [row(1, 'ONE'), row(2, null, null)], 'decoded');
    },
  },
  {
    name: 'writes several streams in one lane and counts them apart',
    run: async (fixture) => {
      const [orders, items] = [targetStream(fixture), targetStream(fixture, { stream: 'items' })];
      await withLane(fixture, [orders, items], async ({ lane }) => {
        await write(lane, batchOf(orders, rows(1, 3)), batchOf(items, rows(1, 2)), batchOf(orders, [row(4)]));
        const { streams } = await commit(lane);
        assert.deepEqual(streams, {
          orders: told(fixture, { ...NO_COUNTS, upserted: 4 }),
          items: told(fixture, { ...NO_COUNTS, upserted: 2 }),
        });
      });
      await assertHolds(fixture, orders, rows(1, 4), 'orders');
      await assertHolds(fixture, items, rows(1, 2), 'items');
    },
  },
];

/** The stream as it is may be written to, the changed one not. */
async function assertRefused(fixture: TargetFixture, change: Partial<TargetStream>): Promise<void> {
  const streams = [targetStream(fixture), targetStream(fixture, change)];
  const target = fixture.open();
  const problems = await Promise.all(streams.map(async (stream) => (await target.plan([stream], NEVER)).streams[0]?.problems ?? []));
  await target.close();
  assert.deepEqual(
    problems.map((found) => found.map(({ severity, code }) => ({ severity, code }))),
    [[], [{ severity: 'error', code: 'E_CONFIG_INVALID' }]],
  );
}

function needs(fixture: TargetFixture, op: 'patch' | 'truncate'): string | null {
  const target = fixture.open();
  void target.close();
  return target.ops.has(op) ? null : `the target takes no ${op}`;
}
