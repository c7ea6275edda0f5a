import { afterEach, beforeEach, expect, it } from 'vitest';
import { decodedCell } from '../../../src/sdk.ts';
import type { Batch, Lane, Target, TargetStream } from '../../../src/sdk.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import {
  batchOf,
  changesOf,
  checkpointOf,
  field,
  never,
  nothing,
  openOwnedLane,
  openTarget,
  prepare,
  shapeOf,
  streamOf,
} from './target-kit.ts';
import type { Change } from './target-kit.ts';

describeWithPostgres('the lane of the postgres target', () => {
  let database: TestDatabase;
  let target: Target;
  const lanes: Lane[] = [];

  beforeEach(async () => {
    database = await createDatabase('target');
    target = openTarget(database.url);
  });
  afterEach(async () => {
    for (const lane of lanes.splice(0)) await lane.close();
    await target.close();
    await database.drop();
  });

  const people = (given: Partial<TargetStream> = {}) =>
    streamOf(
      shapeOf([field('id', 'int64', { nullable: false }), field('name', 'text'), field('age', 'int32'), field('seen', 'timestamptz')]),
      given,
    );
  const open = async (stream: TargetStream) => {
    const opened = await openOwnedLane(target, [stream]);
    lanes.push(opened.lane);
    return opened;
  };
  const rows = () => database.query('select id::int, name, age from dst order by id');
  const write = async (lane: Lane, stream: TargetStream, changes: readonly Change[]) => {
    const faults = await lane.bulkUpsert(changesOf(stream, changes), never);
    return { faults, counts: (await lane.commit(nothing, never)).streams['src'] };
  };

  it('creates the table, writes, and tells new, changed and unchanged records apart', async () => {
    const stream = people();
    const plan = await prepare(target, [stream]);
    expect(plan.streams[0]?.problems).toEqual([]);
    expect(plan.streams[0]?.creates).toBe(true);
    const { lane } = await open(stream);
    const first = await write(lane, stream, [
      ['upsert', 1n, 'Ada', 36, 0n],
      ['upsert', 2n, null, null, null],
    ]);
    expect(first).toEqual({ faults: [], counts: { upserted: 2, unchanged: 0, deleted: 0, absent: 0, superseded: 0 } });
    const again = await write(lane, stream, [
      ['upsert', 1n, 'Ada', 36, 0n],
      ['upsert', 2n, 'Bob', null, null],
      ['upsert', 3n, 'Eve', 1, 1n],
    ]);
    expect(again.counts).toEqual({ upserted: 2, unchanged: 1, deleted: 0, absent: 0, superseded: 0 });
    expect(await rows()).toEqual([
      { id: 1, name: 'Ada', age: 36 },
      { id: 2, name: 'Bob', age: null },
      { id: 3, name: 'Eve', age: 1 },
    ]);
    expect((await target.plan([stream], never)).streams[0]).toMatchObject({ statements: [], problems: [], creates: false });
  });

  it('shows nothing before the commit, and everything of several batches with the checkpoint after it', async () => {
    const stream = people();
    await prepare(target, [stream]);
    const { lane, owner } = await open(stream);
    await lane.bulkUpsert(batchOf(stream, [[1n, 'a', 1, null]]), never);
    await lane.bulkUpsert(
      batchOf(stream, [
        [2n, 'b', 2, null],
        [1n, 'c', 1, null],
      ]),
      never,
    );
    expect(await rows()).toEqual([]);
    const result = await lane.commit({ ...nothing, checkpoints: [checkpointOf(owner)] }, never);
    expect(result.streams['src']).toMatchObject({ upserted: 3 });
    expect(await rows()).toHaveLength(2);
    expect(await target.checkpoints?.list('job', never)).toMatchObject([checkpointOf(owner)]);
  });

  it('deletes by key, and counts deletes of what is not there apart', async () => {
    const stream = people();
    await prepare(target, [stream]);
    const { lane } = await open(stream);
    await write(lane, stream, [
      ['upsert', 1n, 'a', 1, null],
      ['upsert', 2n, 'b', 2, null],
    ]);
    const { counts } = await write(lane, stream, [
      ['delete', 1n],
      ['delete', 9n],
      ['upsert', 3n, 'c', 3, null],
    ]);
    expect(counts).toEqual({ upserted: 1, unchanged: 0, deleted: 1, absent: 1, superseded: 0 });
    expect(await rows()).toEqual([
      { id: 2, name: 'b', age: 2 },
      { id: 3, name: 'c', age: 3 },
    ]);
  });

  it('keeps rows whose deletes it is to ignore', async () => {
    const stream = people({ onDelete: 'ignore' });
    await prepare(target, [stream]);
    const { lane } = await open(stream);
    await write(lane, stream, [['upsert', 1n, 'a', 1, null]]);
    expect((await write(lane, stream, [['delete', 1n], ['truncate']])).counts).toEqual({
      upserted: 0,
      unchanged: 2,
      deleted: 0,
      absent: 0,
      superseded: 0,
    });
    expect(await rows()).toHaveLength(1);
  });

  it.each(['boolean', 'timestamptz'])(
    'marks deleted rows in a %s column, once, and clears the mark when the row comes again',
    async (type) => {
      await database.query(`create table dst (id bigint primary key, name text, age int, seen timestamptz, gone ${type})`);
      const stream = people({ onDelete: { mark: 'gone' } });
      expect((await prepare(target, [stream])).streams[0]).toMatchObject({ statements: [], problems: [] });
      const { lane } = await open(stream);
      const marks = async () =>
        (await database.query(`select gone is not null and gone::text <> 'false' as marked from dst order by id`)).map(
          ({ marked }) => marked as boolean,
        );
      await write(lane, stream, [
        ['upsert', 1n, 'a', 1, null],
        ['upsert', 2n, 'b', 1, null],
      ]);
      expect(
        (
          await write(lane, stream, [
            ['delete', 1n],
            ['delete', 9n],
          ])
        ).counts,
      ).toMatchObject({ deleted: 1, absent: 1 });
      expect((await write(lane, stream, [['delete', 1n]])).counts).toMatchObject({ deleted: 0, unchanged: 1 });
      expect(await marks()).toEqual([true, false]);
      expect(
        (
          await write(lane, stream, [
            ['upsert', 1n, 'a', 1, null],
            ['upsert', 2n, 'b', 1, null],
          ])
        ).counts,
      ).toMatchObject({ upserted: 1, unchanged: 1 });
      expect(await marks()).toEqual([false, false]);
    },
  );

  it('does not read back what is marked as deleted', async () => {
    const stream = people({ onDelete: { mark: 'gone' } });
    await prepare(target, [stream]);
    const { lane } = await open(stream);
    await write(lane, stream, [
      ['upsert', 1n, 'a', 1, null],
      ['upsert', 2n, 'b', 2, null],
    ]);
    await write(lane, stream, [['delete', 1n]]);
    const read = async (batches: AsyncIterable<Batch> | undefined) => {
      const found = await Array.fromAsync(batches ?? []);
      expect(found.map((batch) => batch.stream)).toEqual(found.map(() => 'src'));
      return found.flatMap(({ records }) => records.rows().map((row) => decodedCell(records, row, 0)));
    };
    expect(await read(target.scan?.({ stream, fields: ['id'], signal: never }))).toEqual([2n]);
    expect(await read(target.fetchBy?.(stream, ['id'], [[1n], [2n]], never))).toEqual([2n]);
  });

  it('creates the mark column where there is none', async () => {
    const stream = people({ onDelete: { mark: 'gone' } });
    await prepare(target, [stream]);
    const { lane } = await open(stream);
    await write(lane, stream, [['upsert', 1n, 'a', 1, null]]);
    await write(lane, stream, [['truncate']]);
    expect(await database.query('select id::int, gone is not null as marked from dst')).toEqual([{ id: 1, marked: true }]);
  });

  it('patches only the cells that are there, and reports patches whose row is missing', async () => {
    const stream = people();
    await prepare(target, [stream]);
    const { lane } = await open(stream);
    await write(lane, stream, [
      ['upsert', 1n, 'a', 1, null],
      ['upsert', 2n, 'b', 2, null],
    ]);
    const { faults, counts } = await write(lane, stream, [
      ['patch', 1n, 'A'],
      ['patch', 2n, undefined, null],
      ['patch', 7n, 'x'],
      ['patch', 8n, undefined, 4],
      ['upsert', 3n, 'c', 3, null],
    ]);
    expect(faults.map(({ index, code }) => [index, code])).toEqual([
      [2, 'E_RECORD_MISSING'],
      [3, 'E_RECORD_MISSING'],
    ]);
    expect(counts).toEqual({ upserted: 3, unchanged: 0, deleted: 0, absent: 0, superseded: 0 });
    expect(await rows()).toEqual([
      { id: 1, name: 'A', age: 1 },
      { id: 2, name: 'b', age: null },
      { id: 3, name: 'c', age: 3 },
    ]);
    expect((await write(lane, stream, [['patch', 1n, 'A']])).counts).toMatchObject({ upserted: 0, unchanged: 1 });
  });

  it('takes a truncate as a barrier within the batch, and counts it as one delete', async () => {
    const stream = people();
    await prepare(target, [stream]);
    const { lane } = await open(stream);
    await write(lane, stream, [
      ['upsert', 1n, 'a', 1, null],
      ['upsert', 2n, 'b', 2, null],
    ]);
    const { counts } = await write(lane, stream, [['upsert', 3n, 'c', 3, null], ['truncate'], ['upsert', 1n, 'z', 9, null]]);
    expect(counts).toEqual({ upserted: 2, unchanged: 0, deleted: 1, absent: 0, superseded: 0 });
    expect(await rows()).toEqual([{ id: 1, name: 'z', age: 9 }]);
  });

  it('refuses writes that are older than the guard, and takes a row without a guard value as older', async () => {
    const stream = people({ guard: 'seen' });
    await prepare(target, [stream]);
    const { lane } = await open(stream);
    await write(lane, stream, [
      ['upsert', 1n, 'new', 1, 100n],
      ['upsert', 2n, 'none', 1, null],
      ['upsert', 3n, 'same', 1, 100n],
    ]);
    const { counts } = await write(lane, stream, [
      ['upsert', 1n, 'old', 2, 99n],
      ['upsert', 2n, 'now', 2, 1n],
      ['upsert', 3n, 'same', 1, 100n],
      ['patch', 1n, 'older', undefined, 5n],
    ]);
    expect(counts).toEqual({ upserted: 1, unchanged: 1, deleted: 0, absent: 0, superseded: 2 });
    expect((await write(lane, stream, [['upsert', 1n, 'nothing', 2, null]])).counts).toMatchObject({ superseded: 1 });
    expect(await rows()).toMatchObject([{ name: 'new' }, { name: 'now' }, { name: 'same' }]);
  });

  it('deletes the rows of listed parents that a batch does not list', async () => {
    const stream = streamOf(
      shapeOf([field('order_id', 'int64', { nullable: false }), field('line', 'int32', { nullable: false }), field('sku', 'text')], [0, 1]),
    );
    await prepare(target, [stream]);
    const { lane } = await open(stream);
    await write(lane, stream, [
      ['upsert', 1n, 1, 'a'],
      ['upsert', 1n, 2, 'b'],
      ['upsert', 2n, 1, 'c'],
      ['upsert', 3n, 1, 'd'],
    ]);
    await lane.bulkUpsert(batchOf(stream, [[1n, 2, 'B']], { replaceWithin: { fields: [0], parents: [[1n], [2n]] } }), never);
    expect((await lane.commit(nothing, never)).streams['src']).toMatchObject({ upserted: 1, deleted: 2 });
    expect(await database.query('select order_id::int, line, sku from dst order by 1, 2')).toEqual([
      { order_id: 1, line: 2, sku: 'B' },
      { order_id: 3, line: 1, sku: 'd' },
    ]);
  });

  it('forgets what was discarded and goes on', async () => {
    const stream = people();
    await prepare(target, [stream]);
    const { lane } = await open(stream);
    await lane.bulkUpsert(batchOf(stream, [[1n, 'a', 1, null]]), never);
    await lane.discard();
    await lane.discard();
    expect((await write(lane, stream, [['upsert', 2n, 'b', 2, null]])).counts).toMatchObject({ upserted: 1 });
    expect(await rows()).toEqual([{ id: 2, name: 'b', age: 2 }]);
    await lane.close();
    await lane.close();
  });
});
