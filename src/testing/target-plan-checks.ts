import assert from 'node:assert/strict';
import type { Target, TargetStream, TargetStreamPlan } from '../model/contracts.ts';
import type { Check } from './check.ts';
import { NEVER } from './expectations.ts';
import type { TargetFixture } from './target-fixture.ts';
import { SHAPE, applyPlan, assertHolds, batchOf, row, targetStream, withLane, writeAndCommit } from './target-writing.ts';

export const targetPlanChecks: readonly Check<TargetFixture>[] = [
  {
    name: 'names its data the same each time it is opened',
    run: async (fixture) => {
      const first = await withTarget(fixture, (target) => target.identity(NEVER));
      assert.equal(await withTarget(fixture, (target) => target.identity(NEVER)), first);
      assert.ok(first.length > 0, 'an identity that is empty');
    },
  },
  {
    name: 'plans what is missing without making it, makes it once, and then plans nothing',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withTarget(fixture, async (target) => {
        for (let look = 0; look < 2; look++) {
          const planned = await planOf(target, stream);
          assert.ok(planned.creates && planned.statements.length > 0, 'a plan of a target that does not exist creates it');
          assert.deepEqual(
            planned.fields.map(({ name }) => name),
            stream.shape.fields.map(({ name }) => name),
          );
          assert.ok(planned.forms.includes('cells'), 'cells, which every target must take');
        }
        await applyPlan(target, [stream]);
        const after = await planOf(target, stream);
        assert.deepEqual({ creates: after.creates, statements: after.statements }, { creates: false, statements: [] });
      });
      await assertHolds(fixture, stream, [], 'a target that was made and not written to');
    },
  },
  {
    name: 'adds fields that the stream has gained, and keeps the records',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane }) => writeAndCommit(lane, batchOf(stream, [row(1)])));
      const wider = targetStream(fixture, {
        shape: { ...SHAPE, fields: [...SHAPE.fields, { name: 'note', type: 'text', nullable: true }] },
      });
      await withLane(fixture, [wider], async ({ lane }) => writeAndCommit(lane, batchOf(wider, [[...row(2), 'new']])));
      await assertHolds(
        fixture,
        wider,
        [
          [...row(1), null],
          [...row(2), 'new'],
        ],
        'after the field was added',
      );
    },
  },
  {
    name: 'stops at new fields where the drift policy says so',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withTarget(fixture, async (target) => {
        await applyPlan(target, [stream]);
        const shape = { ...SHAPE, fields: [...SHAPE.fields, { name: 'note', type: 'text' as const, nullable: true }] };
        const planned = await planOf(target, targetStream(fixture, { shape, drift: { add: 'stop', drop: 'keep', retype: 'widen' } }));
        assert.deepEqual(
          planned.problems.filter(({ severity }) => severity === 'error').map(({ code }) => code),
          ['E_DRIFT'],
        );
      });
    },
  },
  {
    name: 'leaves new fields out where the drift policy says so',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane }) => writeAndCommit(lane, batchOf(stream, [row(1)])));
      const shape = { ...SHAPE, fields: [...SHAPE.fields, { name: 'note', type: 'text' as const, nullable: true }] };
      const wider = targetStream(fixture, { shape, drift: { add: 'ignore', drop: 'keep', retype: 'widen' } });
      await withLane(fixture, [wider], async ({ target, lane }) => {
        assert.deepEqual(
          (await planOf(target, wider)).fields.filter(({ ignored }) => ignored === true).map(({ name }) => name),
          ['note'],
        );
        await writeAndCommit(lane, batchOf(wider, [[...row(2), 'left out']]));
      });
      await assertHolds(fixture, stream, [row(1), row(2)], 'without the field that is ignored');
    },
  },
  {
    name: 'keeps values of fields that the stream has lost',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane }) => writeAndCommit(lane, batchOf(stream, [row(1), row(2)])));
      const narrower = targetStream(fixture, { shape: { ...SHAPE, fields: SHAPE.fields.slice(0, 2) } });
      await withLane(fixture, [narrower], async ({ lane }) => writeAndCommit(lane, batchOf(narrower, [row(1, 'changed').slice(0, 2)])));
      await assertHolds(fixture, stream, [row(1, 'changed'), row(2)], 'after a write without the field');
    },
  },
  {
    name: 'refuses a stream without a key in its plan',
    run: async (fixture) => {
      const planned = await withTarget(fixture, (target) => planOf(target, targetStream(fixture, { shape: { ...SHAPE, key: [] } })));
      assert.deepEqual(
        planned.problems.filter(({ severity }) => severity === 'error').map(({ code }) => code),
        ['E_STREAM_KEY'],
      );
    },
  },
];

async function withTarget<Result>(fixture: TargetFixture, work: (target: Target) => Promise<Result>): Promise<Result> {
  const target = fixture.open();
  try {
    return await work(target);
  } finally {
    await target.close();
  }
}

async function planOf(target: Target, stream: TargetStream): Promise<TargetStreamPlan> {
  const plan = await target.plan([stream], NEVER);
  return plan.streams[0] ?? assert.fail('a plan without the stream');
}
