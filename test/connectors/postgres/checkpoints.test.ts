import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openCheckpoints } from '../../../connectors/postgres/store/checkpoints.ts';
import { options } from '../../../connectors/postgres/options.ts';
import { resolveServer } from '../../../connectors/postgres/session/session.ts';
import { openState } from '../../../connectors/postgres/store/state.ts';
import type { Checkpoint, CheckpointStore, Letter, RunRecord } from '../../../src/sdk.ts';
import { createDatabase, createRole, describeWithPostgres } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import {
  acquireRequest,
  batchOf,
  checkpointOf,
  context,
  field,
  never,
  nothing,
  openOwnedLane,
  openTarget,
  prepare,
  shapeOf,
  streamOf,
} from './target-kit.ts';

describeWithPostgres('checkpoints in postgres', () => {
  let database: TestDatabase;
  const closing: { close(): Promise<void> }[] = [];

  beforeEach(async () => {
    database = await createDatabase('checkpoints');
  });
  afterEach(async () => {
    for (const one of closing.splice(0).reverse()) await one.close();
    await database.drop();
  });

  const serverOf = (url = database.url) => resolveServer(options.parse({ url }), context);
  const storeIn = (schema = 'trueup', url = database.url): CheckpointStore => {
    const store = openCheckpoints({ server: serverOf(url), schema, atomic: true });
    closing.push(store);
    return store;
  };
  const schemas = () => database.query(`select nspname from pg_namespace where nspname like 'trueup%' order by 1`);
  const letterOf = (given: Partial<Letter> = {}): Letter => ({
    job: 'job',
    stream: 'src',
    key: '["1"]',
    kind: 'record',
    code: 'E_RECORD_VALUE',
    message: 'no',
    run: 'r',
    at: '2026-11-24T10:00:00.123Z',
    attempts: 1,
    ...given,
  });

  it('makes nothing until a job is acquired, and reads as empty before', async () => {
    const store = storeIn();
    expect([await store.list(null, never), await store.letters({}, never), await store.owner('job', never)]).toEqual([[], [], null]);
    expect(await schemas()).toEqual([]);
    await store.acquire(acquireRequest(), never);
    expect(await schemas()).toEqual([{ nspname: 'trueup' }]);
  });

  it('is made once by many that start at the same time, of whom one gets the job', async () => {
    const stores = Array.from({ length: 6 }, () => storeIn());
    const results = await Promise.allSettled(stores.map((store) => store.acquire(acquireRequest(), never)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'E_OWNED' });
    expect(await database.query('select version from trueup.schema_version')).toEqual([{ version: 1 }, { version: 2 }, { version: 3 }]);
  });

  it('refuses tables that a newer trueup has made', async () => {
    await storeIn().acquire(acquireRequest(), never);
    await database.query('insert into trueup.schema_version (version) values (99)');
    await expect(storeIn().acquire(acquireRequest({ job: 'other' }), never)).rejects.toMatchObject({
      code: 'E_STATE',
      message: expect.stringContaining('99'),
    });
  });

  it('says in full who owns a job', async () => {
    await storeIn().acquire(acquireRequest({ run: 'run-1', process: { host: 'far-away', pid: 4711, started: 'x' } }), never);
    const refused = await storeIn()
      .acquire(acquireRequest(), never)
      .catch((error: unknown) => error as Error);
    expect(refused).toMatchObject({
      code: 'E_OWNED',
      message: expect.stringMatching(/job'.*run run-1: process 4711 on host far-away, since \d{4}-.*Z; its lease lasts until \d{4}-.*Z/),
    });
  });

  it('gives back cursors to the character: digits, order, control characters, half a surrogate', async () => {
    const store = storeIn();
    const owner = await store.acquire(acquireRequest(), never);
    const cursor = {
      z: 1,
      a: '12345678901234567890.10',
      '': [1e21, -0.1, null, true],
      control: '\u0000\u001f\\"',
      half: '\ud800',
      deep: { '1': {}, '0': [] },
    };
    const checkpoint = checkpointOf(owner, {
      cursor,
      feed: { id: 'f\u0000', kind: 'backfill', streams: ['a', 'b'], range: { from: ['1'] }, where: 'x' },
      position: { text: 'p', timeMs: 1_700_000_000_123.5 },
    });
    await store.save(owner, { checkpoints: [checkpoint] }, never);
    const [read] = (await store.list('job', never)) as [Checkpoint];
    expect(JSON.stringify(read.cursor)).toBe(JSON.stringify(cursor));
    expect(read).toEqual({ ...checkpoint, savedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) });
    await store.save(owner, { dropFeeds: ['f\u0000'] }, never);
    expect(await store.list('job', never)).toEqual([]);
  });

  it('keeps letters whose keys are longer than an index entry, counts attempts, and drops what is resolved', async () => {
    const store = storeIn();
    const owner = await store.acquire(acquireRequest(), never);
    const long = letterOf({ key: JSON.stringify(['x'.repeat(100_000)]), payload: { n: '1.10' } });
    for (let attempt = 0; attempt < 3; attempt++) await store.save(owner, { letters: [long, letterOf()] }, never);
    expect(await store.letters({ job: 'job', stream: 'src' }, never)).toEqual(
      expect.arrayContaining([{ ...long, attempts: 3 }, letterOf({ attempts: 3 })]),
    );
    expect(await store.letters({ limit: 1 }, never)).toHaveLength(1);
    expect(await store.save(owner, { resolved: [long, letterOf({ key: '["2"]' })], letters: [letterOf({ key: '["3"]' })] }, never)).toBe(1);
    expect((await store.letters({}, never)).map(({ key }) => key).sort()).toEqual(['["1"]', '["3"]']);
  });

  it('resolves letters and stores new ones in the commit of a lane', async () => {
    const target = openTarget(database.url);
    closing.push(target);
    const stream = streamOf(shapeOf([field('id', 'int64', { nullable: false })]));
    await prepare(target, [stream]);
    const { lane, owner } = await openOwnedLane(target, [stream]);
    await lane.commit({ ...nothing, letters: [letterOf(), letterOf({ key: '["2"]' })] }, never);
    await lane.bulkUpsert(batchOf(stream, [[1n]]), never);
    const result = await lane.commit(
      { checkpoints: [checkpointOf(owner)], letters: [letterOf({ key: '["2"]' })], resolved: [letterOf()] },
      never,
    );
    expect(result.lettersResolved).toBe(1);
    expect(await target.checkpoints?.letters({}, never)).toMatchObject([{ key: '["2"]', attempts: 2 }]);
    await lane.close();
  });

  it('records the backends of open lanes, forgets those that closed, and ends the others when the job changes hands', async () => {
    const target = openTarget(database.url);
    closing.push(target);
    const stream = streamOf(shapeOf([field('id', 'int64', { nullable: false })]));
    await prepare(target, [stream]);
    const { lane, owner } = await openOwnedLane(target, [stream], { ttlMs: 300 });
    const second = await target.openLane({ owner, streams: [stream], checkpoints: true }, never);
    const elsewhere = { ...owner, run: 'whose lease is in another store' };
    const unregistered = await target.openLane({ owner: elsewhere, streams: [stream], checkpoints: false }, never);
    const lanes = async () =>
      (await database.query('select lanes from trueup.leases'))
        .flatMap(({ lanes: pids }) => pids as [number, string][])
        .map(([pid]) => pid);
    expect(await lanes()).toHaveLength(2);
    await lane.close();
    const [left] = await lanes();
    await sleep(400);
    const next = await storeIn().acquire(acquireRequest(), never);
    expect(next.epoch).toBe(2);
    await expect.poll(() => database.query('select from pg_stat_activity where pid = $1::int', [String(left)])).toEqual([]);
    expect(await lanes()).toEqual([]);
    await unregistered.bulkUpsert(batchOf(stream, [[1n]]), never);
    expect(await unregistered.commit(nothing, never)).toMatchObject({ lettersResolved: 0 });
    await expect(target.openLane({ owner, streams: [stream], checkpoints: true }, never)).rejects.toMatchObject({ code: 'E_FENCED' });
    await Promise.all([second.close(), unregistered.close()]);
  });

  it('ends the backend of a lane whose checkpoints are kept beside the rows as well, so that its locks hold nobody up', async () => {
    const target = openTarget(database.url);
    closing.push(target);
    const stream = streamOf(shapeOf([field('id', 'int64', { nullable: false })]));
    await prepare(target, [stream]);
    const store = storeIn();
    const owner = await store.acquire(acquireRequest({ ttlMs: 300 }), never);
    const suspended = await target.openLane({ owner, streams: [stream], checkpoints: false }, never);
    await suspended.bulkUpsert(batchOf(stream, [[1n]]), never);
    await sleep(400);
    const next = await store.acquire(acquireRequest(), never);
    const lane = await target.openLane({ owner: next, streams: [stream], checkpoints: false }, never);
    await lane.bulkUpsert(batchOf(stream, [[1n]]), AbortSignal.timeout(20_000));
    expect(await lane.commit(nothing, never)).toMatchObject({ streams: { [stream.stream]: { upserted: 1 } } });
    await expect(suspended.commit(nothing, never)).rejects.toMatchObject({ code: 'E_FENCED' });
    await Promise.all([suspended.close(), lane.close()]);
  });

  it('takes over although the backends belong to another role, which only the fence then keeps out', async () => {
    const store = storeIn();
    await store.acquire(acquireRequest({ ttlMs: 1 }), never);
    const holder = await database.connect();
    const [backend] = (
      await holder.query(`select pg_backend_pid() as pid, backend_start::text as start from pg_stat_activity where pid = pg_backend_pid()`)
    ).rows as { pid: number; start: string }[];
    await database.query('update trueup.leases set lanes = $1::json', [JSON.stringify([[backend!.pid, backend!.start]])]);
    const role = await createRole('successor');
    await database.query(`grant usage on schema trueup to ${role.name}; grant all on all tables in schema trueup to ${role.name}`);
    await sleep(10);
    expect((await storeIn('trueup', role.url(database.url)).acquire(acquireRequest(), never)).epoch).toBe(2);
    expect((await holder.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });

  it('goes on after the server has cut its idle connections', async () => {
    const store = storeIn();
    const owner = await store.acquire(acquireRequest(), never);
    await store.list(null, never);
    await database.query(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'trueup/test' and datname = current_database()`,
    );
    await sleep(50);
    await store.renew(owner, never);
    expect(await store.list(null, never)).toEqual([]);
  });

  it('renews while a save waits', async () => {
    const store = storeIn();
    const owner = await store.acquire(acquireRequest({ ttlMs: 1000 }), never);
    await store.save(owner, { checkpoints: [checkpointOf(owner)] }, never);
    await database.query('begin; lock table trueup.checkpoints in access exclusive mode');
    const saving = store.save(owner, { checkpoints: [checkpointOf(owner)] }, never);
    await sleep(100);
    const before = (await storeIn().owner('job', never))?.expiresAt;
    // The save holds the lease's row as a reader would; a renewal must not wait for it longer than the lock lasts.
    const renewing = store.renew(owner, never);
    await database.query('commit');
    await Promise.all([saving, renewing]);
    expect(Date.parse((await store.owner('job', never))?.expiresAt ?? '')).toBeGreaterThan(Date.parse(before ?? ''));
  });

  it('keeps the stores of several schemas apart, and runs in one of them', async () => {
    const state = openState({ server: serverOf(), schema: 'trueup_state' });
    closing.push(state);
    expect(state.atomic).toBe(false);
    const [here, there] = [await storeIn().acquire(acquireRequest(), never), await state.acquire(acquireRequest(), never)];
    expect([here.epoch, there.epoch]).toEqual([1, 1]);
    await state.save(there, { letters: [letterOf()] }, never);
    expect(await storeIn().letters({}, never)).toEqual([]);
    expect(await schemas()).toHaveLength(2);
  });

  it('keeps the newest runs of each job', async () => {
    const { runs, close } = openState({ server: serverOf(), schema: 'trueup_state' });
    closing.push({ close });
    expect(await runs.list({}, never)).toEqual([]);
    const runOf = (run: string, job: string, second: number): RunRecord => ({
      run,
      job,
      command: 'run',
      startedAt: `2026-11-24T10:00:0${second}.000Z`,
      status: 'running',
    });
    const records = [runOf('1', 'a', 1), runOf('2', 'a', 2), runOf('3', 'b', 0), runOf('4', 'a', 3)];
    for (const record of records) await runs.save(record, never);
    const done: RunRecord = {
      ...records[3]!,
      endedAt: '2026-11-24T10:00:04.500Z',
      status: 'incomplete',
      exitCode: 3,
      report: { read: 5, text: '\u0000' },
    };
    await runs.save(done, never);
    expect((await runs.list({}, never)).map(({ run }) => run)).toEqual(['4', '2', '1', '3']);
    expect(await runs.list({ job: 'a', limit: 1 }, never)).toEqual([done]);
    await runs.save({ ...runOf('5', 'b', 5), command: 'verify' }, never);
    expect((await runs.list({ commands: ['verify'] }, never)).map(({ run }) => run)).toEqual(['5']);
    expect((await runs.list({ job: 'b', commands: ['run'], limit: 1 }, never)).map(({ run }) => run)).toEqual(['3']);
    await runs.prune(2, never);
    expect((await runs.list({}, never)).map(({ run }) => run)).toEqual(['5', '4', '2', '3']);
  });
});
