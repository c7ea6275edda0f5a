import { beforeEach, expect, it } from 'vitest';
import type { Cell, Lane, Owner, Row, Target, TargetStream } from '../../../src/sdk.ts';
import { pruneNotes } from '../../../connectors/postgres/store/commits.ts';
import { storeTables } from '../../../connectors/postgres/store/schema.ts';
import { withSession } from '../../../connectors/postgres/session/session.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import { testServer } from './source-kit.ts';
import { batchOf, changesOf, field, never, nothing, openOwnedLane, openTarget, prepare, shapeOf, streamOf } from './target-kit.ts';

const SHAPE = shapeOf([field('id', 'int64', { nullable: false }), field('value', 'text')]);

describeWithPostgres('which commit wrote a row of PostgreSQL', () => {
  let database: TestDatabase;
  let target: Target;
  let stream: TargetStream;

  beforeEach(async () => {
    database = await createDatabase('written');
    target = openTarget(database.url);
    stream = streamOf(SHAPE);
    await prepare(target, [stream]);
    return () => target.close();
  });

  const written = (id: bigint, of = stream) => target.writtenBy?.(of, [id], never);
  const inLane = async (run: string, work: (lane: Lane, owner: Owner) => Promise<unknown>, of = stream) => {
    const { owner, lane } = await openOwnedLane(target, [of], { run, isAlive: () => false });
    await work(lane, owner);
    await lane.close();
    return owner;
  };
  const write = async (lane: Lane, position: string, rows: readonly Row[]) => {
    expect(await lane.bulkUpsert(batchOf(stream, rows, { position: { text: position } }), never)).toEqual([]);
  };

  it('is told batch by batch, although they commit together', async () => {
    const owner = await inLane('run-1', async (lane) => {
      await write(lane, 'first', [[1n, 'a']]);
      await write(lane, 'second', [
        [2n, 'b'],
        [3n, 'c'],
      ]);
      await lane.commit(nothing, never);
    });
    expect(await written(1n)).toMatchObject({
      run: 'run-1',
      epoch: owner.epoch,
      position: 'first',
      at: expect.stringMatching(/^20\d\d-.*Z$/),
    });
    expect(await written(3n)).toMatchObject({ run: 'run-1', position: 'second' });
    expect(await written(4n)).toBeNull();
  });

  it('is the last one that changed the row, not one that found it as it was', async () => {
    await inLane('run-1', async (lane) => {
      await write(lane, 'first', [
        [1n, 'a'],
        [2n, 'a'],
      ]);
      await lane.commit(nothing, never);
    });
    const owner = await inLane('run-2', async (lane) => {
      await write(lane, 'again', [
        [1n, 'a'],
        [2n, 'changed'],
      ]);
      await lane.commit(nothing, never);
    });
    expect(await written(1n)).toMatchObject({ run: 'run-1', epoch: owner.epoch - 1, position: 'first' });
    expect(await written(2n)).toMatchObject({ run: 'run-2', epoch: owner.epoch, position: 'again' });
  });

  it('is not a batch that failed', async () => {
    await database.query(`alter table dst add check (value <> 'bad')`);
    await inLane('run-1', async (lane) => {
      await write(lane, 'first', [[1n, 'a']]);
      const bad = batchOf(
        stream,
        [
          [1n, 'b'],
          [2n, 'bad'],
        ],
        { position: { text: 'failed' } },
      );
      await expect(lane.bulkUpsert(bad, never)).rejects.toMatchObject({ fault: 'record' });
      await write(lane, 'second', [[2n, 'a']]);
      await lane.commit(nothing, never);
    });
    expect([await written(1n), await written(2n)]).toMatchObject([{ position: 'first' }, { position: 'second' }]);
    expect(await database.query('select position from trueup.commits order by at')).toEqual([
      { position: 'first' },
      { position: 'second' },
    ]);
  });

  it('is not told of a row that somebody else wrote last', async () => {
    await inLane('run-1', async (lane) => {
      await write(lane, 'first', [
        [1n, 'a'],
        [2n, 'a'],
      ]);
      await lane.commit(nothing, never);
    });
    await database.query(`update dst set value = 'by hand' where id = 1; insert into dst values (7, 'by hand')`);
    expect([await written(1n), await written(7n)]).toEqual([null, null]);
    expect(await written(2n)).toMatchObject({ run: 'run-1' });
  });

  it('is told of a row that was marked as deleted', async () => {
    const marking = streamOf(SHAPE, { target: 'marked', onDelete: { mark: 'gone' } });
    await prepare(target, [marking]);
    const put = (lane: Lane) => lane.bulkUpsert(batchOf(marking, [[1n, 'a']], { position: { text: 'put' } }), never);
    await inLane('run-1', async (lane) => (await put(lane), await lane.commit(nothing, never)), marking);
    await inLane(
      'run-2',
      async (lane) => (await lane.bulkUpsert(changesOf(marking, [['delete', 1n]]), never), await lane.commit(nothing, never)),
      marking,
    );
    expect(await written(1n, marking)).toMatchObject({ run: 'run-2' });
  });

  it('survives VACUUM FREEZE, and takes keys of several columns and of partitioned tables', async () => {
    await database.query(`create table parts (a text, b timestamptz, value text, primary key (a, b)) partition by hash (a);
      create table parts_0 partition of parts for values with (modulus 2, remainder 0); create table parts_1 partition of parts for values with (modulus 2, remainder 1)`);
    const parted = streamOf(shapeOf([field('a', 'text'), field('b', 'timestamptz'), field('value', 'text')], [0, 1]), { target: 'parts' });
    const rows: Row[] = Array.from({ length: 20 }, (_, n): Cell[] => [`k'${n}`, BigInt(n) + 1n, 'v']);
    await inLane('run-1', async (lane) => (await lane.bulkUpsert(batchOf(parted, rows), never), await lane.commit(nothing, never)), parted);
    await database.query('vacuum freeze parts');
    await database.query('vacuum freeze trueup.commits');
    for (const [a, b] of rows) expect(await target.writtenBy?.(parted, [a, b], never)).toMatchObject({ run: 'run-1' });
    expect(await target.writtenBy?.(parted, ["k'0", 2n], never)).toBeNull();
  });

  it('is unknown where several notes share the transaction of the row, as after a restore', async () => {
    await inLane('run-1', async (lane) => {
      await write(lane, 'first', [[1n, 'a']]);
      await lane.commit(nothing, never);
      await write(lane, 'second', [[2n, 'a']]);
      await lane.commit(nothing, never);
    });
    await database.query(`begin; create table notes as select * from trueup.commits; truncate trueup.commits; insert into trueup.commits select * from notes;
      create table rows as select * from dst; truncate dst; insert into dst select * from rows; commit`);
    expect([await written(1n), await written(2n)]).toEqual([null, null]);
  });

  it('is unknown where the target does not exist, has no checkpoints of ours, or the key is NULL', async () => {
    expect(await target.writtenBy?.(streamOf(SHAPE, { target: 'nowhere' }), [1n], never)).toBeNull();
    expect(await written(1n)).toBeNull();
    expect(await target.writtenBy?.(stream, [null], never)).toBeNull();
  });

  it('costs no note for a batch that changes nothing', async () => {
    for (const run of ['run-1', 'run-2'])
      await inLane(run, async (lane) => {
        await write(lane, 'rows', [[1n, 'a']]);
        await lane.commit(nothing, never);
      });
    expect(await database.query('select run from trueup.commits')).toEqual([{ run: 'run-1' }]);
  });

  it('keeps a bounded number of notes of each job', async () => {
    await inLane('run-1', async (lane) => {
      for (let id = 1; id <= 10; id++) await write(lane, `batch ${id}`, [[BigInt(id), 'a']]);
      await lane.commit(nothing, never);
    });
    await database.query(
      `insert into trueup.commits select 'other', run, epoch, stream, position, at - interval '91 days' from trueup.commits`,
    );
    const prune = (job: string) =>
      withSession(testServer(database.url), { purpose: 'write', signal: never }, (session) =>
        pruneNotes(session, storeTables('trueup'), job, { count: 4, days: 90, transactions: 1_000_000 }),
      );
    await prune('job');
    expect(await database.query(`select position from trueup.commits where job = 'job' order by at`)).toEqual(
      [7, 8, 9, 10].map((id) => ({ position: `batch ${id}` })),
    );
    expect(await written(6n)).toBeNull();
    expect(await written(7n)).toMatchObject({ position: 'batch 7' });
    expect(await database.query(`select count(*)::int as kept from trueup.commits where job = 'other'`)).toEqual([{ kept: 10 }]);
    await prune('other');
    expect(await database.query(`select count(*)::int as kept from trueup.commits where job = 'other'`)).toEqual([{ kept: 0 }]);
  });

  it('comes to a target that an earlier version made', async () => {
    await inLane('run-1', async (lane) => {
      await write(lane, 'first', [[1n, 'a']]);
      await lane.commit(nothing, never);
    });
    await database.query('drop table trueup.commits, trueup.breakers; delete from trueup.schema_version where version > 1');
    expect(await written(1n)).toBeNull();
    await target.close();
    target = openTarget(database.url);
    await inLane('run-2', async (lane) => {
      await write(lane, 'second', [[2n, 'a']]);
      await lane.commit(nothing, never);
    });
    expect([await written(1n), await written(2n)]).toMatchObject([null, { run: 'run-2' }]);
  });
});
