import assert from 'node:assert/strict';
import type { Row } from '../model/cell.ts';
import type { Op } from '../model/change.ts';
import type { MappedBatch, Target, TargetStream, WriteCounts } from '../model/contracts.ts';
import type { Check } from './check.ts';
import type { TargetFixture } from './target-fixture.ts';
import {
  assertHolds,
  batchOf,
  commit,
  countsUnchanged,
  keyOnly,
  refusesGuard,
  row,
  targetStream,
  withLane,
  write,
  writeAndCommit,
} from './target-writing.ts';

export const convergenceChecks: readonly Check<TargetFixture>[] = [
  {
    name: 'is after writing any batch twice as after writing it once',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ target, lane }) => {
        const model = new Map<number, Row>();
        for (const batch of randomBatches(stream, target, model, { seed: 11, count: 25 })) {
          await writeAndCommit(lane, batch);
          const again = await writeAndCommit(lane, batch);
          if (countsUnchanged(fixture))
            assert.equal(again.upserted, 0, `records written again by a batch that was written before: ${JSON.stringify(again)}`);
        }
        await assertHolds(fixture, stream, [...model.values()], 'after every batch twice');
      });
    },
  },
  {
    name: 'holds what the changes amount to, however they are cut into commits, discards and lanes',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      const random = randomNumbers(23);
      const model = new Map<number, Row>();
      for (let round = 0; round < 6; round++) {
        await withLane(fixture, [stream], async ({ target, lane }) => {
          // Without transactions a discard leaves what was written: a patch may then find that its record was deleted by a later batch already, and is asked for again.
          const patches = (target.checkpoints?.atomic ?? false) !== false;
          const batches = randomBatches(stream, target, model, { seed: 100 + round, count: 6, patches });
          await write(lane, ...batches.slice(0, random(batches.length)));
          await lane.discard();
          for (const batch of batches) {
            await write(lane, batch);
            if (random(2) === 0) await commit(lane);
          }
          await commit(lane);
        });
      }
      await assertHolds(fixture, stream, [...model.values()], 'after six lanes');
    },
  },
  {
    name: 'counts every record of a commit exactly once',
    run: async (fixture) => {
      const stream = targetStream(fixture, refusesGuard(fixture) ? {} : { guard: 'version' });
      await withLane(fixture, [stream], async ({ target, lane }) => {
        for (const batch of randomBatches(stream, target, new Map(), { seed: 5, count: 20, guarded: true })) {
          const counts = await writeAndCommit(lane, batch);
          assert.equal(total(counts), batch.records.count, `${JSON.stringify(counts)} for ${batch.records.count} records`);
        }
      });
    },
  },
];

function total({ upserted, unchanged, deleted, absent, superseded }: WriteCounts): number {
  return upserted + unchanged + deleted + absent + superseded;
}

interface RandomOptions {
  readonly seed: number;
  readonly count: number;
  /** Versions go down as well as up. */
  readonly guarded?: boolean;
  /** Default: where the target takes them. */
  readonly patches?: boolean;
}

/** Batches of random changes of a few keys, each key once in a batch; `model` becomes what they amount to. */
function randomBatches(
  stream: TargetStream,
  target: Target,
  model: Map<number, Row>,
  { seed, count, guarded = false, patches = true }: RandomOptions,
): MappedBatch[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () => {
    const ids = Array.from({ length: 20 }, (_, index) => index + 1).filter(() => random(2) === 0);
    const changes = ids.map((id) => randomChange(id, random, patches && target.ops.has('patch') && model.has(id) && !guarded));
    for (const { id, op, record } of changes) applyToModel(model, id, op, record);
    return batchOf(
      stream,
      changes.map(({ record }) => record),
      { ops: changes.map(({ op }) => op) },
    );
  });
}

function randomChange(id: number, random: (below: number) => number, canPatch: boolean): { id: number; op: Op; record: Row } {
  const label = random(5) === 0 ? null : `label ${random(4)}`;
  const kind = random(10);
  if (kind < 2) return { id, op: 'delete', record: keyOnly(id) };
  if (kind < 5 && canPatch)
    return { id, op: 'patch', record: [BigInt(id), random(2) === 0 ? label : undefined, random(2) === 0 ? BigInt(random(3)) : undefined] };
  return { id, op: 'upsert', record: row(id, label, random(3)) };
}

function applyToModel(model: Map<number, Row>, id: number, op: Op, record: Row): void {
  const before = model.get(id);
  if (op === 'delete') model.delete(id);
  else if (op === 'upsert' || before === undefined) model.set(id, record);
  else
    model.set(
      id,
      before.map((cell, index) => (record[index] === undefined ? cell : record[index])),
    );
}

/** The same whole numbers `0 <= n < below` for a seed each time (a linear congruential generator), so that a failure can be repeated. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
