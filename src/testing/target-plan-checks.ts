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
    skip: ({ createsNothing }) => (createsNothing === true ? 'the target has nothing to make' : null),
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
    name: 'plans nothing to make where others make its places, before the first record and after it',
    skip: ({ createsNothing }) => (createsNothing === true ? null : 'the target makes its places'),
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ target, lane }) => {
        await assertNothingPlanned(target, stream);
        await assertHolds(fixture, stream, [], 'a place that was not written to');
        await writeAndCommit(lane, batchOf(stream, [row(1)]));
        await assertNothingPlanned(target, stream);
      });
      await assertHolds(fixture, stream, [row(1)], 'written');
    },
  },
  {
    name: 'adds fields that the stream has gained, and keeps the records',
    skip: ({ fixedFields }) => (fixedFields === true ? 'the fields are fixed' : null),
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
    name: 'refuses new fields in its plan where its fields are fixed, whatever the drift policy says',
    skip: ({ fixedFields }) => (fixedFields === true ? null : 'fields can be added'),
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withTarget(fixture, async (target) => {
        await applyPlan(target, [stream]);
        const shape = { ...SHAPE, fields: [...SHAPE.fields, { name: 'note', type: 'text' as const, nullable: true }] };
        const { problems } = await planOf(target, targetStream(fixture, { shape }));
        assert.deepEqual(
          problems.map(({ severity, code }) => ({ severity, code })),
          [{ severity: 'error', code: 'E_DRIFT' }],
        );
      });
    },
  },
  {
    name: 'stops at new fields where the drift policy says so',
    skip: isSchemaless,
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
    skip: isSchemaless,
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
      const kept = fixture.fixedFields === true || fixture.replacesRecords === true ? row(1, 'changed', null) : row(1, 'changed');
      await assertHolds(fixture, stream, [kept, row(2)], 'after a write without the field');
    },
  },
  {
    name: 'refuses a stream without a key in its plan',
    run: async (fixture) => {
      const stream = targetStream(fixture, { shape: { ...SHAPE, key: [] } });
      const planned = await withTarget(fixture, (target) => planOf(target, stream));
      assert.deepEqual(
        planned.problems.filter(({ severity }) => severity === 'error').map(({ code }) => code),
        ['E_STREAM_KEY'],
      );
    },
  },
];

function isSchemaless({ schemaless }: TargetFixture): string | null {
  return schemaless === true ? 'the target holds any field' : null;
}

async function withTarget<Result>(fixture: TargetFixture, work: (target: Target) => Promise<Result>): Promise<Result> {
  const target = fixture.open();
  try {
    return await work(target);
  } finally {
    await target.close();
  }
}

async function assertNothingPlanned(target: Target, stream: TargetStream): Promise<void> {
  const { creates, statements, fields, forms } = await planOf(target, stream);
  assert.deepEqual({ creates, statements }, { creates: false, statements: [] });
  assert.deepEqual(
    fields.map(({ name }) => name),
    stream.shape.fields.map(({ name }) => name),
  );
  assert.ok(forms.includes('cells'), 'cells, which every target must take');
}

async function planOf(target: Target, stream: TargetStream): Promise<TargetStreamPlan> {
  const plan = await target.plan([stream], NEVER);
  return plan.streams[0] ?? assert.fail('a plan without the stream');
}
