import assert from 'node:assert/strict';
import { isTrueupError } from '../errors.ts';
import type { Row } from '../model/cell.ts';
import type { Lane, TargetStream } from '../model/contracts.ts';
import type { Check } from './check.ts';
import { NEVER } from './expectations.ts';
import type { TargetFixture } from './target-fixture.ts';
import { SHAPE, assertHolds, batchOf, commit, row, rows, targetStream, withLane, write } from './target-writing.ts';

/** A lone surrogate is no character: whoever stores text as UTF-8 would store something else. */
const LONE_SURROGATE = 'before \ud800 after';

const noRefusal = ({ refusedText }: TargetFixture): string | null => (refusedText === null ? 'the target stores every text' : null);

export const faultChecks: readonly Check<TargetFixture>[] = [
  {
    name: 'tells a record that it cannot hold by the code of its fault, and writes the others',
    skip: noRefusal,
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane }) => {
        await write(lane, batchOf(stream, [row(1)]));
        const bad = await badRecords(lane, stream, [row(2), row(3, fixture.refusedText ?? LONE_SURROGATE), row(4)]);
        assert.deepEqual(bad, [row(3, fixture.refusedText ?? LONE_SURROGATE)]);
        await write(lane, batchOf(stream, [row(5)]));
        await commit(lane);
      });
      await assertHolds(fixture, stream, [row(1), row(2), row(4), row(5)], 'without the record that is refused');
    },
  },
  {
    name: 'refuses NULL where the field does not allow it',
    run: async (fixture) => {
      const fields = SHAPE.fields.map((field) => ({ ...field, nullable: false }));
      const stream = targetStream(fixture, { shape: { ...SHAPE, fields } });
      await withLane(fixture, [stream], async ({ lane }) => {
        assert.deepEqual(await badRecords(lane, stream, [row(1), row(2, null), row(3)]), [row(2, null)]);
        await commit(lane);
      });
      await assertHolds(fixture, stream, [row(1), row(3)], 'without the record that is refused');
    },
  },
  {
    name: 'is after a batch that failed as before it',
    skip: noRefusal,
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane }) => {
        await write(lane, batchOf(stream, rows(1, 3)));
        const batch = batchOf(stream, [row(1, 'of the bad batch'), row(9), row(10, fixture.refusedText ?? LONE_SURROGATE)]);
        const faults = await lane.bulkUpsert(batch, NEVER).catch(recordFault);
        await commit(lane);
        // It either wrote the good records and named the bad one, or wrote nothing of the batch.
        const written = faults === null ? rows(1, 3) : [row(1, 'of the bad batch'), row(2), row(3), row(9)];
        await assertHolds(fixture, stream, written, 'after a batch with a bad record');
      });
    },
  },
  {
    name: 'rejects a write once the signal is aborted, and is as before',
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ lane }) => {
        await write(lane, batchOf(stream, [row(1)]));
        await assert.rejects(lane.bulkUpsert(batchOf(stream, [row(1, 'aborted'), row(2)]), AbortSignal.abort(new Error('enough'))));
        await lane.discard();
        await write(lane, batchOf(stream, [row(3)]));
        await commit(lane);
      });
      const held = await fixture.read(stream);
      assert.ok(!held.some(([id, label]) => id === 2n || label === 'aborted'), 'an aborted batch was written');
    },
  },
  {
    name: 'says in no message what a record holds',
    skip: noRefusal,
    run: async (fixture) => {
      const stream = targetStream(fixture);
      const secret = `s3cret ${fixture.refusedText ?? LONE_SURROGATE}`;
      await withLane(fixture, [stream], async ({ lane }) => {
        const outcome = await lane
          .bulkUpsert(batchOf(stream, [row(1, secret)]), NEVER)
          .catch((error: unknown) => [{ message: error instanceof Error ? error.message : String(error) }]);
        assert.equal(outcome.length, 1, 'faults');
        assert.ok(!outcome.some(({ message }) => message.includes('s3cret')), `a message holds the value: ${JSON.stringify(outcome)}`);
      });
    },
  },
];

/** Writes the records, in halves where a batch throws, as the pipeline does; those that are refused alone. */
async function badRecords(lane: Lane, stream: TargetStream, records: readonly Row[]): Promise<Row[]> {
  const faults = await lane.bulkUpsert(batchOf(stream, records), NEVER).catch(recordFault);
  if (faults !== null) return faults.map(({ index }) => records[index] ?? assert.fail(`a fault of record ${index} of ${records.length}`));
  if (records.length === 1) return [...records];
  const middle = Math.ceil(records.length / 2);
  return [...(await badRecords(lane, stream, records.slice(0, middle))), ...(await badRecords(lane, stream, records.slice(middle)))];
}

/** `null` for a record fault; throws anything else. */
function recordFault(error: unknown): null {
  if (isTrueupError(error) && error.fault === 'record') return null;
  throw error;
}
