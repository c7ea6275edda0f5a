import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** Unique across files, processes and runs that share a server. Letters, digits and underscores: needs no quotes in SQL. */
export function uniqueName(tag: string): string {
  const readable = tag.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
  return `t_${readable}_${randomBytes(5).toString('hex')}`.slice(0, 63);
}

export function withDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

export async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/**
 * Drops a database with all that holds on to it: sessions, replication slots and prepared transactions, none of which `force` alone removes.
 * One that is gone already is fine.
 */
export async function dropDatabase(serverUrl: string, name: string): Promise<void> {
  await withClient(serverUrl, async (admin) => {
    await rollBackPrepared(serverUrl, admin, name);
    await admin.query(
      `select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where database = $1 and active_pid is not null`,
      [name],
    );
    await admin.query(`select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1`, [name]);
    await admin.query(`drop database if exists ${name} with (force)`);
  });
}

/** A prepared transaction can be ended only from inside its own database. */
async function rollBackPrepared(serverUrl: string, admin: pg.Client, name: string): Promise<void> {
  const { rows } = await admin.query<{ gid: string }>('select gid from pg_prepared_xacts where database = $1', [name]);
  if (rows.length === 0) return;
  await withClient(withDatabase(serverUrl, name), async (client) => {
    for (const { gid } of rows) await client.query(`rollback prepared ${pg.escapeLiteral(gid)}`);
  });
}
