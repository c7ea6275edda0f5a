import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import type { TestDatabase } from '../../servers/postgres.ts';
import { NEVER, cellKey, fetchRequest, openSource, streamRef } from './source-kit.ts';
import type { Warning } from './source-kit.ts';

async function running(database: TestDatabase): Promise<number> {
  const rows = await database.query<{ count: number }>(
    `select count(*)::int from pg_stat_activity where datname = current_database() and application_name like 'trueup/%'`,
  );
  return rows[0]?.count ?? -1;
}

async function untilNoneRuns(database: TestDatabase): Promise<void> {
  for (let tries = 0; (await running(database)) > 0; tries++) {
    if (tries > 100) throw new Error('a session is still there after 5 s');
    await sleep(50);
  }
}

describeWithPostgres('connectors: postgres, stopping', () => {
  it('cancels on the server what has not given a row yet', async () => {
    const database = await createDatabase('cancel');
    const source = openSource(database.url);
    const stop = new AbortController();
    const ref = streamRef('slow', { query: `select 1 as id, now() as updated_at, pg_sleep(60)::text as s` });
    const reading = Array.fromAsync(source.fetchChanges(fetchRequest(source, ref, { signal: stop.signal })));
    while (
      (
        await database.query(
          `select from pg_stat_activity where query like 'copy%pg_sleep%' and state = 'active' and pid <> pg_backend_pid()`,
        )
      ).length === 0
    )
      await sleep(20);
    const began = performance.now();
    const reason = new Error('enough');
    stop.abort(reason);
    await expect(reading).rejects.toBe(reason);
    expect(performance.now() - began).toBeLessThan(1000);
    await untilNoneRuns(database);
    await source.close();
  });

  it('ends its sessions when a reader leaves in the middle, and when the source is closed under it', async () => {
    const database = await createDatabase('leave');
    await database.query(
      `create table t as select id, now() as updated_at, repeat('x', 1000) as v from generate_series(1, 20000) id; alter table t add primary key (id)`,
    );
    const source = openSource(database.url);
    for await (const batch of source.fetchChanges(fetchRequest(source, streamRef('public.t'), { batchRows: 10 })))
      if (batch.stream !== null) break;
    await untilNoneRuns(database);
    const iterator = source.fetchChanges(fetchRequest(source, streamRef('public.t'), { batchRows: 10 }))[Symbol.asyncIterator]();
    await iterator.next();
    await source.close();
    await untilNoneRuns(database);
    await source.close();
  });

  it('reports a session that an administrator ends as a lost connection', async () => {
    const database = await createDatabase('killed');
    await database.query(
      `create table t as select id, now() as updated_at, repeat('x', 1000) as v from generate_series(1, 20000) id; alter table t add primary key (id)`,
    );
    const source = openSource(database.url);
    const reading = (async () => {
      for await (const batch of source.fetchChanges(fetchRequest(source, streamRef('public.t'), { batchRows: 10 }))) {
        if (batch.stream !== null)
          await database.query(
            `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like 'trueup/%'`,
          );
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: 'E_CONNECTION_LOST' });
    await source.close();
  });

  it('names who holds a continuous run back, and goes on without waiting', async () => {
    const database = await createDatabase('held');
    await database.query(`create table t (id int primary key, updated_at timestamptz not null default now())`);
    const idle = await database.connect({ application_name: 'the idle one' });
    await idle.query('begin; select 1');
    const warnings: Warning[] = [];
    const source = openSource(database.url, { fence: { maxWait: '500ms', margin: '0ms' } }, warnings);
    const stop = new AbortController();
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const batch of source.fetchChanges(
        fetchRequest(source, streamRef('public.t'), { until: 'follow', maxDelayMs: 100, signal: stop.signal }),
      )) {
        if (batch.stream === null) continue;
        seen.push(...batch.records.rows().map((row) => row[0]));
        if (seen.includes('1')) stop.abort(new Error('seen'));
      }
    })();
    await sleep(300);
    await database.query('insert into t values (1)');
    await expect(reading).rejects.toThrow('seen');
    expect(warnings.map(({ fields }) => String(fields['blocker']))).toEqual([expect.stringContaining('the idle one')]);
    await sleep(1000); // a younger transaction is in nobody's way yet
    expect(
      await source.heldBack?.({ id: 'changes:public.t', kind: 'changes', streams: ['public.t'] }, new AbortController().signal),
    ).toMatchObject({ by: expect.stringContaining('the idle one') as string });
    await source.close();
  });

  it('names by pid, user and application who holds deliveries back: whoever writes to the stream, before older transactions', async () => {
    const database = await createDatabase('named');
    await database.query(`create table t (id int primary key, updated_at timestamptz not null default now()); create table other (id int)`);
    const source = openSource(database.url);
    const heldBack = () => source.heldBack?.({ id: 'changes:public.t', kind: 'changes', streams: ['public.t'] }, NEVER);
    const [elsewhere, writer] = [
      await database.connect({ application_name: 'elsewhere' }),
      await database.connect({ application_name: 'the writer' }),
    ];
    for (const client of [elsewhere, writer]) await client.query('begin');
    await elsewhere.query('insert into other values (1)');
    const whoIs = async (client: typeof writer) => {
      const { rows } = await client.query<{ pid: number; name: string }>('select pg_backend_pid() as pid, current_user as name');
      return rows[0] ?? expect.unreachable();
    };
    const [old, { pid, name }] = [await whoIs(elsewhere), await whoIs(writer)];
    await expect.poll(heldBack, { timeout: 5000 }).toMatchObject({ by: `pid ${old.pid} (elsewhere), user ${name}, idle in transaction` });
    await writer.query('insert into t values (1)');
    expect(await heldBack()).toMatchObject({
      by: `pid ${pid} (the writer), user ${name}, idle in transaction, writes to public.t`,
      since: expect.stringMatching(/^20\d\d-.*Z$/) as string,
    });
    await writer.query('rollback');
    await elsewhere.query('rollback');
    expect(await heldBack()).toBeNull();
    await source.close();
  });

  it('holds a row back in a continuous run until the transactions before it have ended', async () => {
    const database = await createDatabase('waits');
    await database.query(`create table t (id int primary key, updated_at timestamptz not null default now())`);
    const slow = await database.connect();
    const source = openSource(database.url, { fence: { margin: '0ms' } });
    const stop = new AbortController();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const batch of source.fetchChanges(
        fetchRequest(source, streamRef('public.t'), { until: 'follow', maxDelayMs: 100, signal: stop.signal }),
      )) {
        seen.push(...batch.records.rows().map((row) => cellKey(row[0])));
        if (seen.length >= 2) stop.abort(new Error('seen'));
      }
    })();
    await sleep(500);
    await slow.query('begin; insert into t values (1)');
    await database.query('insert into t values (2)');
    await sleep(1000);
    expect(seen).toEqual([]);
    await slow.query('commit');
    await expect(reading).rejects.toThrow('seen');
    expect(seen).toEqual(['1', '2']);
    await source.close();
  });
});
