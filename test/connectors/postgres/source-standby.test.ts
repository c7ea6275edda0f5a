import postgres from '../../../connectors/postgres/index.ts';
import { chown, cp, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, it, describe } from 'vitest';
import type { EmbeddedPostgres } from '../../../src/demo/embedded-postgres.ts';
import { startOwnPostgres } from '../../servers/postgres.ts';
import { NEVER, drainOnce, openSource, streamRef } from './source-kit.ts';

/** A streaming replica, made as an administrator makes one by hand: a copy of the files within a backup. */
async function startStandby(primary: EmbeddedPostgres, admin: pg.Client): Promise<{ server: EmbeddedPostgres; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'trueup-standby-'));
  const owner = await stat(primary.dataDir);
  const dataDir = join(folder, 'data');
  await chown(folder, owner.uid, owner.gid);
  await admin.query(`select pg_backup_start('standby', true)`);
  await cp(primary.dataDir, dataDir, { recursive: true, preserveTimestamps: true, filter: (path) => !path.endsWith('postmaster.pid') });
  const { rows } = await admin.query<{ labelfile: string }>('select labelfile from pg_backup_stop()');
  await writeFile(join(dataDir, 'backup_label'), rows[0]?.labelfile ?? '');
  await writeFile(join(dataDir, 'standby.signal'), '');
  await own(dataDir, owner);
  const conninfo = `host=127.0.0.1 port=${primary.port} user=postgres`;
  return { folder, server: await startOwnPostgres({ dataDir, settings: { primary_conninfo: conninfo, hot_standby: 'on' } }) };
}

async function own(dir: string, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  await chown(dir, uid, gid);
  for (const entry of await readdir(dir, { recursive: true })) await chown(join(dir, entry), uid, gid);
}

const ref = streamRef('public.t');

describe.skipIf(inject('postgres').origin === 'none')('connectors: postgres, a standby and its promotion', () => {
  let primary: EmbeddedPostgres;
  let standby: { server: EmbeddedPostgres; folder: string };
  let admin: pg.Client;

  beforeAll(async () => {
    primary = await startOwnPostgres();
    admin = new pg.Client({ connectionString: primary.url });
    admin.on('error', () => undefined);
    await admin.connect();
    await admin.query(
      `create table t (id int primary key, updated_at timestamptz not null default now()); create index on t (updated_at, id); insert into t values (1), (2)`,
    );
    standby = await startStandby(primary, admin);
    await replayed();
  });
  afterAll(async () => {
    await admin.end().catch(() => undefined);
    await standby.server.stop();
    await rm(standby.folder, { recursive: true, force: true });
  });

  async function replayed(): Promise<void> {
    const { rows } = await admin.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn');
    for (;;) {
      const answer = await onStandby<{ done: boolean }>(`select coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false) as done`, [
        rows[0]?.lsn,
      ]);
      if (answer[0]?.done) return;
      await sleep(20);
    }
  }
  async function onStandby<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    const client = new pg.Client({ connectionString: standby.server.url });
    await client.connect();
    try {
      return (await client.query<Row>(text, values)).rows;
    } finally {
      await client.end();
    }
  }
  const ids = (rows: readonly Record<string, unknown>[]) => rows.map((row) => Number(row['id'])).sort((a, b) => a - b);

  it('says that no fence is possible, and what a lookback would then promise', async () => {
    const source = openSource(standby.server.url);
    const plans = await Promise.all([ref, { ...ref, lookbackMs: 60_000 }].map(async (one) => (await source.plan([one], NEVER)).streams[0]));
    expect(plans.map((plan) => plan?.guarantee.lateCommits)).toEqual(['delivered', 'within-lookback']);
    const said = (postgres.promises?.source ?? []).filter(({ situation }) => situation.includes('standby'));
    const name = (parts: object): unknown =>
      JSON.parse(
        JSON.stringify(parts)
          .replaceAll('public.orders', ref.name)
          .replaceAll('updated_at', ref.changes.field ?? ''),
      );
    expect(plans.map((plan) => plan?.guarantee)).toEqual(said.map(({ parts }) => name(parts)));
    expect(plans.map((plan) => plan?.problems[0]?.message)).toEqual([
      expect.stringContaining('standby'),
      expect.stringContaining('is lost'),
    ]);
    expect(await source.identity(NEVER)).toBe(await primaryIdentity());
    await source.close();
  });

  async function primaryIdentity(): Promise<string> {
    const source = openSource(primary.url);
    try {
      return await source.identity(NEVER);
    } finally {
      await source.close();
    }
  }

  it('delivers late commits of the primary all the same, and after a promotion everything of both servers', async () => {
    const slow = new pg.Client({ connectionString: primary.url });
    slow.on('error', () => undefined);
    await slow.connect();
    await slow.query('begin; insert into t values (10)');
    await sleep(50);
    await admin.query('insert into t values (20)');
    await replayed();
    const first = await drainOnce(standby.server.url, ref);
    expect(ids(first.rows)).toEqual([1, 2, 20]);
    await slow.query('commit');
    await slow.end();
    await replayed();
    const second = await drainOnce(standby.server.url, ref, { after: first.cursor });
    expect(ids(second.rows)).toContain(10);

    await onStandby('select pg_promote()');
    await onStandby('insert into t values (30)');
    const third = await drainOnce(standby.server.url, ref, { after: second.cursor });
    expect(ids(third.rows)).toEqual([1, 2, 10, 20, 30]);
    expect(third.cursor).toMatchObject({ timeline: '00000002' });
    await onStandby('insert into t values (40)');
    const fourth = await drainOnce(standby.server.url, ref, { after: third.cursor });
    expect(ids(fourth.rows)).toContain(40);
    expect(ids(fourth.rows)).not.toContain(1);
  });
});
