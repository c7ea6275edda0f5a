import { expect, it } from 'vitest';
import type { Field, LogicalType, Row, Target, TargetStream } from '../../../src/sdk.ts';
import { createMongoDatabase, describeWithMongo } from '../../servers/mongo.ts';
import type { TestMongo } from '../../servers/mongo.ts';
import { NEVER } from './source-kit.ts';
import { batch, openTarget, owner, streamOf, written } from './target-kit.ts';

/** A target over a fresh database; `work` gets both. */
async function withTarget(work: (target: Target, database: TestMongo) => Promise<void>): Promise<void> {
  await using database = await createMongoDatabase('target');
  const target = openTarget(database.url);
  try {
    await work(target, database);
  } finally {
    await target.close();
  }
}

const all = (database: TestMongo) => database.db.collection('orders').find().sort({ _id: 1 }).toArray();

async function problemsOf(target: Target, one: TargetStream): Promise<string[]> {
  const { streams } = await target.plan([one], NEVER);
  return streams.flatMap(({ problems }) => problems.filter(({ severity }) => severity === 'error').map(({ code }) => code));
}

describeWithMongo('documents of MongoDB as a target', () => {
  it('hold fields of paths as sub-documents, the key as _id and under its own name', () =>
    withTarget(async (target, database) => {
      const one = streamOf({ id: 'int64', 'customer.name': 'text', 'customer.city': 'text' });
      await written(target, one, [[1n, 'Ada', null]]);
      expect(await all(database)).toEqual([{ _id: 1n, id: 1n, customer: { name: 'Ada', city: null } }]);
      await database.db.collection('orders').updateOne({}, { $set: { own: 'kept', 'customer.own': true } });
      const { counts } = await written(target, one, [[1n, 'Bo', 'Oslo']]);
      expect(counts).toMatchObject({ upserted: 1, unchanged: 0 });
      expect(await all(database)).toEqual([{ _id: 1n, id: 1n, customer: { name: 'Bo', city: 'Oslo', own: true }, own: 'kept' }]);
    }));

  it('have a document of the key fields as _id where there are several', () =>
    withTarget(async (target, database) => {
      const one = streamOf({ a: 'int64', b: 'text', v: 'int32' }, { key: [1, 0] });
      await written(target, one, [[1n, 'x', 5]]);
      expect(
        (await all(database)).map(({ _id }) =>
          JSON.stringify(_id, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
        ),
      ).toEqual(['{"b":"x","a":"1"}']);
      expect((await written(target, one, [[1n, 'x', 5]])).counts).toMatchObject({ unchanged: 1 });
    }));

  it('are set aside one by one where a validator, a unique index or 16 MiB refuse them; the others arrive', () =>
    withTarget(async (target, database) => {
      await database.db.createCollection('orders', { validator: { label: { $ne: 'forbidden' } } });
      await database.db.collection('orders').createIndex({ email: 1 }, { unique: true });
      const one = streamOf({ id: 'int64', label: 'text', email: 'text' });
      const rows: Row[] = [
        [1n, 'a', 'a@example'],
        [2n, 'forbidden', 'b@example'],
        [3n, 'x'.repeat(16 * 1024 * 1024), 'c@example'],
        [4n, 'd', 'a@example'],
        [5n, 'e', 'e@example'],
      ];
      const first = await written(target, one, rows);
      expect(first.faults.map(({ index, code }) => [index, code])).toEqual([
        [1, 'E_RECORD_VALUE'],
        [2, 'E_RECORD_TOO_LARGE'],
        [3, 'E_RECORD_VALUE'],
      ]);
      expect(JSON.stringify(first.faults)).not.toContain('example');
      expect(first.counts).toMatchObject({ upserted: 2 });
      // Delivered again, a document violates the unique index too: by itself.
      const again = await written(target, one, rows);
      expect(again.faults.map(({ index }) => index)).toEqual([1, 2, 3]);
      expect(again.counts).toMatchObject({ upserted: 0, unchanged: 2 });
      expect((await all(database)).map(({ _id }) => _id)).toEqual([1n, 5n]);
    }));

  it('lose nothing by default, and what a policy says, counted', () =>
    withTarget(async (target, database) => {
      const rows: Row[] = [[1n, '1'.repeat(40), 1_700_000_000_123_456n]];
      const fields: Record<string, LogicalType> = { id: 'int64', big: 'decimal', at: 'timestamptz' };
      const strict = await written(target, streamOf(fields), rows);
      expect(strict.faults.map(({ code }) => code)).toEqual(['E_RECORD_LOSS']);
      const cut = await written(target, streamOf(fields, { onLoss: ['error', 'truncate', 'truncate'] }), rows);
      expect(cut.conversions).toEqual([
        { stream: 'orders', field: 'big', kind: 'rounded', count: 1 },
        { stream: 'orders', field: 'at', kind: 'truncated-to-ms', count: 1 },
      ]);
      expect(await all(database)).toMatchObject([{ at: new Date(1_700_000_000_123) }]);
      await written(target, streamOf(fields, { onLoss: ['error', 'text', 'text'] }), rows);
      expect(await all(database)).toMatchObject([{ big: '1'.repeat(40), at: '2023-11-14T22:13:20.123456Z' }]);
      const { streams } = await target.plan([streamOf(fields)], NEVER);
      expect(streams[0]?.fields.map(({ loss }) => loss)).toEqual([undefined, 'more than 34 digits: error', 'µs → ms: error']);
    }));

  it('are marked instead of deleted where the job says so, and are there again once delivered', () =>
    withTarget(async (target, database) => {
      const one = streamOf({ id: 'int64', label: 'text' }, { onDelete: { mark: 'goneAt' } });
      await written(target, one, [
        [1n, 'a'],
        [2n, 'b'],
      ]);
      const marked = await written(
        target,
        one,
        [
          [1n, undefined],
          [9n, undefined],
        ],
        ['delete', 'delete'],
      );
      expect(marked.counts).toMatchObject({ deleted: 1, absent: 1 });
      expect((await written(target, one, [[1n, undefined]], ['delete'])).counts).toMatchObject({ unchanged: 1 });
      expect(await all(database)).toMatchObject([
        { _id: 1n, goneAt: expect.any(Date) as Date },
        { _id: 2n, goneAt: null },
      ]);
      const scanned = await Array.fromAsync(target.scan?.({ stream: one, fields: ['id'], signal: NEVER }) ?? []);
      expect(scanned.flatMap(({ records }) => records.rows())).toEqual([[2n]]);
      await written(target, one, [[1n, 'a']]);
      expect(await all(database)).toMatchObject([{ _id: 1n, goneAt: null }, { _id: 2n }]);
    }));

  it('of a parent that are not listed any more are deleted', () =>
    withTarget(async (target, database) => {
      const one = streamOf({ id: 'int64', parent: 'int64' });
      await written(target, one, [
        [1n, 7n],
        [2n, 7n],
        [3n, 8n],
        [4n, 9n],
      ]);
      const lane = await target.openLane({ owner: owner('run-1', 1), streams: [one], checkpoints: false }, NEVER);
      await lane.bulkUpsert(
        {
          ...batch(one, [
            [2n, 7n],
            [5n, 7n],
          ]),
          replaceWithin: { fields: [1], parents: [[7n], [8n]] },
        },
        NEVER,
      );
      await lane.close();
      expect((await all(database)).map(({ _id }) => _id)).toEqual([2n, 4n, 5n]);
    }));

  it('that are open are replaced as a whole: what the source has lost is gone', () =>
    withTarget(async (target, database) => {
      const rest: Field = { name: '*', type: 'variant', nullable: true };
      const base = streamOf({ _id: 'int64', 'customer.name': 'text' });
      const one: TargetStream = {
        ...base,
        shape: { ...base.shape, fields: [...base.shape.fields, rest], open: true },
        onLoss: ['error', 'error', 'error'],
      };
      await written(target, one, [
        [1n, 'Ada', { variant: 'struct<"b": int32, "customer": struct<"vip": bool>, "1": variant>', value: [5, [true], null] }],
      ]);
      expect(await all(database)).toEqual([{ _id: 1n, customer: { name: 'Ada', vip: true }, b: 5, 1: null }]);
      await written(target, one, [[1n, null, { variant: 'struct<"b": int32>', value: [6] }]]);
      expect(await all(database)).toEqual([{ _id: 1n, b: 6 }]);
    }));

  it('that MongoDB or the mapping would make ambiguous are refused by the plan', () =>
    withTarget(async (target, database) => {
      expect(await problemsOf(target, streamOf({ id: 'int64', $x: 'text' }))).toEqual(['E_MAPPING_INVALID']);
      expect(await problemsOf(target, streamOf({ id: 'int64', 'a..b': 'text' }))).toEqual(['E_MAPPING_INVALID']);
      expect(await problemsOf(target, streamOf({ id: 'int64', a: 'text', 'a.b': 'text' }))).toEqual(['E_MAPPING_INVALID']);
      expect(await problemsOf(target, streamOf({ id: 'int64', _id: 'text' }))).toEqual(['E_MAPPING_KEY']);
      expect(await problemsOf(target, streamOf({ id: { list: 'int64' } }))).toEqual(['E_STREAM_KEY']);
      expect(await problemsOf(target, streamOf({ id: 'int64' }, { target: 'a$b' }))).toEqual(['E_CONFIG_INVALID']);
      await database.db.createCollection('seen', { viewOn: 'orders', pipeline: [] });
      expect(await problemsOf(target, streamOf({ id: 'int64' }, { target: 'seen' }))).toEqual(['E_DRIFT']);
    }));
});
