import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Lane, Letter, Target, TargetStream } from '../../../src/sdk.ts';
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
  textBatch,
  thisProcess,
} from './target-kit.ts';

describeWithPostgres('faults of the postgres target', () => {
  let database: TestDatabase;
  let target: Target;
  const lanes: Lane[] = [];

  beforeEach(async () => {
    database = await createDatabase('faults');
    target = openTarget(database.url);
  });
  afterEach(async () => {
    for (const lane of lanes.splice(0)) await lane.close();
    await target.close();
    await database.drop();
  });

  const stream = streamOf(shapeOf([field('id', 'int64', { nullable: false }), field('v', 'text')]));
  const open = async (streams: readonly TargetStream[] = [stream], request = {}) => {
    const opened = await openOwnedLane(target, streams, request);
    lanes.push(opened.lane);
    return opened;
  };
  const ids = async (table = 'dst') => (await database.query(`select id::int from ${table} order by id`)).map(({ id }) => id as number);
  const backendOf = async () =>
    (
      await database.query(
        `select pid::int from pg_stat_activity where query ~ 'savepoint|trueup_stage|commits' and pid <> pg_backend_pid() and datname = current_database()`,
      )
    ).map(({ pid }) => pid as number);

  it('names the record of a value that does not fit, and keeps what was written before in the same transaction', async () => {
    await database.query('create table dst (id bigint primary key, v int)');
    const ints = streamOf(shapeOf([stream.shape.fields[0]!, field('v', 'text', { native: 'integer' })]));
    const { lane } = await open([ints]);
    await lane.bulkUpsert(textBatch(ints, [['1', '1']]), never);
    const bad = textBatch(ints, [
      ['2', '2'],
      ['3', '3'],
      ['4', 'secret!'],
      ['5', '5'],
    ]);
    const error = await lane.bulkUpsert(bad, never).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: 'E_RECORD_VALUE', details: { recordIndex: 2 } });
    expect(JSON.stringify(error) + (error as Error).message).not.toContain('secret');
    await lane.bulkUpsert(textBatch(ints, [['6', '6']]), never);
    expect((await lane.commit(nothing, never)).streams['src']).toMatchObject({ upserted: 2 });
    expect(await ids()).toEqual([1, 6]);
  });

  it('returns records that no text of Postgres can hold, and writes the others', async () => {
    await prepare(target, [stream]);
    const { lane } = await open();
    const faults = await lane.bulkUpsert(
      batchOf(stream, [
        [1n, 'a\0b'],
        [2n, 'ok'],
        [3n, '\ud800'],
        [null, 'no key'],
        [5n, undefined],
        [6n, '\udc00\ud83d\ude00'],
      ]),
      never,
    );
    const byIndex = faults.toSorted((a, b) => a.index - b.index).map(({ index, code }) => [index, code]);
    expect(byIndex).toEqual([0, 2, 3, 4, 5].map((index) => [index, 'E_RECORD_VALUE']));
    await lane.commit(nothing, never);
    expect(await ids()).toEqual([2]);
  });

  it('says that a row without its parent came too early, and writes children after parents of the same commit', async () => {
    await database.query(
      'create table parent (id bigint primary key, v text); create table dst (id bigint primary key, v text, parent bigint references parent)',
    );
    const parents = streamOf(stream.shape, { stream: 'parents', target: 'parent' });
    const children = streamOf(shapeOf([...stream.shape.fields, field('parent', 'int64')]));
    const { lane } = await open([parents, children]);
    await expect(lane.bulkUpsert(batchOf(children, [[1n, 'a', 7n]]), never)).rejects.toMatchObject({
      code: 'E_RECORD_ORDER',
      fault: 'order',
    });
    await lane.bulkUpsert(batchOf(parents, [[7n, 'p']]), never);
    await lane.bulkUpsert(batchOf(children, [[1n, 'a', 7n]]), never);
    await lane.commit(nothing, never);
    await expect(lane.bulkUpsert(changesOf(parents, [['delete', 7n]]), never)).rejects.toMatchObject({ code: 'E_RECORD_ORDER' });
    expect(await ids()).toEqual([1]);
  });

  it('reports a deferred constraint at the commit, with nothing written, and can be discarded', async () => {
    await database.query(
      'create table parent (id bigint primary key); create table dst (id bigint primary key, v text, parent bigint references parent deferrable initially deferred)',
    );
    const children = streamOf(shapeOf([...stream.shape.fields, field('parent', 'int64')]));
    const { lane, owner } = await open([children]);
    await lane.bulkUpsert(batchOf(children, [[1n, 'a', 7n]]), never);
    await expect(lane.commit({ ...nothing, checkpoints: [checkpointOf(owner)] }, never)).rejects.toMatchObject({ code: 'E_RECORD_ORDER' });
    await lane.discard();
    expect(await target.checkpoints?.list('job', never)).toEqual([]);
    await lane.bulkUpsert(batchOf(children, [[1n, 'a', null]]), never);
    await lane.commit(nothing, never);
    expect(await ids()).toEqual([1]);
  });

  it('takes a unique value of another row as a fault of the record, and frees the values of rows that go', async () => {
    await database.query(`create table dst (id bigint primary key, v text unique); insert into dst values (1, 'taken')`);
    const { lane } = await open();
    await expect(lane.bulkUpsert(batchOf(stream, [[2n, 'taken']]), never)).rejects.toMatchObject({
      code: 'E_RECORD_VALUE',
      message: expect.stringContaining('dst_v_key'),
    });
    await lane.bulkUpsert(
      changesOf(stream, [
        ['upsert', 2n, 'taken'],
        ['delete', 1n],
      ]),
      never,
    );
    await lane.commit(nothing, never);
    expect(await ids()).toEqual([2]);
  });

  it('takes a check that fails as a fault of the record, a full lock queue as busy, and a table that is gone as a changed plan', async () => {
    await database.query(`create table dst (id bigint primary key, v text check (v <> 'bad')); insert into dst values (1, 'a')`);
    const impatient = openTarget(database.url, { lockTimeout: '200ms' });
    const { lane } = await openOwnedLane(impatient, [stream]);
    lanes.push(lane);
    await expect(lane.bulkUpsert(batchOf(stream, [[2n, 'bad']]), never)).rejects.toMatchObject({ code: 'E_RECORD_VALUE' });
    await database.query(`begin; update dst set v = 'held'`);
    await expect(lane.bulkUpsert(batchOf(stream, [[1n, 'b']]), never)).rejects.toMatchObject({ code: 'E_BUSY', fault: 'environment' });
    await database.query(`rollback; drop table dst`);
    await expect(lane.bulkUpsert(batchOf(stream, [[1n, 'b']]), never)).rejects.toMatchObject({ code: 'E_PLAN_CHANGED' });
    await impatient.close();
  });

  it('refuses a shape that was not planned for', async () => {
    await prepare(target, [stream]);
    const { lane } = await open();
    const [id, v] = stream.shape.fields;
    for (const fields of [
      [id!, v!, field('new', 'text')],
      [id!],
      [id!, field('v', 'int32')],
      [id!, field('v', 'text', { native: 'citext' })],
    ]) {
      const other = { ...stream, shape: shapeOf(fields) };
      await expect(lane.bulkUpsert(batchOf(other, [fields.map(() => null)]), never)).rejects.toMatchObject({
        code: 'E_PLAN_CHANGED',
        fault: 'plan',
      });
    }
    await expect(
      target.openLane(
        { owner: { job: 'job', run: 'r', epoch: 1, process: thisProcess }, streams: [{ ...stream, target: 'gone' }], checkpoints: false },
        never,
      ),
    ).rejects.toMatchObject({ code: 'E_PLAN_CHANGED' });
  });

  it.each(['between batches', 'in the middle of a batch'])(
    'loses a backend that is killed %s as the environment, with nothing visible',
    async (when) => {
      await prepare(target, [stream]);
      const { lane, owner } = await open();
      await lane.bulkUpsert(batchOf(stream, [[1n, 'a']]), never);
      const kill = async () => {
        const [pid] = await backendOf();
        await database.query('select pg_terminate_backend($1::int, 5000)', [String(pid)]);
      };
      const large = batchOf(
        stream,
        Array.from({ length: 100_000 }, (_, index) => [BigInt(index), 'x'.repeat(200)]),
      );
      if (when === 'between batches') await kill();
      const writing = lane.bulkUpsert(large, never);
      if (when !== 'between batches') setTimeout(() => void kill(), 100);
      await expect(writing).rejects.toMatchObject({ code: 'E_CONNECTION_LOST', fault: 'environment' });
      await expect(lane.commit({ ...nothing, checkpoints: [checkpointOf(owner)] }, never)).rejects.toMatchObject({ fault: 'environment' });
      await lane.discard();
      expect(await ids()).toEqual([]);
      expect(await target.checkpoints?.list('job', never)).toEqual([]);
    },
  );

  it('cancels on the server what an abort interrupts', async () => {
    await prepare(target, [stream]);
    await database.query(
      `create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return new; end $$; create trigger slow before insert on dst for each row execute function slow()`,
    );
    const { lane } = await open();
    const abort = new AbortController();
    const writing = lane.bulkUpsert(batchOf(stream, [[1n, 'a']]), abort.signal);
    setTimeout(() => abort.abort(new Error('enough')), 300);
    const started = Date.now();
    await expect(writing).rejects.toThrow('enough');
    await lane.close();
    expect(Date.now() - started).toBeLessThan(5000);
    await expect
      .poll(
        async () =>
          database.query(`select pid from pg_stat_activity where query ~ 'trueup_stage' and state = 'active' and pid <> pg_backend_pid()`),
        { timeout: 5000 },
      )
      .toEqual([]);
    expect(await ids()).toEqual([]);
  });

  it('writes nothing for an owner whose lease ran out while it stood still, and ends its stalled backend', async () => {
    await prepare(target, [stream]);
    const stalled = await open([stream], { ttlMs: 50 });
    await stalled.lane.bulkUpsert(batchOf(stream, [[1n, 'of the old owner']]), never);
    await sleep(100);
    const successor = openTarget(database.url);
    const next = await openOwnedLane(successor, [stream]);
    expect(next.owner.epoch).toBe(stalled.owner.epoch + 1);
    await next.lane.bulkUpsert(batchOf(stream, [[1n, 'of the new owner']]), never);
    await next.lane.commit({ ...nothing, checkpoints: [checkpointOf(next.owner)] }, never);
    await expect(stalled.lane.commit({ ...nothing, checkpoints: [checkpointOf(stalled.owner)] }, never)).rejects.toMatchObject({
      code: 'E_FENCED',
      fault: 'fenced',
    });
    expect(await database.query('select v from dst')).toEqual([{ v: 'of the new owner' }]);
    expect(await target.checkpoints?.list('job', never)).toMatchObject([{ epoch: next.owner.epoch }]);
    await next.lane.close();
    await successor.close();
  });

  it('is fenced by the epoch alone where the backend cannot be ended', async () => {
    await prepare(target, [stream]);
    const { lane, owner } = await open();
    await lane.bulkUpsert(batchOf(stream, [[1n, 'a']]), never);
    await database.query(`update trueup.leases set epoch = epoch + 1`);
    const letter: Letter = {
      job: 'job',
      stream: 'src',
      key: '["1"]',
      kind: 'record',
      code: 'E_RECORD_VALUE',
      message: '',
      run: 'r',
      at: '2026-11-24T10:00:00.000Z',
      attempts: 1,
    };
    await expect(lane.commit({ checkpoints: [checkpointOf(owner)], letters: [letter], resolved: [] }, never)).rejects.toMatchObject({
      code: 'E_FENCED',
    });
    expect([await ids(), await target.checkpoints?.list(null, never), await target.checkpoints?.letters({}, never)]).toEqual([[], [], []]);
  });

  it('never waits in a circle with another writer of the same rows', async () => {
    await prepare(target, [stream]);
    const other = openTarget(database.url);
    const pair = [await open([stream], { job: 'one' }), await openOwnedLane(other, [stream], { job: 'two' })];
    const rowsOf = (round: number, order: 1 | -1) =>
      Array.from({ length: 500 }, (_, index) => [BigInt(index), `${round} ${order}`]).sort(
        (a, b) => order * Number((a[0] as bigint) - (b[0] as bigint)),
      );
    await Promise.all(
      pair.map(async ({ lane }, writer) => {
        for (let round = 0; round < 15; round++) {
          const rows = rowsOf(round, writer === 0 ? 1 : -1);
          const isDelete = round % 3 === 2;
          await lane.bulkUpsert(
            isDelete
              ? changesOf(
                  stream,
                  rows.map(([id]) => ['delete', id] as const),
                )
              : batchOf(stream, rows),
            never,
          );
          await lane.commit(nothing, never);
        }
      }),
    );
    await pair[1]!.lane.close();
    await other.close();
  });

  it('holds values of 5 MB and rows of 200 columns', { timeout: 120_000 }, async () => {
    const wide = streamOf(
      shapeOf([stream.shape.fields[0]!, ...Array.from({ length: 199 }, (_, index) => field(`c${index}`, index % 2 ? 'text' : 'int64'))]),
      { stream: 'wide', target: 'wide' },
    );
    await prepare(target, [stream, wide]);
    const { lane } = await open([stream, wide]);
    const value = '\\é\n'.repeat(1_250_000);
    for (let id = 0; id < 5; id++) await lane.bulkUpsert(batchOf(stream, [[BigInt(id), value]]), never);
    await lane.bulkUpsert(
      batchOf(
        wide,
        Array.from({ length: 2000 }, (_, id) => [
          BigInt(id),
          ...Array.from({ length: 199 }, (__, index) => (index % 2 ? `text ${index}` : BigInt(index))),
        ]),
      ),
      never,
    );
    await lane.commit(nothing, never);
    expect(await database.query('select count(*)::int as rows, min(octet_length(v))::int as bytes from dst')).toEqual([
      { rows: 5, bytes: Buffer.byteLength(value) },
    ]);
    expect(await database.query("select v = repeat(E'\\\\é\\n', 1250000) as same from dst limit 1")).toEqual([{ same: true }]);
    expect(await database.query('select count(*)::int as rows, max(c198)::int as last from wide')).toEqual([{ rows: 2000, last: 198 }]);
  });

  it('commits durably although the role is set not to', async () => {
    await database.query(`alter database ${database.name} set synchronous_commit to off`);
    await prepare(target, [stream]);
    await database.query(`create table said (setting text); create function note() returns trigger language plpgsql as $$ begin insert into said values (current_setting('synchronous_commit')); return new; end $$;
      create trigger note before insert on dst for each row execute function note()`);
    const { lane } = await open();
    await lane.bulkUpsert(batchOf(stream, [[1n, 'a']]), never);
    await lane.commit(nothing, never);
    expect(await database.query('select setting from said')).toEqual([{ setting: 'on' }]);
  });
});
