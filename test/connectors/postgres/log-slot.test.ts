import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { failoverProblems } from '../../../connectors/postgres/log/log-plan.ts';
import { slotWarnings } from '../../../connectors/postgres/log/log-state.ts';
import type { Batch, Cursor, Source, StreamRef } from '../../../src/sdk.ts';
import { describeWithPostgres, startOwnPostgres } from '../../servers/postgres.ts';
import { beginLog } from './log-kit.ts';
import { NEVER, cursorAfter, fetchRequest, openSource, streamRef } from './source-kit.ts';

/** A server of its own: what others write into the log is measured here. */
type Server = Awaited<ReturnType<typeof startOwnPostgres>>;

const MIB = 1024 ** 2;
const KEEP_MIB = 96;

async function slotOf(client: Client): Promise<{ readonly name: string; readonly behind: number }> {
  const { rows } = await client.query<{ name: string; behind: string }>(
    `select slot_name::text as name, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::text as behind
       from pg_replication_slots where database = current_database()`,
  );
  return { name: rows[0]?.name ?? '', behind: Number(rows[0]?.behind) };
}

async function stateOf(source: Source, ref: StreamRef, cursor: Cursor) {
  const state = await source.logState?.(source.feeds([ref])[0]!, cursor, NEVER);
  return { warnings: state?.warnings ?? [], retainedBytes: state?.retainedBytes ?? 0, lagBytes: state?.lagBytes ?? 0 };
}

describeWithPostgres('connectors: postgres, what a slot keeps', () => {
  let server: Server;
  let admin: Client;

  beforeAll(async () => {
    server = await startOwnPostgres({
      settings: { wal_level: 'logical', max_slot_wal_keep_size: `${KEEP_MIB}MB`, min_wal_size: '32MB', max_wal_size: '64MB' },
    });
    admin = new Client(server.url);
    await admin.connect();
  }, 60_000);
  afterAll(async () => {
    await admin?.end();
    await server?.stop();
  });

  /** A database with an idle table `t`, its slot made, and one `other` that nobody follows. */
  async function idle(
    name: string,
  ): Promise<{ readonly url: string; readonly client: Client; readonly ref: StreamRef; readonly start: Cursor }> {
    await admin.query(`create database ${name}`);
    const url = server.url.replace(/\/postgres$/, `/${name}`);
    const client = new Client(url);
    await client.connect();
    await client.query('create table t (id int primary key); create table other (id int)');
    const ref = streamRef('public.t', { changes: { by: 'log' }, job: name });
    return { url, client, ref, start: await beginLog(url, [ref]) };
  }

  it('is confirmed only up to what was acknowledged, and an idle slot follows a log that others write', { timeout: 60_000 }, async () => {
    const { url, client, ref } = await idle('follows');
    const source = openSource(url);
    await client.query('insert into t values (1)');
    await client.query('insert into other select generate_series(1, 300000)');
    const { behind } = await slotOf(client);
    const batches = await Array.fromAsync(source.fetchChanges(fetchRequest(source, ref)));
    expect((await slotOf(client)).behind).toBeGreaterThanOrEqual(behind);
    await source.acknowledge?.(source.feeds([ref])[0]!, cursorAfter(batches) as Cursor, NEVER);
    await expect.poll(async () => (await slotOf(client)).behind, { timeout: 20_000 }).toBeLessThan(MIB);
    await source.release?.(source.feeds([ref])[0]!, NEVER);
    await source.close();
    await client.end();
  });

  it('with a heartbeat the place moves on though nobody writes', { timeout: 60_000 }, async () => {
    const { url, client, ref, start } = await idle('beats');
    const source = openSource(url, { heartbeat: '200ms' });
    const stop = new AbortController();
    const places = new Set<string>();
    const timeout = setTimeout(() => stop.abort(), 30_000);
    const batches: AsyncIterable<Batch> = source.fetchChanges({
      ...fetchRequest(source, ref),
      after: start,
      until: 'follow',
      maxDelayMs: 100,
      signal: stop.signal,
    });
    await (async () => {
      for await (const { cursor } of batches) {
        places.add(JSON.stringify(cursor));
        if (places.size >= 6) stop.abort();
      }
    })().catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    clearTimeout(timeout);
    expect(places.size).toBeGreaterThanOrEqual(6);
    await source.release?.(source.feeds([ref])[0]!, NEVER);
    await source.close();
    await client.end();
  });

  it('warns before the server gives a slot up, then says that it did, and that it is gone', { timeout: 120_000 }, async () => {
    const { url, client, ref, start } = await idle('warns');
    const source = openSource(url);
    const state = () => stateOf(source, ref, start);
    /** Fills a file of the log (16 MiB) without writing it. */
    const fill = () => client.query(`select pg_logical_emit_message(false, 'test', 'x'); select pg_switch_wal()`);
    expect((await state()).warnings).toEqual([]);
    // From three quarters of what the server keeps on.
    for (let file = 0; file < 6 && (await state()).warnings.length === 0; file += 1) await fill();
    const near = await state();
    expect(near.warnings).toEqual([expect.stringMatching(/will be given up after [\d.]+ \w+ more of log \(max_slot_wal_keep_size\)/)]);
    expect(near.retainedBytes).toBeLessThan((KEEP_MIB + 16) * MIB);
    expect(near.lagBytes).toBeGreaterThan(32 * MIB);
    for (let file = 0; file < 12 && !/about to|was given up/.test((await state()).warnings[0] ?? ''); file += 1) await fill();
    await admin.query('checkpoint');
    expect((await state()).warnings).toEqual([expect.stringContaining('was given up by the server')]);
    await source.release?.(source.feeds([ref])[0]!, NEVER);
    expect((await state()).warnings).toEqual([expect.stringContaining('is not there')]);
    await source.close();
    await client.end();
  });

  it('is made for failover where the connection says so, which takes PostgreSQL 17', { timeout: 60_000 }, async () => {
    const { client, url, ref } = await idle('fails_over');
    const failover = async () =>
      (await client.query<{ failover: boolean }>('select failover from pg_replication_slots where database = current_database()')).rows;
    expect(await failover()).toEqual([{ failover: false }]);
    const source = openSource(url, { log: { failover: true } });
    const [feed] = source.feeds([ref]);
    expect((await source.plan([ref], NEVER)).streams[0]?.problems).toEqual([]);
    await source.startCursor(feed!, [ref], NEVER);
    expect(await failover()).toEqual([{ failover: true }]);
    await source.release?.(feed!, NEVER);
    await source.close();
    await client.end();
    expect(failoverProblems(160_004)).toMatchObject([{ severity: 'error', message: expect.stringContaining('PostgreSQL 17') }]);
  });

  it('each danger has its own words', () => {
    const fine = { name: 's', lostBecause: null, walStatus: 'reserved', safeBytes: null, retainedBytes: 0, activePid: 1 };
    const said = (change: Partial<Parameters<typeof slotWarnings>[0]>) => slotWarnings({ ...fine, ...change }).join('; ');
    expect(said({})).toBe('');
    expect(said({ activePid: null, retainedBytes: 1.5 * 1024 ** 3 })).toBe(
      `slot 's' keeps 1.5 GiB of log on the server, and nothing reads from it now`,
    );
    expect(said({ retainedBytes: 5 * 1024 ** 3 })).toBe('');
    expect(said({ walStatus: 'extended', safeBytes: 10, retainedBytes: 90 })).toContain('will be given up after 10 bytes');
    expect(said({ walStatus: 'extended', safeBytes: 30, retainedBytes: 70 })).toBe('');
    expect(said({ walStatus: 'unreserved', safeBytes: -1, retainedBytes: 2 * 1024 ** 2 })).toContain('is about to be given up');
    expect(said({ walStatus: 'lost', lostBecause: 'its log was removed' })).toContain('was given up by the server (its log was removed)');
  });
});
