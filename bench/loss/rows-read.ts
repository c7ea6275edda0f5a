import pg from 'pg';

/**
 * Rows that a source server handed out to whoever asked in one database: counted by the server (pg_stat_statements), so it does not matter
 * what a tool says of itself. COPY, cursors and plain SELECT are all in it, the few rows of catalog queries too.
 */
export interface RowsRead {
  reset(): Promise<void>;
  count(): Promise<number>;
  close(): Promise<void>;
}

/** @returns `null` when the server does not count */
export async function openRowsRead(sourceUrl: string): Promise<RowsRead | null> {
  const database = decodeURIComponent(new URL(sourceUrl).pathname.slice(1));
  const url = new URL(sourceUrl);
  url.pathname = '/postgres'; // Elsewhere, so that this reader does not count itself.
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  const { rows } = await client.query<{ libraries: string }>(`select current_setting('shared_preload_libraries') as libraries`);
  if (!rows[0]?.libraries.includes('pg_stat_statements')) {
    await client.end();
    return null;
  }
  await client.query('create extension if not exists pg_stat_statements');
  const oid = `(select oid from pg_database where datname = $1)`;
  return {
    reset: async () => void (await client.query(`select pg_stat_statements_reset(dbid => ${oid})`, [database])),
    count: async () => {
      const sum = await client.query<{ rows: string }>(
        `select coalesce(sum(rows), 0) as rows from pg_stat_statements where dbid = ${oid}`,
        [database],
      );
      return Number(sum.rows[0]?.rows);
    },
    close: () => client.end(),
  };
}
