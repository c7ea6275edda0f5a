import { chown, cp, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EmbeddedPostgres } from '../../src/demo/embedded-postgres.ts';
import { launchOwnPostgres } from './own-postgres.ts';
import { withClient } from './postgres-admin.ts';

export interface Standby {
  readonly server: EmbeddedPostgres;
  /** Resolves once everything that the primary has committed so far can be read here. */
  replayed(): Promise<void>;
  promote(): Promise<void>;
  /** For good. */
  stop(): Promise<void>;
}

/** A streaming replica, made as an administrator makes one by hand: a copy of the files within a backup. */
export async function startStandby(primary: EmbeddedPostgres): Promise<Standby> {
  const folder = await mkdtemp(join(tmpdir(), 'trueup-standby-'));
  const owner = await stat(primary.dataDir);
  const dataDir = join(folder, 'data');
  await chown(folder, owner.uid, owner.gid);
  const label = await withClient(primary.url, async (admin) => {
    await admin.query(`select pg_backup_start('standby', true)`);
    await cp(primary.dataDir, dataDir, { recursive: true, preserveTimestamps: true, filter: (path) => !path.endsWith('postmaster.pid') });
    return (await admin.query<{ labelfile: string }>('select labelfile from pg_backup_stop()')).rows[0]?.labelfile ?? '';
  });
  await writeFile(join(dataDir, 'backup_label'), label);
  await writeFile(join(dataDir, 'standby.signal'), '');
  await own(dataDir, owner);
  const conninfo = `host=127.0.0.1 port=${primary.port} user=postgres`;
  const server = await launchOwnPostgres({ dataDir, settings: { primary_conninfo: conninfo, hot_standby: 'on' } });
  return {
    server,
    async replayed() {
      const lsn = await withClient(primary.url, async (admin) => text(await admin.query('select pg_current_wal_lsn()::text as t')));
      const asked = `select coalesce(pg_last_wal_replay_lsn() >= '${lsn}'::pg_lsn, false)::text as t`;
      await withClient(server.url, async (client) => {
        while (text(await client.query(asked)) !== 'true') await sleep(20);
      });
    },
    promote: () => withClient(server.url, async (client) => void (await client.query('select pg_promote()'))),
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function text({ rows }: { readonly rows: readonly unknown[] }): string {
  return (rows as readonly { t: string }[])[0]?.t ?? '';
}

async function own(dir: string, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  await chown(dir, uid, gid);
  for (const entry of await readdir(dir, { recursive: true })) await chown(join(dir, entry), uid, gid);
}
