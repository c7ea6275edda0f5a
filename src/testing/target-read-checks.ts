import assert from 'node:assert/strict';
import type { Row } from '../model/cell.ts';
import type { Batch, Target, TargetStream } from '../model/contracts.ts';
import { decodedCell } from '../model/records.ts';
import type { Check } from './check.ts';
import { NEVER } from './expectations.ts';
import type { TargetFixture } from './target-fixture.ts';
import { batchOf, row, rows, targetStream, withLane, writeAndCommit } from './target-writing.ts';

export const targetReadChecks: readonly Check<TargetFixture>[] = [
  {
    name: 'scans every record once, with the fields that are asked for',
    skip: (fixture) => (withOpen(fixture, (target) => target.scan === undefined) ? 'the target cannot be scanned' : null),
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ target, lane }) => {
        await writeAndCommit(lane, batchOf(stream, [...rows(1, 3000), row(3001, null, null)]));
        const scanned = target.scan?.({ stream, fields: ['id', 'version'], signal: NEVER }) ?? assert.fail('no scan');
        const records = await recordsOf(scanned, ['id', 'version']);
        assert.equal(records.length, 3001);
        assert.deepEqual(
          records.sort(byFirst),
          [...rows(1, 3000), row(3001, null, null)].map(([id, , version]) => [id, version]),
        );
      });
    },
  },
  {
    name: 'finds records by key, and leaves out what is not there',
    skip: (fixture) => (withOpen(fixture, (target) => target.fetchBy === undefined) ? 'the target cannot be searched' : null),
    run: async (fixture) => {
      const stream = targetStream(fixture);
      await withLane(fixture, [stream], async ({ target, lane }) => {
        await writeAndCommit(lane, batchOf(stream, rows(1, 20)));
        assert.deepEqual(await found(target, stream, ['id'], [[2n], [99n], [20n]]), [row(2), row(20)]);
        assert.deepEqual(await found(target, stream, ['label'], [['row 7']]), [row(7)]);
        assert.deepEqual(await found(target, stream, ['id'], []), []);
      });
    },
  },
];

function withOpen<Result>(fixture: TargetFixture, look: (target: Target) => Result): Result {
  const target = fixture.open();
  void target.close();
  return look(target);
}

async function found(target: Target, stream: TargetStream, fields: readonly string[], values: readonly Row[]): Promise<Row[]> {
  const batches = target.fetchBy?.(stream, fields, values, NEVER) ?? assert.fail('no fetchBy');
  return (
    await recordsOf(
      batches,
      stream.shape.fields.map((field) => field.name),
    )
  ).sort(byFirst);
}

/** The cells of these fields, as carriers. */
async function recordsOf(batches: AsyncIterable<Batch>, fields: readonly string[]): Promise<Row[]> {
  const rowsRead: Row[] = [];
  for await (const { records, shape, ops } of batches) {
    assert.equal(ops, null, 'ops of a read, which holds upserts only');
    const indices = fields.map((name) => shape.fields.findIndex((field) => field.name === name));
    for (const record of records.rows()) rowsRead.push(indices.map((index) => decodedCell(records, record, index)));
  }
  return rowsRead;
}

function byFirst([a]: Row, [b]: Row): number {
  return Number((a as bigint) - (b as bigint));
}
